"""A date."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db import models
from rest_framework import serializers

from ctms.audit.words import DATE
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import DayComparison
from ctms.records.fields.kinds.base import (
    API_MESSAGES,
    Aggregate,
    ApiField,
    Asked,
    Cell,
    CrmType,
    Kind,
    register_kind,
)
from ctms.records.fields.typed_dates import TypedDate

# Seldom seen, since most browsers have a date picker.
_NO_DATE = {"invalid": "This is no date. Write it as 2026-03-31 or 31 Mar 2026."}
_SEND_DATE = "Send a date as YYYY-MM-DD, in quotes."


class TypedDateInput(forms.DateInput):
    """The browser's date picker; a plain text input if the value is not a date, which a picker would not show."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        try:
            dt.date.fromisoformat(context["widget"]["value"] or "2000-01-01")
        except ValueError:
            context["widget"]["type"] = "text"
        return context


class DayField(TypedDate, forms.DateField):
    """A day, from a date picker or as people write it."""

    def to_python(self, value: Any) -> dt.date | None:
        typed = self.read_typed(value) if isinstance(value, str) else None
        if typed is not None and typed.time() == dt.time.min:
            return typed.date()
        return super().to_python(value)


class DayInput(serializers.DateField):
    """Reads a date in ISO 8601 format."""

    default_error_messages = {**API_MESSAGES, "invalid": _SEND_DATE, "datetime": _SEND_DATE}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@register_kind
class DateKind(Kind):
    """A date."""

    name = "date"
    label = "Date"
    model_fields = (models.DateField,)
    custom_names = {"date": "Date"}
    can_be_unique = True
    audit_kind = DATE
    is_newest_first = True
    is_day = True
    is_groupable = True
    comparison = DayComparison()
    aggregates = (Aggregate.COUNT, Aggregate.DISTINCT, Aggregate.LEAST, Aggregate.GREATEST)
    export_width = 12
    json_schema = {"type": "string", "format": "date"}
    crm_type = CrmType.DATE

    def read(self, stored: Any) -> dt.date:
        return dt.date.fromisoformat(stored)

    def store(self, value: Any) -> str:
        return str(value.isoformat())

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        return "" if type(value) is dt.date else "Enter a date, such as 2026-03-31."

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        del asked
        widget = TypedDateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        return DayField(widget=widget, error_messages=_NO_DATE, **common)

    def explain_missing(self, made: forms.Field) -> str:
        del made
        return "Enter a date, such as 2026-03-31."

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del field, shape, zone
        cell: Cell = value
        return cell

    def advise(self, field: ObjectField) -> str:
        del field
        return "A date, as 2026-03-31."

    def find_remedy(self, text: str) -> str:
        return f"“{text}” is no date. Write it as 2026-03-31 or 31 Mar 2026."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del field, shape, model_field
        return DayInput(**common)
