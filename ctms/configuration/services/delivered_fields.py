"""Adds fields that a new version delivers to the page layouts that are stored, once, where an admin may remove them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import transaction

from ctms.configuration.drafts import SectionDraft, Sections, find_field, list_fields, replace_section
from ctms.configuration.layouts import FieldSection, Layout
from ctms.configuration.models import DeliveredField, PageLayout
from ctms.configuration.registry import VaultObject, list_objects
from ctms.configuration.selectors import read_sections
from ctms.configuration.services.layouts import save_layout
from ctms.configuration.snapshot import build_default_layouts

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

# Fields that were added to the delivered layouts before the Vault remembered which it had put there, by object.
_ADDED_LATER: dict[str, frozenset[str]] = {
    "site__v": frozenset({"ownerid__v"}),
    "monitoring_event__ctms": frozenset({"ownerid__v"}),
    "crm_activity__v": frozenset({"ownerid__v"}),
    "person__sys": frozenset({"user__sys"}),
}


def deliver_layout_fields(*, actor: Actor, new_objects: Sequence[str] = ()) -> None:
    """Add to the stored layouts the delivered fields that were never put there, each next to its neighbour.

    `new_objects` are those whose layouts have just been delivered, with all of their fields. What an admin has removed
    is not added again.
    """
    with transaction.atomic():
        known: dict[str, set[str]] = {}
        for object_name, name in DeliveredField.objects.values_list("of_object", "field_name"):
            known.setdefault(object_name, set()).add(name)
        stored = list(PageLayout.objects.select_for_update())
        for vault_object in list_objects():
            layouts = [each for each in stored if each.of_object == vault_object.api_name]
            if layouts:
                is_new = vault_object.api_name in new_objects
                _deliver(vault_object, layouts, known=known.get(vault_object.api_name), is_new=is_new, actor=actor)


def _deliver(
    vault_object: VaultObject, layouts: Sequence[PageLayout], *, known: set[str] | None, is_new: bool, actor: Actor
) -> None:
    delivered = {layout.object_type: layout for layout in build_default_layouts(vault_object)}
    names = {name for layout in delivered.values() for name in _list_names(layout)}
    if known is None:
        known = names if is_new else names - _ADDED_LATER.get(vault_object.api_name, frozenset())
        DeliveredField.objects.bulk_create(
            [DeliveredField(of_object=vault_object.api_name, field_name=name) for name in sorted(known)]
        )
    new = names - known
    if not new:
        return
    for row in layouts:
        layout = delivered.get(row.object_type) or delivered[""]
        before = read_sections(row)
        after = add_fields(before, layout=layout, names=new)
        if after != before:
            save_layout(layout=row, sections=after, expected_version=None, actor=actor)
    DeliveredField.objects.bulk_create(
        [DeliveredField(of_object=vault_object.api_name, field_name=name) for name in sorted(new)]
    )


def add_fields(sections: Sections, *, layout: Layout, names: set[str]) -> Sections:
    """Return the sections with those of the named fields that the delivered layout has and they lack.

    A field stands behind the nearest one before it in the delivered layout that is there, or else at the end of the
    first section of fields. Without such a section there is no place for it.
    """
    for section in layout.sections:
        if not isinstance(section, FieldSection):
            continue
        for position, name in enumerate(section.fields):
            if name in names and name not in list_fields(sections):
                sections = _add_field(sections, name=name, before=section.fields[:position])
    return sections


def _add_field(sections: Sections, *, name: str, before: Sequence[str]) -> Sections:
    for neighbour in reversed(before):
        home = find_field(sections, neighbour)
        if home is not None:
            return _put(sections, home, name=name, position=home.items.index(neighbour) + 1)
    first = next((each for each in sections if not each.is_related), None)
    return _put(sections, first, name=name, position=len(first.items)) if first is not None else sections


def _put(sections: Sections, home: SectionDraft, *, name: str, position: int) -> Sections:
    return replace_section(sections, replace(home, items=(*home.items[:position], name, *home.items[position:])))


def _list_names(layout: Layout) -> list[str]:
    return [name for section in layout.sections if isinstance(section, FieldSection) for name in section.fields]
