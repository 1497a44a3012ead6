"""What was typed into a form, read by its layout: cleaned values, what is wrong with them, and what is asked."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.utils import timezone

from ctms.audit.actors import Actor
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.forms.child_form import ChildRecordsForm
from ctms.records.forms.form_layout import FormLayout
from ctms.records.forms.next_step_form import NextStepForm
from ctms.records.forms.reference_limits import limit_references
from ctms.records.writing.questions import AskedValue, UnconfirmedError
from ctms.records.writing.record_change import RecordChange
from ctms.records.writing.validation import REQUIRED

# Parameter with the fields of the submitted form: browsers do not send a checkbox that is not ticked.
SHOWN_FIELDS = "shown_fields"
# Parameter of the address with what was typed into the reference that the new record is for.
TYPED = "typed"
# Parameter with the keys of questions that were answered with yes.
CONFIRMED = "confirmed"


class FormState(forms.Form):
    """The state of a form between two requests; its inputs are named by the API names of the fields.

    With `data` the form is bound. Otherwise `address`, the parameters of its address, fills it, and `kept`, what was
    typed into another form, valid or not; `problems` says what of the address was not valid. A field that was added to
    the layout after the form was opened is not in the data, and keeps its value. Child records are forms of their own
    beside it, `children`, whose errors it tells among its own. `questions` has to be answered before what was typed is
    saved.
    """

    def __init__(
        self,
        *,
        layout: FormLayout,
        data: QueryDict | None = None,
        address: Mapping[str, str] | None = None,
        kept: QueryDict | None = None,
        auto_id: str = "id_%s",
    ) -> None:
        self.layout = layout
        super().__init__(data=data, initial=dict(layout.initial), auto_id=auto_id, label_suffix="")
        self.fields = copy.deepcopy(layout.inputs)
        self._kept = kept
        self.questions: list[AskedValue] = []
        self.confirmed: list[str] = data.getlist(CONFIRMED) if data is not None else []
        if data is not None and not layout.is_new:
            self.data = self._complete(data)
        self.problems = self._fill(address or {})
        if kept is not None:
            self._keep(kept)

    @cached_property
    def chosen(self) -> dict[str, list[UUID]]:
        """What was chosen or typed in the references, as uids; each reference is limited to what fits the others."""
        if not self.is_bound:
            return {}
        return limit_references(fields=self.fields, data=self.data, fixed=self.layout.fixed)

    @cached_property
    def children(self) -> list[ChildRecordsForm]:
        data = self.data if self.is_bound else None
        return [
            ChildRecordsForm(picker=each, layout=self.layout, auto_id=str(self.auto_id), data=data, chosen=self.chosen)
            for each in self.layout.child_pickers
        ]

    @cached_property
    def next_step(self) -> NextStepForm | None:
        """The part that plans the next step; None if the form does not ask for it."""
        if self.layout.next_step is None:
            return None
        data = self.data if self.is_bound else None
        return NextStepForm(layout=self.layout, auto_id=str(self.auto_id), data=data, kept=self._kept)

    def __iter__(self) -> Iterator[BoundField]:
        """Return the inputs of the record, then those of its child records, then those of the next step."""
        yield from super().__iter__()
        yield from (each.bound_field for each in self.children)
        if self.next_step is not None:
            yield from self.next_step.list_bound()

    def full_clean(self) -> None:
        if self.is_bound:
            _ = self.chosen  # limits the references before they are cleaned
        super().full_clean()
        if self.is_bound:
            self._note_children()

    def clean(self) -> dict[str, Any]:
        """Require each required reference, unless another reference that has a value fills it."""
        super().clean()
        cleaned = dict(self.cleaned_data)
        for name, form_field in self.fields.items():
            if form_field.required and name in cleaned and cleaned[name] is None and not self._is_filled(name):
                self.add_error(name, ValidationError(form_field.error_messages["required"], code="required"))
        return self.cleaned_data

    def read_change(
        self, *, actor: Actor, expected_version: int | None = None, is_once: bool = False
    ) -> RecordChange | None:
        """Return the command that writes what was typed; None if something is wrong, which the errors say.

        For a stored record it holds only the values that differ.
        """
        if not self.is_valid():
            return None
        written = list(self.cleaned_data) if self.layout.is_new else self.changed_data
        values = {name: self.cleaned_data[name] for name in written if not self._is_omitted(self.data, name)}
        repeated = values.pop(self.layout.repeated, ())
        return RecordChange(
            access=self.layout.access,
            record=self.layout.record,
            repeated=repeated,
            values=values,
            next_values=self.next_step.read_values(values) if self.next_step is not None else None,
            children=[each.read_change() for each in self.children],
            actor=actor,
            expected_version=expected_version,
            confirmed=self.confirmed,
            is_once=is_once,
        )

    def refuse(self, error: ValidationError) -> None:
        """Note what the command was refused for: errors beside their fields, or questions."""
        if isinstance(error, UnconfirmedError):
            self.questions = list(error.asked)
            return
        errors = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
        children = {each.name: each for each in self.children}
        for name, found in errors.items():
            if name in children:
                children[name].add_error(name, found)
            elif name in self.fields:
                self.add_error(name, [self._word(name, each) for each in found])
            else:
                self._refuse_other(name, found)
        self._note_children()

    @property
    def told(self) -> list[str]:
        """What users are told once it is saved, each a sentence: when the next step is, how unclear dates were read."""
        found = ((each.label, getattr(each, "told", "")) for each in self.fields.values())
        planned = self.next_step.told if self.next_step is not None else []
        return [*(f"{label}: {told}" for label, told in found if told), *planned]

    @property
    def shown_fields(self) -> str:
        """Return the names of the fields, for the form to submit as `SHOWN_FIELDS`."""
        return " ".join([*self.fields, *(each.name for each in self.children)])

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

    def _fill(self, address: Mapping[str, str]) -> list[str]:
        """Fill the form from the address, including references that its records fill. Return what was not valid."""
        problems = []
        given = {name: text for name, text in address.items() if name in self.fields and text}
        for name, text in given.items():
            try:
                self.initial[name] = self.fields[name].clean(text)
            except ValidationError as error:
                problems.append(f"{self.fields[name].label}: {' '.join(error.messages)}")
                continue
            if isinstance(made := self.fields[name], ReferenceField):
                filled = made.list_filled(self.initial[name])
                for parent in filled.keys() - given.keys():
                    several = parent == self.layout.repeated
                    self.initial[parent] = [filled[parent]] if several else filled[parent]
        for name, day in self.layout.done_by.items():
            if name not in given and isinstance(self.initial[day], dt.date):
                self.initial[name] = self.initial[day] <= timezone.localdate()
        self._take_over(address.get(TYPED, "").strip())
        return problems

    def _take_over(self, typed: str) -> None:
        """Fill the form with what was typed to find the record, as far as the object reads it."""
        taken = self.layout.access.vault_object.take_over(typed) if typed else {}
        for name, text in taken.items():
            if name not in self.fields:
                continue
            try:
                self.initial[name] = self.fields[name].clean(text)
            except ValidationError:
                self.initial[name] = text  # to be corrected

    def _keep(self, data: QueryDict) -> None:
        for name, form_field in self.fields.items():
            if not self._is_omitted(data, name):
                self.initial[name] = form_field.widget.value_from_datadict(data, {}, name)
        for each in self.children:
            each.keep(data)

    def _complete(self, data: QueryDict) -> QueryDict:
        """Add to the data the record's values of those fields that the submitted form did not have."""
        omitted = [name for name in self.fields if self._is_omitted(data, name)]
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
            if isinstance(each, ReferenceField)
        )

    def _note_children(self) -> None:
        for each in self.children:
            self.errors.update(each.errors)
        if self.next_step is not None:
            self.errors.update(self.next_step.errors)

    def _word(self, name: str, error: ValidationError) -> ValidationError:
        """Return the error; one that only says that a value is missing says what to choose."""
        is_missing = error.messages == [REQUIRED]
        return ValidationError(self.fields[name].error_messages["required"]) if is_missing else error

    def _refuse_other(self, name: str, found: list[ValidationError]) -> None:
        """Add errors of a field that the form does not have: to its only field, or above all."""
        fields = self.layout.access.shape.fields
        label = f"{fields[name].label}: " if name in fields else ""
        place = next(iter(self.fields)) if len(self.fields) == 1 else None
        self.add_error(place, [f"{label}{text}" for each in found for text in each.messages])
