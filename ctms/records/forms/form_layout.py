"""What a form asks: of a record of which type, which fields in which sections, and which child records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django import forms
from django.utils import timezone

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.form_offers import NextStep
from ctms.configuration.record_head import STATUS
from ctms.records.access import ObjectAccess
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kept_lengths import show_kept_lengths
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.kinds.picklist import PicklistField
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.references import get_reference_choices, list_scopes
from ctms.records.fields.users import list_place_fields, names_user
from ctms.records.fields.values import read_value
from ctms.records.forms.multi_reference_field import MultiReferenceField
from ctms.records.forms.reference_limits import LimitedReferenceInput
from ctms.records.writing.child_records import ChildPickerAccess, open_child_pickers
from ctms.records.writing.services import build_clone, drop_unfit_references

_ALSO_NEEDED = "Also needed"

Sections = Sequence[tuple[str, Sequence[ObjectField]]]


@dataclass(frozen=True, kw_only=True)
class FormLayout:
    """A form of one record, new or stored. The form of each kind of page is a class of its own.

    `object_type` is the type that the form is for, which may differ from that of the stored record. `suggested` maps
    API names to values that a new record begins with. `repeated` names the reference of which the form takes several
    records, to create a record for each.
    """

    access: ObjectAccess
    record: Any
    object_type: str
    suggested: Mapping[str, Any] = field(default_factory=dict)
    repeated: str = ""

    @property
    def is_new(self) -> bool:
        return bool(self.record._state.adding)  # noqa: SLF001  Django's documented API

    @cached_property
    def sections(self) -> Sections:
        """The fields of the form, by the title of their section."""
        raise NotImplementedError

    @cached_property
    def child_pickers(self) -> list[ChildPickerAccess]:
        """The child records that are picked on the form, below its sections."""
        return []

    @cached_property
    def fixed(self) -> Mapping[str, Any]:
        """References that the form does not ask for, but that limit the choices of those that it does, as uids."""
        return {}

    @cached_property
    def writable(self) -> list[ObjectField]:
        """The fields that users set."""
        fields = self.access.shape.fields
        names = dict.fromkeys(each.api_name for _, section in self.sections for each in section)
        writable = [fields[name] for name in names if not fields[name].is_read_only]
        types = {each.api_name for each in self.access.list_creatable_types()} | {self.object_type}
        if OBJECT_TYPE in names and len(types) > 1:
            writable.append(fields[OBJECT_TYPE])
        return writable

    @cached_property
    def initial(self) -> dict[str, Any]:
        """What the inputs hold before anybody types, by name."""
        stored = {each.api_name: read_value(record=self.record, field=each) for each in self.writable}
        values = {each.api_name: kind_of(each).trim(stored[each.api_name]) for each in self.writable}
        values |= {name: value for name, value in self.suggested.items() if name in values}
        if self.repeated in values:
            values[self.repeated] = [] if values[self.repeated] is None else [values[self.repeated]]
        return values

    @property
    def next_step(self) -> NextStep | None:
        """What the form can plan along with a new record; None where it does not ask for it."""
        return self.access.vault_object.next_step if self.is_new and self.suggested else None

    @cached_property
    def done_by(self) -> Mapping[str, str]:
        """The yes/no fields that follow a date of the form until the user decides: API name → that of the date."""
        declared = self.access.vault_object.done_by.items()
        return {name: day for name, day in declared if {name, day} <= self.initial.keys() & self.suggested.keys()}

    @cached_property
    def inputs(self) -> dict[str, forms.Field]:
        """A form field for each field that users set, by API name, of which each form takes copies."""
        inputs = {each.api_name: self._build_input(each) for each in self.writable}
        show_kept_lengths(fields=inputs, access=self.access, object_type=self.object_type)
        return inputs

    def _build_input(self, field: ObjectField) -> forms.Field:
        access, name = self.access, field.api_name
        made: forms.Field
        if name == self.repeated:
            made = MultiReferenceField(access=access, field=field, label=field.label, required=self._is_required(field))
            made.help_text = f"Several can be chosen: one {access.vault_object.label} is saved for each."
        else:
            present = None if self.is_new else read_value(record=self.record, field=field)
            made = build_form_field(
                access=access, field=field, object_type=self.object_type, chosen=self.fixed, present=present
            )
            if self.fixed and isinstance(made, ReferenceField):
                made.widget = LimitedReferenceInput(field=made, fixed=self.fixed)
        if self.is_new and name in self.done_by:
            made.widget.attrs |= {"data-done-by": self.done_by[name], "data-today": timezone.localdate().isoformat()}
        if name == OBJECT_TYPE:
            made.required = True
            made.widget.attrs["data-reload"] = ""
        made.error_messages["required"] = kind_of(field).explain_missing(made)
        if isinstance(made, PicklistField) and made.required and self.initial[name]:
            made.choices = made.list_choices()  # without the empty choice
        return made

    def _is_required(self, field: ObjectField) -> bool:
        return field.is_required or field.api_name in self.access.shape.get_type(self.object_type).required

    def _complete(self, sections: Sections) -> Sections:
        """Add a section of the fields that the record cannot be saved without, and that the others lack, if any."""
        held = {each.api_name for _, fields in sections for each in fields}
        needed = [
            each
            for each in self.access.shape.list_type_fields(self.object_type)
            if each.api_name not in held
            and not each.is_read_only
            and self._is_required(each)
            and read_value(record=self.record, field=each) in (None, "")
        ]
        return [*sections, (_ALSO_NEEDED, needed)] if needed else sections


class PageLayout(FormLayout):
    """The page layout of the object type, with required fields that it lacks at the end."""

    @cached_property
    def sections(self) -> Sections:
        shape = self.access.shape
        assigned = shape.get_type(self.object_type).fields
        if self.is_new:
            assigned -= {STATUS}  # a new record is Active
        return self._complete(
            [
                (section.title, [each for each in section.fields if each.api_name in assigned])
                for section in shape.get_layout(self.object_type).sections
                if section.related is None
            ]
        )

    @cached_property
    def child_pickers(self) -> list[ChildPickerAccess]:
        return open_child_pickers(access=self.access, object_type=self.object_type)


class QuickLayout(FormLayout):
    """The quick fields of the object, with required fields that these lack at the end."""

    @cached_property
    def sections(self) -> Sections:
        shape = self.access.shape
        assigned = shape.get_type(self.object_type).fields
        quick = [shape.fields[name] for name in self.access.vault_object.quick_fields if name in assigned]
        return self._complete([("", quick)])


@dataclass(frozen=True, kw_only=True)
class FieldLayout(FormLayout):
    """One field of a stored record."""

    field: ObjectField

    @cached_property
    def sections(self) -> Sections:
        return [("", [self.field])]

    @cached_property
    def fixed(self) -> Mapping[str, Any]:
        shape = self.access.shape
        parents = [scope.parent for scope in list_scopes(shape=shape, field=self.field)]
        if offer := get_reference_choices(shape=shape, field=self.field):
            parents.append(shape.fields[offer.by])
        if names_user(self.field):
            parents += list_place_fields(shape)
        limiting = {each.api_name: getattr(self.record, each.attribute) for each in parents}
        return {name: value.uid for name, value in limiting.items() if value is not None}


def build_clone_layout(*, access: ObjectAccess, original: Any, object_type: str) -> FormLayout:
    """Build the form of a new record that has the values of another. Raises AccessRefusedError."""
    clone = build_clone(access=access, record=original)
    clone.object_type = object_type
    layout = PageLayout(access=access, record=clone, object_type=object_type)
    drop_unfit_references(access=access, record=clone, shown={each.api_name for each in layout.writable})
    # A reference that was emptied may be one that is needed: the layout is built anew.
    return PageLayout(access=access, record=clone, object_type=object_type)
