"""A number, whole or with a fraction."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import NumberComparison
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
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.0{3})+")
_WHOLE = "Enter a whole number."
_LARGEST_NUMBER = 10**15  # what every JSON reader can hold without rounding


class NumberInput(serializers.Field[Decimal, Any, Any, Any]):
    """Reads a JSON number as the decimal that was written."""

    default_error_messages = {
        **API_MESSAGES,
        "invalid": "Send a number, without quotes.",
        "too_large": f"Send a number between {-_LARGEST_NUMBER:,} and {_LARGEST_NUMBER:,}.",
    }

    def __init__(self, *, field: ObjectField, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        least, greatest = (
            default if bound is None else show_plainly(bound)
            for bound, default in ((field.least, -_LARGEST_NUMBER), (field.greatest, _LARGEST_NUMBER))
        )
        kind = "integer" if field.is_whole else "number"
        described: dict[str, Any] = {"type": kind, "minimum": least, "maximum": greatest}
        if field.decimals:
            described["multipleOf"] = show_plainly(Decimal(1).scaleb(-field.decimals))
        set_override(self, "field", described)

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


class WholeNumberField(forms.IntegerField):
    """A whole number. Django reads `1.000`, which is a thousand to half of the world, as 1; that is refused."""

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


@register_kind
class NumberKind(Kind):
    """A number."""

    name = "number"
    label = "Number"
    model_fields = (models.IntegerField, models.DecimalField, models.FloatField)
    custom_names = {"number": "Number"}
    custom_column = models.FloatField
    can_be_unique = True
    options = frozenset({"decimals", "least", "greatest"})
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
        if not fits_number(value):
            return f"Enter a number of at most {MOST_DIGITS} digits."
        return explain_bounds(number=Decimal(value), field=field)

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        if field.decimals is None or not fits_decimals(number=value, decimals=field.decimals):
            return super().format(value=value, field=field, shape=shape)
        return f"{value:.{field.decimals}f}"

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        if asked.field.is_whole:
            return WholeNumberField(error_messages=_NO_WHOLE_NUMBER, **common)
        decimals = asked.field.decimals
        widget = forms.NumberInput(attrs={"step": "any" if decimals is None else f"0.{'0' * (decimals - 1)}1"})
        most_digits = MOST_DIGITS if asked.field.is_custom else None
        return forms.DecimalField(max_digits=most_digits, widget=widget, error_messages=_NO_NUMBER, **common)

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del field, shape, zone
        cell: Cell = value
        return cell

    def advise(self, field: ObjectField) -> str:
        advice = "A whole number, as 1234." if field.is_whole else "A number, as 1234.5."
        if field.decimals:
            advice = f"{advice[:-1]}, with at most {count_decimals(field.decimals)}."
        bounds = [
            f"{word} {show_plainly(bound)}"
            for word, bound in (("from", field.least), ("to", field.greatest))
            if bound is not None
        ]
        return f"{advice[:-1]}, {' '.join(bounds)}." if bounds else advice

    def find_remedy(self, text: str) -> str:
        return f"“{text}” is no number. Write it as 1234.5."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del shape
        if isinstance(model_field, models.IntegerField):
            return WholeNumberInput(validators=model_field.validators, **common)
        return NumberInput(field=field, **common)


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


def explain_bounds(*, number: Decimal, field: ObjectField) -> str:
    """Return why a custom field does not take a number, by its decimals and its bounds; empty if it does."""
    if field.decimals is not None and not fits_decimals(number=number, decimals=field.decimals):
        return f"Enter a number with at most {count_decimals(field.decimals)}." if field.decimals else _WHOLE
    if field.least is not None and number < field.least:
        return f"Enter at least {show_plainly(field.least)}."
    if field.greatest is not None and number > field.greatest:
        return f"Enter at most {show_plainly(field.greatest)}."
    return ""


def fits_decimals(*, number: Decimal, decimals: int) -> bool:
    """Whether a number has no more decimals than that; zeros at the end do not count."""
    exponent = Decimal(number).normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= decimals


def count_decimals(decimals: int) -> str:
    """Return a number of decimals in words."""
    return f"{decimals} decimal{'' if decimals == 1 else 's'}"
