"""An e-mail address, shown as a link that writes to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.db import models

from ctms.records.fields.kinds.base import register_kind
from ctms.records.fields.kinds.text import TextKind


@register_kind
class EmailKind(TextKind):
    """An e-mail address."""

    name = "email"
    label = "Email"
    model_fields = (models.EmailField,)
    custom_names = {}
    json_schema = {"type": "string", "examples": ["doe@example.org"]}

    def find_link(self, value: Any) -> str:
        text = str(value)
        return f"mailto:{quote(text, safe='@')}" if "@" in text else ""
