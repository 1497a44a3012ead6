"""A number, whole or with a fraction."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django import forms
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparisons import NumberComparison
from ctms.records.fields.kinds.base import (
    API_MESSAGES,
    Aggregate,
    ApiField,
    Asked,
    Cell,
    CrmType,
    Kind,
    register_kind,
    show_plainly,
)
from ctms.records.fields.limits import MOST_DIGITS

_NO_NUMBER = {"invalid": "This is no number. Write it as 1234.5."}
_NO_WHOLE_NUMBER = {"invalid": "This is no whole number. Write it as 1234."}
_LARGEST_NUMBER = 10**15  # what every JSON reader can hold without rounding


@extend_schema_field({"type": "number", "minimum": -_LARGEST_NUMBER, "maximum": _LARGEST_NUMBER})
class NumberInput(serializers.Field[Decimal, Any, Any, Any]):
    """Reads a JSON number as the decimal that was written."""

    default_error_messages = {
        **API_MESSAGES,
        "invalid": "Send a number, without quotes.",
        "too_large": f"Send a number between {-_LARGEST_NUMBER:,} and {_LARGEST_NUMBER:,}.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        if not -_LARGEST_NUMBER <= data <= _LARGEST_NUMBER:
            self.fail("too_large")
        return Decimal(str(data))

    def to_representation(self, value: Any) -> Any:
        return show_plainly(value)


class WholeNumberInput(serializers.IntegerField):
    """Reads a whole number."""

    default_error_messages = {**API_MESSAGES, "invalid": "Send a whole number, without quotes."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not (isinstance(data, int) or (isinstance(data, float) and data.is_integer())):
            self.fail("invalid")
        return int(data)


@register_kind
class NumberKind(Kind):
    """A number."""

    name = "number"
    label = "Number"
    model_fields = (models.IntegerField, models.DecimalField, models.FloatField)
    custom_names = {"number": "Number"}
    custom_column = models.FloatField
    is_number = True
    comparison = NumberComparison()
    aggregates = tuple(Aggregate)
    export_width = 12
    json_schema = {"type": "number"}
    crm_type = CrmType.NUMBER

    def read(self, stored: Any) -> Decimal:
        return Decimal(str(stored))

    def store(self, value: Any) -> Any:
        return show_plainly(value)

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        return "" if fits_number(value) else f"Enter a number of at most {MOST_DIGITS} digits."

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        if asked.field.is_whole:
            return forms.IntegerField(error_messages=_NO_WHOLE_NUMBER, **common)
        widget = forms.NumberInput(attrs={"step": "any"})
        most_digits = MOST_DIGITS if asked.field.is_custom else None
        return forms.DecimalField(max_digits=most_digits, widget=widget, error_messages=_NO_NUMBER, **common)

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del field, shape, zone
        cell: Cell = value
        return cell

    def advise(self, field: ObjectField) -> str:
        del field
        return "A number, as 1234.5."

    def find_remedy(self, text: str) -> str:
        return f"“{text}” is no number. Write it as 1234.5."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del field, shape
        if isinstance(model_field, models.IntegerField):
            return WholeNumberInput(validators=model_field.validators, **common)
        return NumberInput(**common)


def fits_number(value: Any) -> bool:
    """Whether JSON can hold a number without rounding it."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return False
    number = Decimal(value)
    return (
        number.is_finite()
        and len(number.normalize().as_tuple().digits) <= MOST_DIGITS
        and abs(number.adjusted()) <= MOST_DIGITS
    )
