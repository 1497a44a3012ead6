"""A short text, on one line."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import models
from rest_framework import serializers

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.kept_lengths import KeptTextField
from ctms.records.fields.kinds.base import API_MESSAGES, ApiField, Asked, Kind, register_kind


class TextField(KeptTextField):
    """Text with its line ends normalised to line feeds."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class TextInput(serializers.CharField):
    """Reads text; refuses numbers and other JSON types instead of converting them."""

    default_error_messages = {**API_MESSAGES, "invalid": "Send a text in quotes."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@register_kind
class TextKind(Kind):
    """A short text; also what stands for model fields of no other kind."""

    name = "text"
    label = "Text"
    model_fields: ClassVar[tuple[type[models.Field[Any, Any]], ...]] = (models.Field,)
    custom_names = {"text": "Text"}
    custom_max_length = 255
    can_be_unique: ClassVar[bool] = True
    options = frozenset({"max_length"})
    can_identify = True
    empty = ""
    holds_text = True
    is_wide_inline = True

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        return TextField(max_length=asked.field.max_length, widget=self.build_widget(), **common)

    def build_widget(self) -> forms.Widget:
        """Return the input."""
        return forms.TextInput()

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del shape, model_field
        return TextInput(max_length=field.max_length, allow_blank=not common["required"], **common)

    def says_present(self, *, text: str, present: Any, shown: str) -> bool:
        del shown
        return _flatten(str(present or "")) == _flatten(text)


def _flatten(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
