"""Changes of a page layout before it is saved: adding, moving and removing sections, fields and columns.

The functions take sections and return new ones; nothing is stored. Those that look for a section by its key raise
LayoutEditError if it is not there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ctms.configuration.choices import SectionKind
from ctms.configuration.layouts import FieldSection, RelatedSection
from ctms.core.errors import VaultError


class LayoutEditError(VaultError):
    """A section, field or column that was to be changed is not where it was, or may not be moved there."""


def make_key() -> str:
    """Return a key for a section that is not stored yet."""
    return f"new-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDraft:
    """One section. `key` is the UID of a stored section, or any other text for a new one. `items` are API names."""

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
    """Return a draft of a section; `key` is the UID of the stored one, if there is one."""
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
    """Return the section that a draft describes; the reverse of `draft_section`."""
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
    """Return the position of the section with this key, counted from 0. Raises LayoutEditError."""
    for position, section in enumerate(sections):
        if section.key == key:
            return position
    raise LayoutEditError("That section is not on the layout any more.")


def find_field(sections: Sections, name: str) -> SectionDraft | None:
    """Return the section that has this field; None if the field is not on the layout."""
    return next((section for section in sections if not section.is_related and name in section.items), None)


def find_home(sections: Sections, title: str) -> SectionDraft | None:
    """Return the section of fields with this title, or the first one if none has it; None if there is none."""
    candidates = [section for section in sections if not section.is_related]
    return next((section for section in candidates if section.title == title), next(iter(candidates), None))


def list_fields(sections: Sections) -> list[str]:
    """Return the API names of all fields on the layout."""
    return [name for section in sections if not section.is_related for name in section.items]


# -- Sections -------------------------------------------------------------------------------------
def replace_section(sections: Sections, section: SectionDraft) -> Sections:
    """Put `section` in the place of the one with the same key."""
    position = find_section(sections, section.key)
    return (*sections[:position], section, *sections[position + 1 :])


def add_section(sections: Sections, section: SectionDraft) -> Sections:
    """Add a section: one of fields after the last one of fields, one of related records at the end."""
    if section.is_related:
        return (*sections, section)
    position = max((number for number, each in enumerate(sections, start=1) if not each.is_related), default=0)
    return (*sections[:position], section, *sections[position:])


def remove_section(sections: Sections, key: str) -> Sections:
    """Remove the section with its fields or columns."""
    position = find_section(sections, key)
    return (*sections[:position], *sections[position + 1 :])


def place_section(sections: Sections, key: str, index: int) -> Sections:
    """Move the section to the position `index`, counted from 0."""
    moved = sections[find_section(sections, key)]
    rest = remove_section(sections, key)
    index = _limit(index, len(rest))
    return (*rest[:index], moved, *rest[index:])


def step_section(sections: Sections, key: str, by: int) -> Sections:
    """Move the section one position up (`by` -1) or down (+1)."""
    return place_section(sections, key, max(0, find_section(sections, key) + by))


# -- Fields and columns ---------------------------------------------------------------------------
def remove_item(sections: Sections, key: str, name: str) -> Sections:
    """Remove a field or column from the section. Raises LayoutEditError if it is not there."""
    section = _get_with_item(sections, key, name)
    return replace_section(sections, replace(section, items=tuple(each for each in section.items if each != name)))


def place_item(
    sections: Sections, name: str, *, to: str, index: int | None = None, source: str | None = None
) -> Sections:
    """Put a field or column into the section `to`, at the position `index`, counted from 0, or at the end.

    `source` is the section that it comes from. A field is removed from any other section, because it may be on a layout
    only once. Raises LayoutEditError for a column that is to move to another section.
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
    """Move a field or column up (`by` -1) or down (+1). From the end of a section, a field goes to the next one."""
    section = _get_with_item(sections, key, name)
    index = section.items.index(name) + by
    if 0 <= index < len(section.items):
        return place_item(sections, name, to=key, index=index, source=key)
    neighbour = None if section.is_related else _find_neighbour(sections, key, by)
    if neighbour is None:
        return sections
    return place_item(sections, name, to=neighbour.key, index=0 if by > 0 else len(neighbour.items), source=key)


def drop_empty(sections: Sections, *, title: str) -> Sections:
    """Remove sections of fields that have this title and no fields."""
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
