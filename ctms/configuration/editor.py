"""Builds the page of the layout editor: its sections, the fields that can be added, and a preview."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctms.configuration.drafts import SectionDraft, Sections, list_fields, read_draft
from ctms.configuration.editing import build_edit, list_item_moves
from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.layouts import Layout
from ctms.configuration.record_head import Place, find_place
from ctms.configuration.registry import get_object
from ctms.configuration.selectors import (
    find_object,
    find_relation_problem,
    list_inactive_fields,
    list_layouts,
    list_relations,
    read_sections,
)
from ctms.configuration.snapshot import (
    Configuration,
    ObjectShape,
    SectionShape,
    TypeShape,
    build_layout_shape,
    load_configuration,
)
from ctms.configuration.tables import describe_kind

if TYPE_CHECKING:
    from ctms.configuration.models import PageLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorItem:
    """A field or column in its section, with what its buttons post.

    `place` names it on the page: a field keeps it when it moves into another section. `note` says why it is not
    shown.
    """

    name: str
    place: str
    label: str
    kind: str
    note: str
    is_known: bool
    up: str
    down: str
    remove: str
    can_up: bool
    can_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorSection:
    """A section, with what its buttons post. `problem` says why it is not shown, if so."""

    draft: SectionDraft
    label: str
    source: str
    problem: str
    items: tuple[EditorItem, ...]
    choices: tuple[tuple[str, str], ...]
    choose: str
    up: str
    down: str
    remove: str
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaletteItem:
    """A field that is not on the layout. `add` puts it into the first section of fields; empty if there is none."""

    name: str
    label: str
    kind: str
    add: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewSection:
    """A section as the record page will show it: fields with sample values, or the columns of a table."""

    title: str
    fields: tuple[tuple[ObjectField, str], ...] = ()
    columns: tuple[str, ...] = ()
    is_related: bool = False
    prevent_creation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorPage:
    """Everything that the template shows."""

    sections: tuple[EditorSection, ...]
    palette: tuple[PaletteItem, ...]
    relations: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    preview_crumb: str
    preview_title: str
    preview_facts: tuple[str, ...]
    preview: tuple[PreviewSection, ...]


def open_sections(layout: PageLayout) -> Sections:
    """Return the stored sections for the editor: one without columns gets those of the related object's list."""
    return tuple(
        replace(section, items=_list_default_columns(section)) if section.is_related and not section.items else section
        for section in read_sections(layout)
    )


def close_sections(*, sections: Sections, layout: PageLayout) -> Sections:
    """Return the sections to be stored: one that had no columns keeps none if they are still those of the list."""
    unnamed = {section.key for section in read_sections(layout) if section.is_related and not section.items}
    return tuple(
        replace(section, items=())
        if section.key in unnamed and section.items == _list_default_columns(section)
        else section
        for section in sections
    )


def _list_default_columns(section: SectionDraft) -> tuple[str, ...]:
    related = find_object(section.related_object)
    return related.list_columns if related else ()


def build_editor_page(*, layout: PageLayout, sections: Sections) -> EditorPage:
    """Build the page for a layout with these sections, saved or not. Raises UnknownObjectError."""
    configuration = load_configuration()
    shape = configuration.get(layout.of_object)
    types = _list_types(layout=layout, shape=shape)
    builder = _Builder(
        configuration=configuration,
        shape=shape,
        types=types,
        sections=sections,
        shown=frozenset[str]().union(*(each.fields for each in types)),
    )
    return EditorPage(
        sections=tuple(builder.build_section(position) for position in range(len(sections))),
        palette=builder.build_palette(),
        relations=tuple(
            (f"{other.api_name}:{field.api_name}", f"{other.plural_title} by {field.label}")
            for other, field in list_relations(shape.vault_object)
        ),
        notices=tuple(builder.list_notices()),
        preview_crumb=shape.vault_object.plural_title,
        preview_title=shape.fields["name__v"].label if "name__v" in shape.fields else shape.vault_object.title,
        preview_facts=builder.list_facts(),
        preview=builder.build_preview(),
    )


def _list_types(*, layout: PageLayout, shape: ObjectShape) -> list[TypeShape]:
    """Return the object types whose records have this layout."""
    if layout.object_type:
        return [shape.get_type(layout.object_type)]
    own = {each.object_type for each in list_layouts(layout.of_object)}
    return [each for name, each in shape.types.items() if not name or name not in own]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """Builds the parts of the page. `shown` are the fields that at least one type with this layout has."""

    configuration: Configuration
    shape: ObjectShape
    types: list[TypeShape]
    sections: Sections
    shown: frozenset[str]

    # -- Sections ---------------------------------------------------------------------------------
    def build_section(self, position: int) -> EditorSection:
        draft = self.sections[position]
        key = draft.key
        source, problem, choices = self._describe(draft)
        return EditorSection(
            draft=draft,
            label=draft.title or f"Section {position + 1}",
            source=source,
            problem=problem,
            items=tuple(self._build_item(draft, number) for number in range(len(draft.items))),
            choices=choices,
            choose=build_edit("item-choose", key),
            up=build_edit("section-up", key),
            down=build_edit("section-down", key),
            remove=build_edit("section-remove", key),
            is_first=position == 0,
            is_last=position == len(self.sections) - 1,
        )

    def _describe(self, draft: SectionDraft) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Return what a section shows, why it cannot (or an empty text), and what can be added to it."""
        if not draft.is_related:
            return f"Fields of {self.shape.vault_object.title}", "", self._list_unused()
        problem = find_relation_problem(
            vault_object=self.shape.vault_object,
            related_object=draft.related_object,
            related_field=draft.related_field,
        )
        if problem:
            return f"{draft.related_object} by {draft.related_field}", problem, ()
        related = get_object(draft.related_object)
        fields = self.configuration.build_fields(related)
        unused = tuple((name, field.label) for name, field in fields.items() if name not in draft.items)
        return f"{related.plural_title} by {related.get_field(draft.related_field).label}", "", unused

    def _build_item(self, draft: SectionDraft, position: int) -> EditorItem:
        name = draft.items[position]
        owner = find_object(draft.related_object) if draft.is_related else self.shape.vault_object
        field = self.configuration.build_fields(owner).get(name) if owner else None
        can_up, can_down = list_item_moves(self.sections, draft, position)
        note = ""
        if field is None:
            inactive = list_inactive_fields(owner.api_name).get(name) if owner else None
            note = f"{inactive.label} is inactive: not shown" if inactive else "Not known any more: not shown"
        elif not draft.is_related and name not in self.shown:
            note = "On no object type: not shown"
        return EditorItem(
            name=name,
            place=f"{draft.key}-{name}" if draft.is_related else name,
            label=field.label if field else name,
            kind=describe_kind(field) if field else "",
            note=note,
            is_known=field is not None,
            up=build_edit("item-up", draft.key, name),
            down=build_edit("item-down", draft.key, name),
            remove=build_edit("item-remove", draft.key, name),
            can_up=can_up,
            can_down=can_down,
        )

    # -- What is not on the layout ----------------------------------------------------------------
    def _list_unused(self) -> tuple[tuple[str, str], ...]:
        used = set(list_fields(self.sections))
        return tuple(
            (name, field.label if name in self.shown else f"{field.label} (on no object type)")
            for name, field in self.shape.fields.items()
            if name not in used
        )

    def build_palette(self) -> tuple[PaletteItem, ...]:
        first = next((each for each in self.sections if not each.is_related), None)
        return tuple(
            PaletteItem(
                name=name,
                label=label,
                kind=describe_kind(self.shape.fields[name]),
                add=build_edit("item-add", first.key, name) if first else "",
            )
            for name, label in self._list_unused()
        )

    def list_notices(self) -> list[str]:
        """Return what an admin should know before saving; the layout can be saved all the same."""
        used = set(list_fields(self.sections))
        needed = [
            field.label
            for name, field in self.shape.fields.items()
            if name not in used
            and not field.is_read_only
            and (field.is_required or any(name in each.required for each in self.types))
        ]
        if not needed:
            return []
        remedy = "Unless the Vault can fill what is missing, users cannot create a record."
        return [f"Required and not on this layout: {', '.join(needed)}. {remedy}"]

    # -- Preview ----------------------------------------------------------------------------------
    def list_facts(self) -> tuple[str, ...]:
        names = self.shape.vault_object.header_fields
        return tuple(
            self.shape.fields[name].label for name in names if name in self.shown and self._stands_in(Place.HEAD, name)
        )

    def _stands_in(self, place: Place, name: str) -> bool:
        return find_place(vault_object=self.shape.vault_object, name=name) == place

    def build_preview(self) -> tuple[PreviewSection, ...]:
        built = build_layout_shape(
            vault_object=self.shape.vault_object,
            layout=Layout(name="", sections=tuple(read_draft(section) for section in self.sections)),
            find_fields=self.configuration.build_fields,
        )
        return tuple(self._build_preview_section(section) for section in built.sections)

    def _build_preview_section(self, section: SectionShape) -> PreviewSection:
        if section.related is None:
            fields = (
                field
                for field in section.fields
                if field.api_name in self.shown and self._stands_in(Place.SECTION, field.api_name)
            )
            return PreviewSection(
                title=section.title,
                fields=tuple((field, get_kind(field.kind).build_sample(field.choices)) for field in fields),
            )
        columns = self.configuration.build_fields(section.related)
        return PreviewSection(
            title=section.title,
            columns=tuple(columns[name].label for name in section.columns),
            is_related=True,
            prevent_creation=section.prevent_creation,
        )
