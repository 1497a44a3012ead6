"""Which fields the form of a record has: those of its layout, or few of them, and what it cannot be saved without."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.partentries import PartPlan, plan_parts
from ctms.records.values import read_value

OBJECT_TYPE = "object_type__v"
_ALSO_NEEDED = "Also needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPlan:
    """Which fields a form has, by section; `writable` are those that can be typed, `parts` entries after them."""

    sections: list[tuple[str, list[ObjectField]]]
    writable: list[ObjectField] = field(default_factory=list)
    parts: list[PartPlan] = field(default_factory=list)


def plan_page(*, access: ObjectAccess, record: Any, object_type: str) -> FormPlan:
    """The fields that the layout of the type holds, and after them those without which the record cannot be saved."""
    shape = access.shape
    assigned = shape.get_type(object_type).fields
    sections = [
        (section.title, [each for each in section.fields if each.api_name in assigned])
        for section in shape.get_layout(object_type).sections
        if section.related is None
    ]
    plan = _complete_plan(access=access, record=record, object_type=object_type, sections=sections)
    return replace(plan, parts=plan_parts(access=access, object_type=object_type))


def plan_quick(*, access: ObjectAccess, record: Any, object_type: str) -> FormPlan:
    """The fields by which the object is logged quickly, and those without which the record cannot be saved."""
    assigned = access.shape.get_type(object_type).fields
    quick = [access.shape.fields[name] for name in access.vault_object.quick_fields if name in assigned]
    return _complete_plan(access=access, record=record, object_type=object_type, sections=[("", quick)])


def _complete_plan(
    *, access: ObjectAccess, record: Any, object_type: str, sections: list[tuple[str, list[ObjectField]]]
) -> FormPlan:
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
    return FormPlan(sections=sections, writable=writable)


def _list_types(*, access: ObjectAccess, object_type: str) -> set[str]:
    return {each.api_name for each in access.list_creatable_types()} | {object_type}
