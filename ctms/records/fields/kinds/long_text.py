"""A text of several lines."""

from __future__ import annotations

from django import forms
from django.db import models

from ctms.records.fields.kinds.base import Aggregate, register_kind
from ctms.records.fields.kinds.text import TextKind


@register_kind
class LongTextKind(TextKind):
    """A text of several lines, which is neither sorted by nor compared as a whole."""

    name = "long_text"
    label = "Long text"
    model_fields = (models.TextField,)
    custom_names = {"long_text": "Long text"}
    custom_max_length = 32_000
    can_identify = False
    can_be_unique = False
    has_lines = True
    is_sortable = False
    is_wide = True
    aggregates = (Aggregate.COUNT,)
    export_width = 60

    def build_widget(self) -> forms.Widget:
        return forms.Textarea(attrs={"rows": 5})
