"""The form of a record: the sections of its page, with inputs for the writable fields and the others as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict

from ctms.audit.actors import Actor
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kept_lengths import show_kept_lengths
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.kinds.picklist import PicklistField, SegmentedInput
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.values import ShownValue, ValueReader, read_value
from ctms.records.forms.child_records import ChildChange, create_with_children, save_with_children
from ctms.records.forms.form_layout import FormLayout
from ctms.records.forms.multi_reference_field import ChildRecordsField, MultiReferenceField, limit_fields

_MOST_SEGMENTS = 6
# Parameter with the fields of the submitted form: browsers do not send a checkbox that is not ticked.
SHOWN_FIELDS = "shown_fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormItem:
    """One place in a form: an input, or a value that is only shown."""

    label: str
    bound: forms.BoundField | None = None
    shown: ShownValue | None = None
    is_wide: bool = False
    has_title: bool = False  # the section's heading is its title; its own label is only for screen readers


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSection:
    """A section of a form; it has at least one item."""

    key: str
    title: str
    items: list[FormItem]


class RecordForm(forms.Form):
    """The form of one record; its inputs are named by the API names of the fields.

    `initial` overrides the values of the record; with `data` the form is bound. A field that was added to the layout
    after the form was opened is not in the data, and keeps its value. With `takes_several`, the `create_one_per`
    reference takes several records: one new record is saved for each, and `saved` holds all of them.
    """

    def __init__(
        self,
        *,
        access: ObjectAccess,
        record: Any,
        object_type: str,
        layout: FormLayout,
        data: QueryDict | None = None,
        initial: Mapping[str, Any] | None = None,
        auto_id: str = "id_%s",
        takes_several: bool = False,
    ) -> None:
        self.access, self.record, self.object_type, self.layout = access, record, object_type, layout
        self.is_new = record._state.adding  # noqa: SLF001  Django's documented API
        values = {each.api_name: _read_initial(record=record, field=each) for each in layout.writable}
        super().__init__(data=data, initial=values | dict(initial or {}), auto_id=auto_id, label_suffix="")
        for each in layout.writable:
            present = None if self.is_new else read_value(record=record, field=each)
            made = self._build_field(each, present=present, takes_several=takes_several)
            if isinstance(made, PicklistField) and made.required and self.initial.get(each.api_name):
                made.choices = made.list_choices()  # without the empty choice
            self.fields[each.api_name] = made
        show_kept_lengths(fields=self.fields, access=access, object_type=object_type)
        for picker in layout.child_pickers:
            parts = ChildRecordsField(
                picker=picker,
                access=access,
                object_type=object_type,
                record=record,
                create_one_per=access.shape.fields[self._repeated] if takes_several and self._repeated else None,
            )
            self.fields[picker.definition.name] = parts
            self.initial.setdefault(picker.definition.name, parts.earlier)
        self.saved: list[Any] = []
        if OBJECT_TYPE in self.fields:
            self.fields[OBJECT_TYPE].required = True
            self.fields[OBJECT_TYPE].widget.attrs["data-reload"] = ""
        if data is not None:
            self.data = data if self.is_new else self._complete(data)
            limit_fields(fields=self.fields, data=self.data)

    def clean(self) -> dict[str, Any]:
        """Require each required reference, unless another reference that has a value fills it."""
        super().clean()
        cleaned = dict(self.cleaned_data)
        for name, form_field in self.fields.items():
            if form_field.required and name in cleaned and cleaned[name] is None and not self._is_filled(name):
                self.add_error(name, ValidationError(form_field.error_messages["required"], code="required"))
        return self.cleaned_data

    def save(self, *, actor: Actor, expected_version: int | None = None) -> bool:
        """Write what was typed. If it is refused, add errors to the fields and return False.

        For an existing record only changed values are written. Raises AccessRefusedError and StaleRecordError.
        """
        if not self.is_valid():
            return False
        written = list(self.cleaned_data) if self.is_new else self.changed_data
        values = {
            name: self.cleaned_data[name]
            for name in written
            if not self._is_omitted(self.data, name) and not isinstance(self.fields[name], ChildRecordsField)
        }
        try:
            if self.is_new:
                is_repeated = isinstance(self.fields.get(self._repeated), MultiReferenceField)
                repeated = values.pop(self._repeated, []) if is_repeated else []
                self.saved = create_with_children(
                    access=self.access,
                    record=self.record,
                    values=values,
                    repeated=repeated,
                    parts=self._list_part_changes(),
                    actor=actor,
                )
                self.record = self.saved[0]
            else:
                save_with_children(
                    access=self.access,
                    record=self.record,
                    values=values,
                    parts=self._list_part_changes(),
                    actor=actor,
                    expected_version=expected_version,
                )
        except ValidationError as error:
            self._add_refusals(error)
            return False
        return True

    def fill(self, parameters: Mapping[str, str]) -> list[str]:
        """Fill the form from the address, including references that its records fill. Return what was not valid."""
        problems = []
        given = {name: text for name, text in parameters.items() if name in self.access.shape.fields and text}
        given = {name: text for name, text in given.items() if name in self.fields}
        for name, text in given.items():
            try:
                self.initial[name] = self.fields[name].clean(text)
            except ValidationError as error:
                problems.append(f"{self.fields[name].label}: {' '.join(error.messages)}")
                continue
            if isinstance(made := self.fields[name], ReferenceField):
                filled = made.list_filled(self.initial[name])
                self.initial.update({parent: value for parent, value in filled.items() if parent not in given})
        return problems

    def keep(self, data: QueryDict) -> None:
        """Fill the form with what was typed into another form, valid or not."""
        for name, form_field in self.fields.items():
            if not self._is_omitted(data, name):
                if isinstance(form_field, ChildRecordsField):
                    form_field.recall(data, name)
                self.initial[name] = form_field.widget.value_from_datadict(data, {}, name)

    @property
    def shown_fields(self) -> str:
        """Return the names of the fields, for the form to submit as `SHOWN_FIELDS`."""
        return " ".join(self.fields)

    def write_entry(self, name: str) -> str:
        """Return what an untouched form would submit for a field; empty if nothing."""
        form_field = self.fields[name]
        value = form_field.prepare_value(self.get_initial_for_field(form_field, name))
        if isinstance(form_field, forms.BooleanField):
            return "on" if value else ""
        written = form_field.widget.format_value(value)
        if isinstance(written, list):  # a choice field returns a list
            return str(written[0]) if written else ""
        return str(written or "")

    def use_segments(self) -> None:
        """Show the choices of short required picklists side by side."""
        for name, form_field in self.fields.items():
            if isinstance(form_field, PicklistField) and form_field.required:
                choices, icons = form_field.list_choices(), self.access.vault_object.icons.get(name, {})
                if len(choices) <= _MOST_SEGMENTS:
                    form_field.widget = SegmentedInput(choices=choices, icons=icons)

    def focus_first(self) -> None:
        """Give the first visible field the focus."""
        first = next((each for each in self.fields.values() if not each.widget.is_hidden), None)
        if first is not None:
            first.widget.attrs["autofocus"] = True

    def build_sections(self) -> list[FormSection]:
        """Return the sections that the page shows, each with its items."""
        reader = ValueReader(access=self.access)
        shown = [each for _, fields in self.layout.sections for each in fields if each.api_name not in self.fields]
        reader.load(records=[self.record], fields=shown)
        sections = []
        placed: set[str] = set()
        for number, (title, fields) in enumerate(self.layout.sections):
            items = [
                item
                for each in fields
                if each.api_name not in placed and (item := self._build_item(field=each, reader=reader)) is not None
            ]
            placed |= {each.api_name for each in fields}
            if items:
                sections.append(FormSection(key=f"form-section-{number}", title=title, items=items))
        for picker in self.layout.child_pickers:
            item = FormItem(label=picker.title, bound=self[picker.definition.name], is_wide=True, has_title=True)
            sections.append(FormSection(key=f"form-{picker.definition.name}", title=picker.title, items=[item]))
        return sections

    def _build_field(self, field: ObjectField, *, present: Any, takes_several: bool) -> forms.Field:
        if takes_several and field.api_name == self._repeated:
            required = field.is_required or field.api_name in self.access.shape.get_type(self.object_type).required
            several = MultiReferenceField(access=self.access, field=field, label=field.label, required=required)
            several.help_text = f"Several can be chosen: one {self.access.vault_object.label} is saved for each."
            value = self.initial.get(field.api_name)
            self.initial[field.api_name] = [] if value is None else [value]
            return several
        return build_form_field(access=self.access, field=field, object_type=self.object_type, present=present)

    @property
    def _repeated(self) -> str:
        return self.access.vault_object.create_one_per

    def _list_part_changes(self) -> list[ChildChange]:
        return [
            each.read_change(self.cleaned_data[name])
            for name, each in self.fields.items()
            if isinstance(each, ChildRecordsField) and not self._is_omitted(self.data, name)
        ]

    def _build_item(self, *, field: ObjectField, reader: ValueReader) -> FormItem | None:
        is_wide = kind_of(field).is_wide
        if field.api_name in self.fields:
            return FormItem(label=field.label, bound=self[field.api_name], is_wide=is_wide)
        shown = reader.show(record=self.record, field=field)
        return FormItem(label=field.label, shown=shown, is_wide=is_wide) if shown.text else None

    def _complete(self, data: QueryDict) -> QueryDict:
        """Add to the data the record's values of those fields that the submitted form did not have."""
        omitted = [
            name
            for name, each in self.fields.items()
            if self._is_omitted(data, name) and not isinstance(each, ChildRecordsField)
        ]
        if not omitted:
            return data
        completed = data.copy()
        for name in omitted:
            completed[name] = self.write_entry(name)
        return completed

    def _is_omitted(self, data: Any, name: str) -> bool:
        """Whether the submitted form did not have the field."""
        if isinstance(self.fields[name].widget, forms.CheckboxInput):
            return SHOWN_FIELDS in data and name not in data and name not in data[SHOWN_FIELDS].split()
        return bool(self.fields[name].widget.value_omitted_from_data(data, {}, name))

    def _is_filled(self, name: str) -> bool:
        return any(
            name in each.list_filled(self.cleaned_data.get(other))
            for other, each in self.fields.items()
            if isinstance(each, ReferenceField) and other in self.access.shape.fields
        )

    def _add_refusals(self, error: ValidationError) -> None:
        errors = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
        for name, found in errors.items():
            if name in self.fields:
                self.add_error(name, found)
            elif name in self.access.shape.fields:
                label = self.access.shape.fields[name].label
                self.add_error(None, [f"{label}: {text}" for each in found for text in each.messages])
            else:
                self.add_error(None, found)


def list_parents(*, access: ObjectAccess, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the references among the parameters of an address, with which another record is created too."""
    fields = access.shape.fields
    return {name: text for name, text in parameters.items() if name in fields and fields[name].reference is not None}


def _read_initial(*, record: Any, field: ObjectField) -> Any:
    return kind_of(field).trim(read_value(record=record, field=field))
