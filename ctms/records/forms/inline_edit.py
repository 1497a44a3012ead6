"""Edits a single field in place on the record page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from ctms.audit.actors import Actor
from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kept_lengths import show_kept_lengths
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.reference_field import ReferenceField, ReferenceInput
from ctms.records.fields.references import HIDDEN, get_reference_choices, list_scopes, list_visible
from ctms.records.fields.values import format_for, read_value
from ctms.records.writing.services import write_values


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConflict:
    """Another user changed the record since the user opened the field. `theirs` is stored, `yours` was typed."""

    by: str
    at: dt.datetime
    theirs: str
    yours: str


class FieldForm(forms.Form):
    """A form of one field of a record, with its present value."""

    def __init__(self, *, access: ObjectAccess, record: Any, field: ObjectField, data: Any = None) -> None:
        present = read_value(record=record, field=field)
        super().__init__(data=data, initial={field.api_name: present}, auto_id="inline-%s")
        self.access, self.record, self.field = access, record, field
        chosen = _list_parents(access=access, record=record, field=field)
        made = build_form_field(
            access=access, field=field, object_type=getattr(record, "object_type", ""), chosen=chosen, present=present
        )
        if isinstance(made, ReferenceField):
            made.widget = _InlineReferenceInput(field=made, chosen=chosen)
        self.fields[field.api_name] = made
        show_kept_lengths(fields=self.fields, access=access, object_type=getattr(record, "object_type", ""))

    @property
    def bound_field(self) -> forms.BoundField:
        return self[self.field.api_name]

    @property
    def is_wide(self) -> bool:
        """Whether the input needs more room than the value."""
        return kind_of(self.field).is_wide_inline

    @property
    def typed(self) -> str:
        """Return the typed value, formatted for people."""
        return format_for(access=self.access, value=self.cleaned_data[self.field.api_name], field=self.field)

    def save(self, *, actor: Actor, expected_version: int) -> bool:
        """Write the typed value. If it is refused, add errors to the form and return False.

        Raises StaleRecordError if somebody else changed the record since it had `expected_version`, and
        AccessRefusedError.
        """
        if not self.is_valid():
            return False
        try:
            write_values(
                access=self.access,
                record=self.record,
                values={self.field.api_name: self.cleaned_data[self.field.api_name]},
                actor=actor,
                expected_version=expected_version,
                references_are_checked=True,
            )
        except ValidationError as error:
            self._add_errors(error)
            return False
        return True

    def _add_errors(self, error: ValidationError) -> None:
        """Add errors to the only field; errors of other fields get their label as a prefix."""
        errors = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
        for name, found in errors.items():
            if name in (self.field.api_name, NON_FIELD_ERRORS):
                self.add_error(self.field.api_name, found)
                continue
            label = self.access.shape.fields[name].label if name in self.access.shape.fields else name
            self.add_error(self.field.api_name, [f"{label}: {text}" for each in found for text in each.messages])


class _InlineReferenceInput(ReferenceInput):
    """Asks for suggestions that fit the record's other references, which this form does not have."""

    def __init__(self, *, field: ReferenceField, chosen: dict[str, Any]) -> None:
        super().__init__(field)
        self.chosen = chosen

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["lookup_url"] += f"?{urlencode(self.chosen)}"
        return context


def build_conflict(*, record: Any, form: FieldForm) -> FieldConflict:
    """Compare `record`, as it is stored now, with what was typed into the form."""
    theirs = read_value(record=record, field=form.field)
    if form.field.is_custom and form.field.reference is not None and theirs is not None:
        visible = list_visible(access=form.access, field=form.field)
        theirs = (visible.filter(uid=theirs).first() if visible is not None else None) or HIDDEN
    return FieldConflict(
        by=str(record.modified_by),
        at=record.modified_at,
        theirs=format_for(access=form.access, value=theirs, field=form.field),
        yours=form.typed,
    )


def _list_parents(*, access: ObjectAccess, record: Any, field: ObjectField) -> dict[str, Any]:
    """Return the record's references that limit the choices of this one: API name → uid."""
    parent = [scope.parent for scope in list_scopes(shape=access.shape, field=field)]
    if offer := get_reference_choices(shape=access.shape, field=field):
        parent.append(access.shape.fields[offer.by])
    found = {each.api_name: getattr(record, each.attribute) for each in parent}
    return {name: value.uid for name, value in found.items() if value is not None}
