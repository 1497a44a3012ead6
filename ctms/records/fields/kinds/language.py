"""A language, kept as its tag and shown in words: `es-AR` is Spanish (Argentina)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.text.territories import name_language
from ctms.core.value_fields import LanguageField
from ctms.records.fields.kinds.base import Cell, register_kind
from ctms.records.fields.kinds.text import TextKind


@register_kind
class LanguageKind(TextKind):
    """A language by its tag. Files have the tag, so that they can be imported again."""

    name = "language"
    label = "Language"
    model_fields = (LanguageField,)
    custom_names = {}
    json_schema = {"type": "string", "examples": ["en"]}

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        del field, shape
        return name_language(str(value))

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del field, shape, zone
        return str(value)
