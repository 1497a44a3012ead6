"""A country, kept as its code and shown in words: `AR` is Argentina."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.text.territories import find_country, get_countries, name_country
from ctms.core.value_fields import CountryField as CountryModelField
from ctms.records.fields.comparing.comparisons import TextComparison
from ctms.records.fields.kinds.base import Asked, Cell, register_kind
from ctms.records.fields.kinds.picklist import PicklistField
from ctms.records.fields.kinds.text import TextKind


class CountryField(PicklistField):
    """A country, chosen from all, or given by its code or its name."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        return find_country(text) or text

    def validate(self, value: Any) -> None:
        if value and not self.valid_value(value):
            raise ValidationError(
                f"“{value}” is no country. Enter its name, or its two letters of ISO 3166-1, e.g. DE."
            )
        forms.Field.validate(self, value)


class CountryComparison(TextComparison):
    """Conditions on countries, whose values are codes; names are read as well."""

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:
        return find_country(value) or super().read(shape=shape, field=field, value=value)


@register_kind
class CountryKind(TextKind):
    """A country by its code. Files have the code, so that they can be imported again; imports take names too."""

    name = "country"
    label = "Country"
    model_fields = (CountryModelField,)
    custom_names = {}
    is_wide_inline = False
    comparison = CountryComparison()
    json_schema = {"type": "string", "examples": ["DE"]}

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        del field, shape
        return name_country(str(value))

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del field, shape, zone
        return str(value)

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        countries = get_countries()
        present = str(asked.present or "")
        if present and present not in countries:
            countries = {present: present, **countries}
        return CountryField(choices=[("", "–"), *countries.items()], **common)

    def advise(self, field: ObjectField) -> str:
        del field
        return "A country by its name or its code of ISO 3166-1, e.g. DE."
