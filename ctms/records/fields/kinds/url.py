"""An address on the web, shown as a link. Only http and https: a browser would run what follows `javascript:`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from drf_spectacular.drainage import set_override

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.kinds.base import Aggregate, ApiField, Asked, register_kind
from ctms.records.fields.kinds.text import TextField, TextInput, TextKind

_SCHEMES = ("http", "https")
_check_address = URLValidator(schemes=_SCHEMES)
_NO_ADDRESS = "This is no web address. Write it as https://example.org/page."


class AddressField(TextField):
    """A web address; one typed without a scheme is meant with https."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        return f"https://{text}" if text and "://" not in text and ":" not in text.partition("/")[0] else text

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if value and not is_address(value):
            raise ValidationError(_NO_ADDRESS, code="invalid")


class AddressInput(TextInput):
    """Reads a web address."""

    default_error_messages = {"no_address": _NO_ADDRESS}

    def __init__(self, *, max_length: int | None, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)
        described: dict[str, Any] = {"type": "string", "format": "uri"}
        set_override(self, "field", described | ({"maxLength": max_length} if max_length else {}))

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text and not is_address(text):
            self.fail("no_address")
        return text


@register_kind
class UrlKind(TextKind):
    """A web address."""

    name = "url"
    label = "Web address"
    model_fields = (models.URLField,)
    custom_names = {"url": "Web address"}
    custom_max_length = 2000
    can_identify = False
    holds_text = False
    aggregates = (Aggregate.COUNT,)
    export_width = 40
    json_schema = {"type": "string", "format": "uri"}

    def explain(self, *, value: Any, field: ObjectField) -> str:
        return super().explain(value=value, field=field) or ("" if is_address(value) else _NO_ADDRESS)

    def find_link(self, value: Any) -> str:
        return str(value) if is_address(value) else ""

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        widget = forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://"})
        return AddressField(max_length=asked.field.max_length, widget=widget, **common)

    def advise(self, field: ObjectField) -> str:
        del field
        return "A web address, as https://example.org/page."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del shape, model_field
        return AddressInput(max_length=field.max_length, allow_blank=not common["required"], **common)


def is_address(value: Any) -> bool:
    """Whether a value is an address that may be a link."""
    try:
        _check_address(value)
    except ValidationError:
        return False
    return True
