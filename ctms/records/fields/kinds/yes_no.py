"""Yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from rest_framework import serializers

from ctms.audit.words import YES_NO
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import YesNoComparison
from ctms.records.fields.kinds.base import (
    API_MESSAGES,
    EMPTY,
    ApiField,
    Asked,
    CrmType,
    Kind,
    register_kind,
)
from ctms.records.fields.yes_no_words import read_yes_no

_CHOICES = [("yes", "Yes"), ("no", "No")]


class YesNoField(forms.BooleanField):
    """Yes or no, in any of the words that people and files use, such as “true” or “n”."""

    def to_python(self, value: Any) -> bool:
        text = str(value or "").strip()
        if not text or text.casefold() == "none":
            return False
        meant = read_yes_no(text)
        if meant is not None:
            return meant
        raise ValidationError(f"“{value}” is neither Yes nor No.")


class YesNoInput(serializers.BooleanField):
    """Reads true or false."""

    default_error_messages = {**API_MESSAGES, "invalid": "Send true or false, without quotes."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@register_kind
class YesNoKind(Kind):
    """Yes or no: a tick, which cannot be left open."""

    name = "yes_no"
    label = "Yes/No"
    model_fields = (models.BooleanField,)
    custom_names = {"yes_no": "Yes/No"}
    audit_kind = YES_NO
    always_has_value = True
    is_yes_no = True
    is_groupable = True
    can_be_cleared = False
    cleared = False
    comparison = YesNoComparison()
    export_width = 10
    json_schema = {"type": "boolean"}
    crm_type = CrmType.YES_NO

    def build_sample(self, choices: Sequence[tuple[str, str]]) -> str:
        del choices
        return "Yes"

    def read(self, stored: Any) -> bool:
        return bool(stored)

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        return "" if isinstance(value, bool) else "Enter Yes or No."

    def is_same(self, *, present: Any, value: Any, field: ObjectField) -> bool:
        if field.is_custom:
            return bool(present == value) or (present in EMPTY and value in EMPTY)
        return bool(present) == bool(value)

    def get_key(self, value: Any, *, field: ObjectField) -> bool:
        del field
        return bool(value)

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        del field, shape
        return "Yes" if value else "No"

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        del asked
        return YesNoField(**common | {"required": False})

    def build_edit_field(self, asked: Asked, **common: Any) -> forms.Field:
        return forms.TypedChoiceField(
            label=asked.field.label,
            required=common["required"],
            choices=[("", "–"), *_CHOICES],
            coerce=lambda text: text == "yes",
            empty_value=None,
        )

    def show_default(self, *, stored: Any, field: ObjectField) -> str:
        del field
        return "Yes" if stored else "No"

    def advise(self, field: ObjectField) -> str:
        del field
        return "Yes or No."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del field, shape, model_field
        return YesNoInput(**common)
