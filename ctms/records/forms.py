"""The form of a record: the sections of its page, with what can be typed as entries and the rest as it is shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict

from ctms.audit.actors import Actor
from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.formfields import PicklistField, SegmentedInput, build_form_field
from ctms.records.formplans import OBJECT_TYPE, FormPlan
from ctms.records.partentries import PartChange, write_each, write_with_parts
from ctms.records.referencefields import ReferenceField
from ctms.records.severalfields import PartsField, SeveralField, narrow_fields
from ctms.records.values import ShownValue, ValueReader, read_value

_MOST_SEGMENTS = 6
# Which fields a form was sent with: a box that is not ticked is not sent, and cannot tell by itself that it was there.
SHOWN_FIELDS = "shown_fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormItem:
    """A place of a form: a field to fill, or a value that is only shown."""

    label: str
    bound: forms.BoundField | None = None
    shown: ShownValue | None = None
    is_wide: bool = False
    has_title: bool = False  # of its section, so that its own is only spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSection:
    """A section of a form; sections without places are left out."""

    key: str
    title: str
    items: list[FormItem]


class RecordForm(forms.Form):
    """The entries of one record, named by the API names of its fields.

    `initial` is put over the values of the record; with `data` the form is bound. A field that came to the layout after
    somebody opened the form is not in the data: it stays as it is. With `takes_several` the reference by which a new
    record is repeated takes several: one record is saved for each, and `saved` are all of them.
    """

    def __init__(
        self,
        *,
        access: ObjectAccess,
        record: Any,
        object_type: str,
        plan: FormPlan,
        data: QueryDict | None = None,
        initial: Mapping[str, Any] | None = None,
        auto_id: str = "id_%s",
        takes_several: bool = False,
    ) -> None:
        self.access, self.record, self.object_type, self.plan = access, record, object_type, plan
        self.is_new = record._state.adding  # noqa: SLF001  Django's documented API
        values = {each.api_name: _read_initial(record=record, field=each) for each in plan.writable}
        super().__init__(data=data, initial=values | dict(initial or {}), auto_id=auto_id, label_suffix="")
        for each in plan.writable:
            present = None if self.is_new else read_value(record=record, field=each)
            made = self._build_field(each, present=present, takes_several=takes_several)
            if isinstance(made, PicklistField) and made.required and self.initial.get(each.api_name):
                made.choices = made.list_choices()  # there is no way back to nothing
            self.fields[each.api_name] = made
        for part in plan.parts:
            parts = PartsField(
                plan=part,
                access=access,
                object_type=object_type,
                record=record,
                repeated_by=access.shape.fields[self._repeated] if takes_several and self._repeated else None,
            )
            self.fields[part.entry.name] = parts
            self.initial.setdefault(part.entry.name, parts.earlier)
        self.saved: list[Any] = []
        if OBJECT_TYPE in self.fields:
            self.fields[OBJECT_TYPE].required = True
            self.fields[OBJECT_TYPE].widget.attrs["data-reload"] = ""
        if data is not None:
            self.data = data if self.is_new else self._complete(data)
            narrow_fields(fields=self.fields, data=self.data)

    def clean(self) -> dict[str, Any]:
        """References that are required may be left to another that fills them, but to none that is left empty too."""
        super().clean()
        cleaned = dict(self.cleaned_data)
        for name, form_field in self.fields.items():
            if form_field.required and name in cleaned and cleaned[name] is None and not self._is_filled(name):
                self.add_error(name, ValidationError(form_field.error_messages["required"], code="required"))
        return self.cleaned_data

    def save(self, *, actor: Actor, expected_version: int | None = None) -> bool:
        """Write what was typed; False, with the errors beside the fields, if it was refused.

        Of a record that exists only what was changed is written. Raises AccessRefusedError and StaleRecordError.
        """
        if not self.is_valid():
            return False
        written = list(self.cleaned_data) if self.is_new else self.changed_data
        values = {
            name: self.cleaned_data[name]
            for name in written
            if not self._is_omitted(self.data, name) and not isinstance(self.fields[name], PartsField)
        }
        try:
            if self.is_new:
                is_repeated = isinstance(self.fields.get(self._repeated), SeveralField)
                repeated = values.pop(self._repeated, []) if is_repeated else []
                self.saved = write_each(
                    access=self.access,
                    record=self.record,
                    values=values,
                    repeated=repeated,
                    parts=self._list_part_changes(),
                    actor=actor,
                )
                self.record = self.saved[0]
            else:
                write_with_parts(
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
        """Begin with what an address gives, and with what follows from it; returns what could not be understood."""
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
                self.initial.update({wider: value for wider, value in filled.items() if wider not in given})
        return problems

    def keep(self, data: QueryDict) -> None:
        """Begin with what was typed into another form, be it right or wrong."""
        for name, form_field in self.fields.items():
            if not self._is_omitted(data, name):
                if isinstance(form_field, PartsField):
                    form_field.recall(data, name)
                self.initial[name] = form_field.widget.value_from_datadict(data, {}, name)

    @property
    def shown_fields(self) -> str:
        """The names of the fields, as the form sends them along."""
        return " ".join(self.fields)

    def write_entry(self, name: str) -> str:
        """What a field begins with, as an untouched form sends it; empty: nothing is sent."""
        form_field = self.fields[name]
        value = form_field.prepare_value(self.get_initial_for_field(form_field, name))
        if isinstance(form_field, forms.BooleanField):
            return "on" if value else ""
        written = form_field.widget.format_value(value)
        if isinstance(written, list):  # of a choice
            return str(written[0]) if written else ""
        return str(written or "")

    def use_segments(self) -> None:
        """Show the choices of short picklists side by side, each one click away."""
        for name, form_field in self.fields.items():
            if isinstance(form_field, PicklistField) and form_field.required:
                choices, icons = form_field.list_choices(), self.access.vault_object.icons.get(name, {})
                if len(choices) <= _MOST_SEGMENTS:
                    form_field.widget = SegmentedInput(choices=choices, icons=icons)

    def focus_first(self) -> None:
        """Begin to type without a click."""
        first = next((each for each in self.fields.values() if not each.widget.is_hidden), None)
        if first is not None:
            first.widget.attrs["autofocus"] = True

    def build_sections(self) -> list[FormSection]:
        """The form as a page shows it."""
        reader = ValueReader(access=self.access)
        shown = [each for _, fields in self.plan.sections for each in fields if each.api_name not in self.fields]
        reader.load(records=[self.record], fields=shown)
        sections = []
        placed: set[str] = set()
        for number, (title, fields) in enumerate(self.plan.sections):
            items = [
                item
                for each in fields
                if each.api_name not in placed and (item := self._build_item(field=each, reader=reader)) is not None
            ]
            placed |= {each.api_name for each in fields}
            if items:
                sections.append(FormSection(key=f"form-section-{number}", title=title, items=items))
        for part in self.plan.parts:
            item = FormItem(label=part.title, bound=self[part.entry.name], is_wide=True, has_title=True)
            sections.append(FormSection(key=f"form-{part.entry.name}", title=part.title, items=[item]))
        return sections

    def _build_field(self, field: ObjectField, *, present: Any, takes_several: bool) -> forms.Field:
        if takes_several and field.api_name == self._repeated:
            required = field.is_required or field.api_name in self.access.shape.get_type(self.object_type).required
            several = SeveralField(access=self.access, field=field, label=field.label, required=required)
            several.help_text = f"Several can be chosen: one {self.access.vault_object.label} is saved for each."
            value = self.initial.get(field.api_name)
            self.initial[field.api_name] = [] if value is None else [value]
            return several
        return build_form_field(access=self.access, field=field, object_type=self.object_type, present=present)

    @property
    def _repeated(self) -> str:
        return self.access.vault_object.repeated_by

    def _list_part_changes(self) -> list[PartChange]:
        return [
            each.read_change(self.cleaned_data[name])
            for name, each in self.fields.items()
            if isinstance(each, PartsField) and not self._is_omitted(self.data, name)
        ]

    def _build_item(self, *, field: ObjectField, reader: ValueReader) -> FormItem | None:
        is_wide = field.kind == FieldKind.LONG_TEXT
        if field.api_name in self.fields:
            return FormItem(label=field.label, bound=self[field.api_name], is_wide=is_wide)
        shown = reader.show(record=self.record, field=field)
        return FormItem(label=field.label, shown=shown, is_wide=is_wide) if shown.text else None

    def _complete(self, data: QueryDict) -> QueryDict:
        """The data with the record's own values of those fields that the form did not hold."""
        omitted = [
            name
            for name, each in self.fields.items()
            if self._is_omitted(data, name) and not isinstance(each, PartsField)
        ]
        if not omitted:
            return data
        completed = data.copy()
        for name in omitted:
            completed[name] = self.write_entry(name)
        return completed

    def _is_omitted(self, data: Any, name: str) -> bool:
        """Whether what was sent comes from a form without the field."""
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
    """The references among the parameters of an address: what a further record is created with, too."""
    fields = access.shape.fields
    return {name: text for name, text in parameters.items() if name in fields and fields[name].reference is not None}


def _read_initial(*, record: Any, field: ObjectField) -> Any:
    value = read_value(record=record, field=field)
    # Entries have no seconds; they would seem to have been changed.
    return value.replace(second=0, microsecond=0) if isinstance(value, dt.datetime) else value
