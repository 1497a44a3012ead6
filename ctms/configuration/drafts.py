"""A page layout while it is being changed: sections with their fields or columns, moved about before they are saved.

Every function takes sections and gives new ones; nothing is stored here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ctms.configuration.choices import SectionKind
from ctms.configuration.layouts import FieldSection, RelatedSection
from ctms.core.errors import VaultError


class LayoutEditError(VaultError):
    """What was to be moved or removed is not where it was thought to be."""


def make_key() -> str:
    """A key for a section that is not stored yet."""
    return f"new-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDraft:
    """One section. `key` is the UID of the stored section that it changes, or any other text for a new one."""

    title: str
    kind: SectionKind = SectionKind.FIELDS
    key: str = field(default_factory=make_key)
    related_object: str = ""
    related_field: str = ""
    items: tuple[str, ...] = ()
    prevent_creation: bool = False

    @property
    def is_related(self) -> bool:
        return self.kind == SectionKind.RELATED


Sections = tuple[SectionDraft, ...]
Change = Callable[[Sections], Sections]


def draft_section(section: FieldSection | RelatedSection, *, key: str = "") -> SectionDraft:
    """A section as the registry tells it."""
    key = key or make_key()
    if isinstance(section, FieldSection):
        return SectionDraft(key=key, title=section.title, items=section.fields)
    return SectionDraft(
        key=key,
        title=section.title,
        kind=SectionKind.RELATED,
        related_object=section.related_object,
        related_field=section.related_field,
        items=section.columns,
        prevent_creation=section.prevent_creation,
    )


def read_draft(draft: SectionDraft) -> FieldSection | RelatedSection:
    """The other way round."""
    if not draft.is_related:
        return FieldSection(title=draft.title, fields=draft.items)
    return RelatedSection(
        title=draft.title,
        related_object=draft.related_object,
        related_field=draft.related_field,
        columns=draft.items,
        prevent_creation=draft.prevent_creation,
    )


# -- Finding --------------------------------------------------------------------------------------
def find_section(sections: Sections, key: str) -> int:
    """Where the section stands, counted from 0. Raises LayoutEditError."""
    for position, section in enumerate(sections):
        if section.key == key:
            return position
    raise LayoutEditError("That section is not on the layout any more.")


def find_field(sections: Sections, name: str) -> SectionDraft | None:
    """The section of fields that holds a field."""
    return next((section for section in sections if not section.is_related and name in section.items), None)


def find_home(sections: Sections, title: str) -> SectionDraft | None:
    """The section of fields of that title; where an admin renamed it, the first one there is."""
    candidates = [section for section in sections if not section.is_related]
    return next((section for section in candidates if section.title == title), next(iter(candidates), None))


def list_fields(sections: Sections) -> list[str]:
    """Every field on the layout."""
    return [name for section in sections if not section.is_related for name in section.items]


# -- Sections -------------------------------------------------------------------------------------
def replace_section(sections: Sections, section: SectionDraft) -> Sections:
    """The section of the same key, changed."""
    position = find_section(sections, section.key)
    return (*sections[:position], section, *sections[position + 1 :])


def add_section(sections: Sections, section: SectionDraft) -> Sections:
    """A section of fields after the last one of fields, one of related records at the end."""
    if section.is_related:
        return (*sections, section)
    position = max((number for number, each in enumerate(sections, start=1) if not each.is_related), default=0)
    return (*sections[:position], section, *sections[position:])


def remove_section(sections: Sections, key: str) -> Sections:
    """Without the section; what was in it is on the layout no more."""
    position = find_section(sections, key)
    return (*sections[:position], *sections[position + 1 :])


def place_section(sections: Sections, key: str, index: int) -> Sections:
    """The section moved to a position, counted from 0."""
    moved = sections[find_section(sections, key)]
    rest = remove_section(sections, key)
    index = _limit(index, len(rest))
    return (*rest[:index], moved, *rest[index:])


def step_section(sections: Sections, key: str, by: int) -> Sections:
    """The section moved up (-1) or down (+1)."""
    return place_section(sections, key, max(0, find_section(sections, key) + by))


# -- Fields and columns ---------------------------------------------------------------------------
def remove_item(sections: Sections, key: str, name: str) -> Sections:
    """Without that field or column. Raises LayoutEditError if it is not in the section."""
    section = _get_with_item(sections, key, name)
    return replace_section(sections, replace(section, items=tuple(each for each in section.items if each != name)))


def place_item(
    sections: Sections, name: str, *, to: str, index: int | None = None, source: str | None = None
) -> Sections:
    """The field or column put into the section `to`, at a position counted from 0 or at the end.

    It is taken out of the section `source` first. A field stands on a layout once, wherever it comes from. Raises
    LayoutEditError for a column that is to move to another section.
    """
    target = sections[find_section(sections, to)]
    if source not in (None, to) and (target.is_related or sections[find_section(sections, str(source))].is_related):
        raise LayoutEditError("A column stays in its section, and a field among the sections of fields.")
    cleared = tuple(
        replace(each, items=tuple(item for item in each.items if item != name))
        if each.key == to or not (target.is_related or each.is_related)
        else each
        for each in sections
    )
    target = cleared[find_section(cleared, to)]
    index = _limit(len(target.items) if index is None else index, len(target.items))
    return replace_section(cleared, replace(target, items=(*target.items[:index], name, *target.items[index:])))


def step_item(sections: Sections, key: str, name: str, by: int) -> Sections:
    """The field or column moved up (-1) or down (+1); a field beyond its section's end goes into the next of fields."""
    section = _get_with_item(sections, key, name)
    index = section.items.index(name) + by
    if 0 <= index < len(section.items):
        return place_item(sections, name, to=key, index=index, source=key)
    neighbour = None if section.is_related else _find_neighbour(sections, key, by)
    if neighbour is None:
        return sections
    return place_item(sections, name, to=neighbour.key, index=0 if by > 0 else len(neighbour.items), source=key)


def drop_empty(sections: Sections, *, title: str) -> Sections:
    """Without a section of fields of that title that has no field left."""
    return tuple(each for each in sections if each.is_related or each.items or each.title != title)


def _find_neighbour(sections: Sections, key: str, by: int) -> SectionDraft | None:
    ordered: Sequence[SectionDraft] = sections if by > 0 else sections[::-1]
    after = ordered[[each.key for each in ordered].index(key) + 1 :]
    return next((each for each in after if not each.is_related), None)


def _get_with_item(sections: Sections, key: str, name: str) -> SectionDraft:
    section = sections[find_section(sections, key)]
    if name not in section.items:
        raise LayoutEditError(f"{name} is not in {section.title or 'that section'} any more.")
    return section


def _limit(index: int, highest: int) -> int:
    return min(max(index, 0), highest)
