"""Values by their names, as JSON holds them: what was sent or received. They are shown, and cannot be entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import Comparison
from ctms.records.fields.kinds.base import Kind, register_kind


class NoComparison(Comparison):
    """Only whether there are values can be asked."""

    operators = ()


@register_kind
class ValuesKind(Kind):
    """Values by name, or in a list. Users enter none, so there is no form field, and there are no custom fields."""

    name = "values"
    label = "Values"
    model_fields = (models.JSONField,)
    is_sortable = False
    is_wide = True
    comparison = NoComparison()
    aggregates = ()
    export_width = 60

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        del field, shape
        return tell_values(value)


def tell_values(value: Any) -> str:
    """Return values in words, such as `Channel_vod__c: Phone_vod; Subject: –`."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {tell_values(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(tell_values(each) for each in value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return "–" if value in (None, "") else str(value)
