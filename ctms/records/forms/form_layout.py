"""What a form asks: of a record of which type, which fields in which sections, and which child records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.references import get_reference_choices, list_scopes
from ctms.records.fields.values import read_value
from ctms.records.writing.child_records import ChildPickerAccess, open_child_pickers
from ctms.records.writing.services import build_clone, build_record, drop_unfit_references

_ALSO_NEEDED = "Also needed"

Sections = list[tuple[str, list[ObjectField]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLayout:
    """A form of one record, new or stored: its fields by section, those of them that users set, and child pickers.

    `object_type` is the type that the form is for, which may differ from that of the stored record. `repeated` names
    the reference of which the form takes several records, to create a record for each. `fixed` maps references that the
    form does not ask for to uids, which limit the choices of those that it does.
    """

    access: ObjectAccess
    record: Any
    object_type: str
    sections: Sections
    writable: list[ObjectField] = field(default_factory=list)
    child_pickers: list[ChildPickerAccess] = field(default_factory=list)
    repeated: str = ""
    fixed: dict[str, Any] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        return bool(self.record._state.adding)  # noqa: SLF001  Django's documented API

    def is_required(self, field: ObjectField) -> bool:
        """Whether the object or its type requires a value of the field."""
        return field.is_required or field.api_name in self.access.shape.get_type(self.object_type).required


def build_new_layout(*, access: ObjectAccess, object_type: str, takes_several: bool) -> FormLayout:
    """Build the form of a new record. Raises AccessRefusedError."""
    record = build_record(access=access, object_type=object_type)
    repeated = access.vault_object.create_one_per if takes_several else ""
    return build_page_layout(access=access, record=record, object_type=object_type, repeated=repeated)


def build_clone_layout(*, access: ObjectAccess, original: Any, object_type: str) -> FormLayout:
    """Build the form of a new record that has the values of another. Raises AccessRefusedError."""
    clone = build_clone(access=access, record=original)
    clone.object_type = object_type
    layout = build_page_layout(access=access, record=clone, object_type=object_type)
    drop_unfit_references(access=access, record=clone, shown={each.api_name for each in layout.writable})
    # A reference that was emptied may be one that is needed.
    return build_page_layout(access=access, record=clone, object_type=object_type)


def build_page_layout(*, access: ObjectAccess, record: Any, object_type: str, repeated: str = "") -> FormLayout:
    """Build the form of the type's page layout, with required fields that it lacks at the end."""
    shape = access.shape
    assigned = shape.get_type(object_type).fields
    sections = [
        (section.title, [each for each in section.fields if each.api_name in assigned])
        for section in shape.get_layout(object_type).sections
        if section.related is None
    ]
    sections += _list_needed(access=access, record=record, object_type=object_type, sections=sections)
    return FormLayout(
        access=access,
        record=record,
        object_type=object_type,
        sections=sections,
        writable=_list_writable(access=access, object_type=object_type, sections=sections),
        child_pickers=open_child_pickers(access=access, object_type=object_type),
        repeated=repeated,
    )


def build_quick_layout(*, access: ObjectAccess, object_type: str) -> FormLayout:
    """Build the form of the object's quick fields, with required fields that these lack. Raises AccessRefusedError."""
    record = build_record(access=access, object_type=object_type)
    assigned = access.shape.get_type(object_type).fields
    quick = [access.shape.fields[name] for name in access.vault_object.quick_fields if name in assigned]
    sections: Sections = [("", quick)]
    sections += _list_needed(access=access, record=record, object_type=object_type, sections=sections)
    return FormLayout(
        access=access,
        record=record,
        object_type=object_type,
        sections=sections,
        writable=_list_writable(access=access, object_type=object_type, sections=sections),
    )


def build_field_layout(*, access: ObjectAccess, record: Any, field: ObjectField) -> FormLayout:
    """Build the form of one field of a stored record."""
    shape = access.shape
    parents = [scope.parent for scope in list_scopes(shape=shape, field=field)]
    if offer := get_reference_choices(shape=shape, field=field):
        parents.append(shape.fields[offer.by])
    limiting = {each.api_name: getattr(record, each.attribute) for each in parents}
    return FormLayout(
        access=access,
        record=record,
        object_type=getattr(record, "object_type", ""),
        sections=[("", [field])],
        writable=[field],
        fixed={name: value.uid for name, value in limiting.items() if value is not None},
    )


def _list_needed(*, access: ObjectAccess, record: Any, object_type: str, sections: Sections) -> Sections:
    """Return a section of the fields that the record cannot be saved without, and that the others lack, if any."""
    required = access.shape.get_type(object_type).required
    held = {each.api_name for _, fields in sections for each in fields}
    needed = [
        each
        for each in access.shape.list_type_fields(object_type)
        if each.api_name not in held
        and not each.is_read_only
        and (each.is_required or each.api_name in required)
        and read_value(record=record, field=each) in (None, "")
    ]
    return [(_ALSO_NEEDED, needed)] if needed else []


def _list_writable(*, access: ObjectAccess, object_type: str, sections: Sections) -> list[ObjectField]:
    fields = access.shape.fields
    names = dict.fromkeys(each.api_name for _, section in sections for each in section)
    writable = [fields[name] for name in names if not fields[name].is_read_only]
    types = {each.api_name for each in access.list_creatable_types()} | {object_type}
    if OBJECT_TYPE in names and len(types) > 1:
        writable.append(fields[OBJECT_TYPE])
    return writable
