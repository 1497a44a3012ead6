"""Builds the layout of a record's form: the fields of its page layout or the quick fields, and all required ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.values import read_value
from ctms.records.forms.child_records import ChildPickerAccess, open_child_pickers

_ALSO_NEEDED = "Also needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLayout:
    """The fields of a form, by section. `writable` are those that users can set; child pickers stand below."""

    sections: list[tuple[str, list[ObjectField]]]
    writable: list[ObjectField] = field(default_factory=list)
    child_pickers: list[ChildPickerAccess] = field(default_factory=list)


def build_page_layout(*, access: ObjectAccess, record: Any, object_type: str) -> FormLayout:
    """Build the form of the type's page layout, with required fields that it lacks at the end."""
    shape = access.shape
    assigned = shape.get_type(object_type).fields
    sections = [
        (section.title, [each for each in section.fields if each.api_name in assigned])
        for section in shape.get_layout(object_type).sections
        if section.related is None
    ]
    layout = _complete_layout(access=access, record=record, object_type=object_type, sections=sections)
    return replace(layout, child_pickers=open_child_pickers(access=access, object_type=object_type))


def build_quick_layout(*, access: ObjectAccess, record: Any, object_type: str) -> FormLayout:
    """Build the form of the object's quick fields, with required fields that these lack at the end."""
    assigned = access.shape.get_type(object_type).fields
    quick = [access.shape.fields[name] for name in access.vault_object.quick_fields if name in assigned]
    return _complete_layout(access=access, record=record, object_type=object_type, sections=[("", quick)])


def _complete_layout(
    *, access: ObjectAccess, record: Any, object_type: str, sections: list[tuple[str, list[ObjectField]]]
) -> FormLayout:
    type_shape = access.shape.get_type(object_type)
    held = {each.api_name for _, fields in sections for each in fields}
    needed = [
        each
        for each in access.shape.list_type_fields(object_type)
        if each.api_name not in held
        and not each.is_read_only
        and (each.is_required or each.api_name in type_shape.required)
        and read_value(record=record, field=each) in (None, "")
    ]
    if needed:
        sections = [*sections, (_ALSO_NEEDED, needed)]
    fields = dict.fromkeys(each.api_name for _, section in sections for each in section)
    writable = [access.shape.fields[name] for name in fields if not access.shape.fields[name].is_read_only]
    if OBJECT_TYPE in fields and len(_list_types(access=access, object_type=object_type)) > 1:
        writable.append(access.shape.fields[OBJECT_TYPE])
    return FormLayout(sections=sections, writable=writable)


def _list_types(*, access: ObjectAccess, object_type: str) -> set[str]:
    return {each.api_name for each in access.list_creatable_types()} | {object_type}
