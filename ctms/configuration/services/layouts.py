"""Creates, changes and deletes page layouts, and checks them before they are saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.audit.services import create_records, delete_record, save_record, update_records
from ctms.configuration.drafts import Change, SectionDraft, Sections, draft_section, list_fields
from ctms.configuration.fields import ObjectField
from ctms.configuration.models import LayoutSection, PageLayout
from ctms.configuration.registry import VaultObject, get_object, list_objects
from ctms.configuration.selectors import (
    find_layout,
    find_object,
    find_relation_problem,
    get_object_type,
    list_layouts,
    read_sections,
)
from ctms.configuration.snapshot import Configuration, build_default_layouts, load_configuration
from ctms.core.errors import StaleRecordError, VaultError

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

_DELIVERED = "Delivered with the Vault"


class LayoutNeededError(VaultError):
    """The layout of an object cannot be deleted, or an object has no layout to copy or change."""


def deliver_page_layouts(*, actor: Actor) -> list[str]:
    """Create the registered page layouts of every object that has none; layouts that exist stay as they are.

    Objects of the admin console get layouts only if their registration has some. Returns the API names of the objects
    that got layouts.
    """
    known = set(PageLayout.objects.values_list("of_object", flat=True))
    delivered = [
        (PageLayout(of_object=vault_object.api_name, object_type=layout.object_type, name=layout.name), layout)
        for vault_object in list_objects()
        if vault_object.api_name not in known and (vault_object.layouts or not vault_object.is_setup)
        for layout in build_default_layouts(vault_object)
    ]
    with transaction.atomic():
        create_records(records=[row for row, _ in delivered], actor=actor, reason=_DELIVERED)
        sections = [
            _build_row(layout=row, position=position, draft=draft_section(section))
            for row, layout in delivered
            for position, section in enumerate(layout.sections, start=1)
        ]
        create_records(records=sections, actor=actor, reason=_DELIVERED)
    return list(dict.fromkeys(row.of_object for row, _ in delivered))


def create_type_layout(*, layout: PageLayout, actor: Actor) -> None:
    """Save a new layout for records of one object type, with a copy of the sections of the object's layout.

    Without a name it is named after the type. Raises ValidationError if the type has a layout already,
    UnknownObjectTypeError, and LayoutNeededError if the object has no layout to copy.
    """
    row = get_object_type(object_name=layout.of_object, object_type=layout.object_type)
    source = find_layout(object_name=layout.of_object)
    if source is None:
        raise LayoutNeededError(f"{get_object(layout.of_object).title} has no page layout that could be copied.")
    layout.name = layout.name or f"{row.label} page layout"
    with transaction.atomic():
        save_record(record=layout, actor=actor)
        copies = [
            _build_row(layout=layout, position=position, draft=draft)
            for position, draft in enumerate(read_sections(source), start=1)
        ]
        create_records(records=copies, actor=actor)


def delete_layout(*, layout: PageLayout, actor: Actor) -> None:
    """Delete the layout of one object type; its records are then shown with the object's layout.

    Raises LayoutNeededError for the layout of the object itself.
    """
    if not layout.object_type:
        raise LayoutNeededError(f"{layout.name} is the layout of every type without its own; it cannot be deleted.")
    with transaction.atomic():
        for section in LayoutSection.objects.filter(layout=layout):
            delete_record(record=section, actor=actor)
        delete_record(record=layout, actor=actor)


def change_layouts(
    *, object_name: str, change: Change, actor: Actor, object_type: str | None = None
) -> list[PageLayout]:
    """Apply `change` to all layouts of an object, or only to the one that records of `object_type` have.

    Returns the layouts that changed. Raises what `save_layout` raises, and LayoutNeededError if there is no layout.
    """
    if object_type is None:
        layouts = list_layouts(object_name)
    else:
        layouts = [each for each in [find_layout(object_name=object_name, object_type=object_type)] if each]
    if not layouts:
        raise LayoutNeededError(f"{object_name} has no page layout. They are delivered by: manage.py migrate.")
    with transaction.atomic():
        return [
            layout
            for layout in layouts
            if save_layout(
                layout=layout, sections=change(read_sections(layout)), expected_version=layout.version, actor=actor
            )
        ]


def save_layout(*, layout: PageLayout, sections: Sections, expected_version: int | None, actor: Actor) -> bool:
    """Save a layout with exactly these sections in this order; True if anything was written.

    A section with the key of a stored one replaces it. Unknown fields, columns and relations may stay if they are
    stored already, but not be added. Raises ValidationError naming every problem, and StaleRecordError if somebody
    else saved the layout or a section since `expected_version`; then nothing is written.
    """
    sections = tuple(replace(section, title=section.title.strip()) for section in sections)
    with transaction.atomic():
        stored = PageLayout.objects.select_for_update().filter(pk=layout.pk).first()
        if stored is None:
            raise StaleRecordError(f"{layout.name} was deleted by somebody else; nothing was saved.")
        before = read_sections(stored)
        problems = list_layout_problems(object_name=layout.of_object, sections=sections, before=before)
        if not layout.name.strip():
            problems.insert(0, "Name: give the layout a name.")
        if problems:
            raise ValidationError(problems)
        layout.revision = stored.revision + (sections != before)
        written = save_record(record=layout, actor=actor, expected_version=expected_version)
        if sections != before:
            _write_sections(layout=layout, sections=sections, actor=actor)
        return written


def _write_sections(*, layout: PageLayout, sections: Sections, actor: Actor) -> None:
    rows = {str(row.uid): row for row in LayoutSection.objects.filter(layout=layout)}
    kept: list[LayoutSection] = []
    new: list[LayoutSection] = []
    for position, draft in enumerate(sections, start=1):
        row = rows.pop(draft.key, None)
        (new if row is None else kept).append(_build_row(layout=layout, position=position, draft=draft, row=row))
    for gone in rows.values():
        delete_record(record=gone, actor=actor)
    update_records(records=kept, actor=actor)
    create_records(records=new, actor=actor)


def _build_row(
    *, layout: PageLayout, position: int, draft: SectionDraft, row: LayoutSection | None = None
) -> LayoutSection:
    row = row or LayoutSection(layout=layout)
    row.position, row.kind, row.title = position, draft.kind, draft.title.strip()
    row.related_object, row.related_field = draft.related_object, draft.related_field
    row.items, row.prevent_creation = list(draft.items), draft.prevent_creation
    return row


# -- What is wrong with a layout ------------------------------------------------------------------
def list_layout_problems(*, object_name: str, sections: Sections, before: Sections = ()) -> list[str]:
    """Return sentences saying why these sections cannot be saved; what is in `before` already is not refused."""
    vault_object = get_object(object_name)
    configuration = load_configuration()
    fields = configuration.build_fields(vault_object)
    known = {*fields, *list_fields(before)}
    stored = {section.key: section for section in before}
    problems: list[str] = []
    for number, section in enumerate(sections, start=1):
        place = section.title or f"Section {number}"
        problems += _list_title_problems(section=section, number=number)
        if section.is_related:
            problems += _list_related_problems(
                configuration=configuration,
                vault_object=vault_object,
                section=section,
                stored=stored.get(section.key),
                place=place,
            )
        else:
            problems += [f"{place}: {_name_unknown(vault_object, name)}" for name in section.items if name not in known]
    places: dict[str, list[str]] = {}
    for section in sections:
        for name in () if section.is_related else section.items:
            places.setdefault(name, []).append(section.title)
    problems += [
        f"{_label(fields, name)} stands in {' and in '.join(titles)}: a field is on a layout once."
        for name, titles in places.items()
        if len(titles) > 1
    ]
    return problems


def _list_title_problems(*, section: SectionDraft, number: int) -> list[str]:
    longest = LayoutSection._meta.get_field("title").max_length or 0
    if not section.title:
        return [f"Section {number}: give it a title."]
    if not section.title.isprintable():
        return [f"Section {number}: its title holds characters that cannot be shown. Type it again."]
    return [f"{section.title[:40]}…: a title has at most {longest} characters."] if len(section.title) > longest else []


def _list_related_problems(
    *,
    configuration: Configuration,
    vault_object: VaultObject,
    section: SectionDraft,
    stored: SectionDraft | None,
    place: str,
) -> list[str]:
    relation = (section.related_object, section.related_field)
    problem = find_relation_problem(
        vault_object=vault_object, related_object=section.related_object, related_field=section.related_field
    )
    if problem and (stored is None or relation != (stored.related_object, stored.related_field)):
        return [f"{place}: {problem}"]
    related = find_object(section.related_object)
    if related is None:
        return []
    columns = configuration.build_fields(related)
    known = {*columns, *(stored.items if stored else ())}
    unknown = [f"{place}: {_name_unknown(related, name)}" for name in section.items if name not in known]
    twice = [name for name, count in Counter(section.items).items() if count > 1]
    return unknown + [f"{place}: the column {_label(columns, name)} is there twice; keep one." for name in twice]


def _name_unknown(vault_object: VaultObject, name: str) -> str:
    return f"{vault_object.title} has no active field {name!r}."


def _label(fields: Mapping[str, ObjectField], name: str) -> str:
    return f"{fields[name].label} ({name})" if name in fields else name
