"""What was typed into a form, read by its layout: cleaned values, what is wrong with them, and what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.boundfield import BoundField
from django.http import QueryDict

from ctms.audit.actors import Actor
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kept_lengths import show_kept_lengths
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.kinds.picklist import PicklistField
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.values import read_value
from ctms.records.forms.child_form import ChildRecordsForm
from ctms.records.forms.form_layout import FormLayout
from ctms.records.forms.multi_reference_field import MultiReferenceField
from ctms.records.forms.reference_limits import LimitedReferenceInput, limit_references
from ctms.records.writing.questions import AskedValue, UnconfirmedError
from ctms.records.writing.record_change import RecordChange
from ctms.records.writing.validation import REQUIRED

# Parameter with the fields of the submitted form: browsers do not send a checkbox that is not ticked.
SHOWN_FIELDS = "shown_fields"
# Parameter with the keys of questions that were answered with yes.
CONFIRMED = "confirmed"
_MOST_NAMED = 8  # choices that a message lists


class FormState(forms.Form):
    """The state of a form between two requests; its inputs are named by the API names of the fields.

    `initial` overrides the values of the record; with `data` the form is bound. A field that was added to the layout
    after the form was opened is not in the data, and keeps its value. Child records are forms of their own beside it,
    `children`, whose errors it tells among its own. `questions` has to be answered before what was typed is saved.
    """

    def __init__(
        self,
        *,
        layout: FormLayout,
        data: QueryDict | None = None,
        initial: Mapping[str, Any] | None = None,
        auto_id: str = "id_%s",
    ) -> None:
        self.layout = layout
        stored = {
            each.api_name: kind_of(each).trim(read_value(record=layout.record, field=each)) for each in layout.writable
        }
        super().__init__(data=data, initial=stored | dict(initial or {}), auto_id=auto_id, label_suffix="")
        self.questions: list[AskedValue] = []
        self.confirmed: list[str] = []
        for each in layout.writable:
            self.fields[each.api_name] = _build_input(layout=layout, field=each, initial=self.initial)
        show_kept_lengths(fields=self.fields, access=layout.access, object_type=layout.object_type)
        chosen: dict[str, list[UUID]] = {}
        if data is not None:
            self.data = data if layout.is_new else self._complete(data)
            self.confirmed = data.getlist(CONFIRMED)
            chosen = limit_references(fields=self.fields, data=self.data, fixed=layout.fixed)
        self.children = [
            ChildRecordsForm(
                picker=each, layout=layout, auto_id=auto_id, data=None if data is None else self.data, chosen=chosen
            )
            for each in layout.child_pickers
        ]

    def __iter__(self) -> Iterator[BoundField]:
        """Return the inputs of the record, then those of its child records."""
        yield from super().__iter__()
        yield from (each.bound_field for each in self.children)

    def full_clean(self) -> None:
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
        return RecordChange(
            access=self.layout.access,
            record=self.layout.record,
            repeated=values.pop(self.layout.repeated, ()),
            values=values,
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

    def fill(self, parameters: Mapping[str, str]) -> list[str]:
        """Fill the form from the address, including references that its records fill. Return what was not valid."""
        problems = []
        given = {name: text for name, text in parameters.items() if name in self.fields and text}
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

    def take_over(self, typed: str) -> None:
        """Fill the form with what was typed to find a record that is created now, as far as the object reads it."""
        taken = self.layout.access.vault_object.take_over(typed.strip()) if typed.strip() else {}
        for name, text in taken.items():
            if name not in self.fields:
                continue
            try:
                self.initial[name] = self.fields[name].clean(text)
            except ValidationError:
                self.initial[name] = text  # to be corrected

    def keep(self, data: QueryDict) -> None:
        """Fill the form with what was typed into another form, valid or not."""
        for name, form_field in self.fields.items():
            if not self._is_omitted(data, name):
                self.initial[name] = form_field.widget.value_from_datadict(data, {}, name)
        for each in self.children:
            each.keep(data)

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


def _build_input(*, layout: FormLayout, field: ObjectField, initial: MutableMapping[str, Any]) -> forms.Field:
    access, name = layout.access, field.api_name
    made: forms.Field
    if name == layout.repeated:
        made = MultiReferenceField(access=access, field=field, label=field.label, required=layout.is_required(field))
        made.help_text = f"Several can be chosen: one {access.vault_object.label} is saved for each."
        initial[name] = [] if initial.get(name) is None else [initial[name]]
    else:
        present = None if layout.is_new else read_value(record=layout.record, field=field)
        made = build_form_field(
            access=access, field=field, object_type=layout.object_type, chosen=layout.fixed, present=present
        )
        if layout.fixed and isinstance(made, ReferenceField):
            made.widget = LimitedReferenceInput(field=made, fixed=layout.fixed)
    if name == OBJECT_TYPE:
        made.required = True
        made.widget.attrs["data-reload"] = ""
    made.error_messages["required"] = _word_missing(made)
    if isinstance(made, PicklistField) and made.required and initial.get(name):
        made.choices = made.list_choices()  # without the empty choice
    return made


def _word_missing(made: forms.Field) -> str:
    """Return what to say of a required field that is empty."""
    if isinstance(made, ReferenceField):
        article = "an" if made.noun[:1] in "aeiou" else "a"
        return f"Choose {article} {made.noun} from the list, or type its exact name."
    if isinstance(made, PicklistField):
        labels = [label for _, label in made.list_choices()]
        return f"Choose one of {', '.join(labels)}." if len(labels) <= _MOST_NAMED else "Choose one from the list."
    if isinstance(made, forms.DateField):
        return "Enter a date, such as 2026-03-31."
    return f"Fill in {made.label}."
