"""Creates, changes and deletes custom fields."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.audit.services import RecordInUseError, delete_record, save_record
from ctms.configuration.custom_fields import read_field
from ctms.configuration.drafts import Sections, place_item
from ctms.configuration.fields import CUSTOM_SUFFIX
from ctms.configuration.kinds import UnknownKindError, find_custom_kind
from ctms.configuration.models import CustomField, LayoutSection, ObjectTypeField, ReasonRule
from ctms.configuration.picklists import read_picklist
from ctms.configuration.registry import get_object, list_record_objects
from ctms.configuration.selectors import find_object, list_custom_field_objects, read_sections
from ctms.configuration.services.kept_values import count_choices, count_holders, find_misfits
from ctms.configuration.services.layouts import change_layouts, save_layout
from ctms.configuration.unique_values import end_unique, hold_writes, make_unique
from ctms.configuration.uses import list_uses

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

_LONGEST_NAME = 60  # without the suffix; the model allows 61 characters before it
# Values are stored by object, name and kind; after a change they could not be found or read.
_FIXED = ("of_object", "api_name", "kind", "reference_object")
# What values of records may not fit any more once it is changed.
_RULES = ("is_unique", "max_length", "decimals", "least", "greatest", "picklist_values")


def create_custom_field(
    *, field: CustomField, actor: Actor, add_to_layouts: bool = False, default: str | None = None
) -> None:
    """Add a field to an object. An empty API name is made from the label.

    With `add_to_layouts`, the field is added at the end of the first section of fields of each page layout of the
    object. `default` is one as an admin types it. Raises ValidationError naming what is wrong.
    """
    field.api_name = field.api_name or build_api_name(field.label)
    if field.of_object not in [each.api_name for each in list_custom_field_objects()]:
        raise ValidationError(
            {"of_object": f"{field.of_object or 'No object'} takes no custom fields. Choose another."}
        )
    if number := count_holders(field):
        held = "1 record has a value" if number == 1 else f"{number:,} records have values"
        raise ValidationError({"api_name": f"{held} of a former field of this name. Choose another name."})
    _check(field=field, before=None, default=default, actor=actor)
    with transaction.atomic():
        save_record(record=field, actor=actor)
        if field.is_unique:
            make_unique(field=field, model=get_object(field.of_object).model)
        if add_to_layouts:
            change_layouts(
                object_name=field.of_object, change=lambda sections: _append(sections, field.api_name), actor=actor
            )


def update_custom_field(
    *, field: CustomField, actor: Actor, expected_version: int | None = None, default: str | None = None
) -> bool:
    """Change what a custom field is called and which values it takes; True if anything was written.

    An inactive field is on no page; its place in the layouts and its values stay. Properties that values of records do
    not fit are refused, and so is the removal of a picklist value that records have: it can be retired. Raises
    ValidationError naming what is wrong or cannot be changed.
    """
    with transaction.atomic():
        stored = CustomField.objects.filter(pk=field.pk).first()
        changed = [name for name in _FIXED if stored is not None and getattr(stored, name) != getattr(field, name)]
        if changed:
            raise ValidationError(dict.fromkeys(changed, "This cannot be changed: values are stored under it."))
        if stored is not None and any(getattr(stored, name) != getattr(field, name) for name in _RULES):
            # What others are writing is looked at, too, once they are done.
            hold_writes(get_object(field.of_object).model)
        _check(field=field, before=stored, default=default, actor=actor)
        written = save_record(record=field, actor=actor, expected_version=expected_version)
        if stored is not None and field.is_unique != stored.is_unique:
            if field.is_unique:
                make_unique(field=field, model=get_object(field.of_object).model)
            else:
                end_unique(field)
        return written


def delete_custom_field(*, field: CustomField, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a field that no record has a value in, and its place on layouts and object types.

    Raises RecordInUseError if a record has one, or if something refers to the field that would fail without it.
    """
    with transaction.atomic():
        vault_object = get_object(field.of_object)
        hold_writes(vault_object.model)
        if reason := explain_no_deletion(field):
            raise RecordInUseError(reason)
        for layout in {section.layout for section in _list_sections(field)}:
            save_layout(
                layout=layout,
                sections=_drop(read_sections(layout), owner=layout.of_object, field=field),
                expected_version=layout.version,
                actor=actor,
            )
        rows = [
            *ObjectTypeField.objects.filter(object_type__of_object=field.of_object, field_name=field.api_name),
            *ReasonRule.objects.filter(of_object=field.of_object, field_name=field.api_name),
        ]
        for row in rows:
            delete_record(record=row, actor=actor)
        delete_record(record=field, actor=actor, expected_version=expected_version)


def explain_no_deletion(field: CustomField) -> str:
    """Return why the field cannot be deleted, and what to do instead; empty if it can."""
    remedy = "Make it inactive instead: it leaves the pages, and what it holds stays."
    if number := count_holders(field):
        held = "1 record has" if number == 1 else f"{number:,} records have"
        return f"{field.label} cannot be deleted: {held} a value in it. {remedy}"
    keeping = [
        f"{use.place} {use.name}"
        for use in list_uses(object_name=field.of_object, field=read_field(field))
        if use.keeps_field
    ]
    if keeping:
        return f"{field.label} cannot be deleted: it is used by {', '.join(keeping)}. Change those first. {remedy}"
    return ""


def _check(*, field: CustomField, before: CustomField | None, default: str | None, actor: Actor) -> None:
    problems = _list_problems(field=field, before=before)
    if default is not None:
        try:
            kind = find_custom_kind(field.kind)
            field.default_value = kind.read_default(text=default, field=read_field(field), user=actor.user)
        except UnknownKindError:
            field.default_value = None  # the kind itself is refused
        except ValidationError as error:
            problems["default_value"] = " ".join(error.messages)
    if problems:
        raise ValidationError(problems)


def _list_problems(*, field: CustomField, before: CustomField | None) -> dict[str, str]:
    problems = find_misfits(field=field, before=before)
    taken = _list_standard_labels(field.of_object)
    label_is_new = before is None or before.label != field.label
    if label_is_new and field.label.strip().casefold() in taken:
        problems["label"] = (
            f"The standard field {taken[field.label.strip().casefold()]} has this label. Choose another."
        )
    if field.reference_object and field.reference_object not in [each.api_name for each in list_record_objects()]:
        problems["reference_object"] = f"There is no object {field.reference_object} to refer to. Choose another."
    kind = find_custom_kind(field.kind) if field.default_value is not None else None
    retired = [each.api_name for each in read_picklist(field.picklist_values) if not each.is_active]
    if kind is not None and any(kind.holds_choice(stored=field.default_value, choice=each) for each in retired):
        problems["default_value"] = "The default is retired. Choose another."
    if before is not None and (gone := _list_lost(field=field, before=before)):
        problems["picklist_values"] = (
            f"{'; '.join(gone)}. Retire a value that records have, or let its records get another one first."
        )
    return problems


def _list_standard_labels(object_name: str) -> dict[str, str]:
    """Return the API names of an object's standard fields, by label in small letters."""
    vault_object = find_object(object_name)
    if vault_object is None:
        return {}
    return {vault_object.get_field(name).label.casefold(): name for name in vault_object.list_field_names()}


def _list_lost(*, field: CustomField, before: CustomField) -> list[str]:
    """Return the values that are left out though records have them."""
    left = {each.api_name for each in read_picklist(field.picklist_values)}
    gone = [each for each in read_picklist(before.picklist_values) if each.api_name not in left]
    counts = count_choices(before) if gone else {}
    return [
        f"{each.label} is in {number:,} record{'' if number == 1 else 's'}"
        for each in gone
        if (number := counts.get(each.api_name, 0))
    ]


def _list_sections(field: CustomField) -> list[LayoutSection]:
    return [
        section
        for section in LayoutSection.objects.select_related("layout")
        if (section.related_object or section.layout.of_object) == field.of_object and field.api_name in section.items
    ]


def _drop(sections: Sections, *, owner: str, field: CustomField) -> Sections:
    return tuple(
        replace(section, items=tuple(name for name in section.items if name != field.api_name))
        if (section.related_object or owner) == field.of_object
        else section
        for section in sections
    )


def build_api_name(label: str) -> str:
    """Make an API name from a label: `Favourite colour` → `favourite_colour__c`; empty if it has no letter."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    words = re.sub(r"^[0-9_]+", "", words)[:_LONGEST_NAME].rstrip("_")
    return f"{words}{CUSTOM_SUFFIX}" if words else ""


def _append(sections: Sections, name: str) -> Sections:
    first = next((each for each in sections if not each.is_related), None)
    return sections if first is None else place_item(sections, name, to=first.key)
