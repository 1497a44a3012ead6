"""What the OpenAPI document says of reports: parameters, and the form of each answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from ctms.records.api.paging import DEFAULT_SIZE, LARGEST_SIZE
from ctms.records.api.schema import build_other_filters
from ctms.records.lists.query import CURSOR, SIZE
from ctms.reports.choices import ShareRole
from ctms.reports.outputs.asked import AT

_STORED: dict[str, Any] = {
    "uid__sys": serializers.UUIDField(),
    "name__v": serializers.CharField(),
    "description": serializers.CharField(allow_blank=True),
    "report_type": serializers.CharField(),
    "owner": serializers.CharField(),
    "role": serializers.ChoiceField(choices=ShareRole.values, help_text="Yours in the report."),
    "run_as_owner": serializers.BooleanField(help_text="Whether it shows what its owner may see, and not you."),
    "url": serializers.CharField(),
}
_COLUMN: dict[str, Any] = {
    "name": serializers.CharField(help_text="Its key in rows."),
    "label": serializers.CharField(),
    "kind": serializers.CharField(),
}
_GROUP: dict[str, Any] = _COLUMN | {"period": serializers.CharField(allow_null=True)}
_MEASURE: dict[str, Any] = {
    "label": serializers.CharField(),
    "function": serializers.CharField(),
    "name": serializers.CharField(allow_null=True, help_text="Its column; null where records are counted."),
    "is_amount": serializers.BooleanField(help_text="Whether the figure is a list of amounts, one for each currency."),
}
_PROBLEM: dict[str, Any] = {"field": serializers.CharField(), "detail": serializers.CharField()}
_PAGE: dict[str, Any] = {
    "next": serializers.URLField(allow_null=True),
    "previous": serializers.URLField(allow_null=True),
}
_FIGURES = serializers.ListField(help_text="One for each of the report's measures; null where there is none.")
_VALUE: dict[str, Any] = {
    "identity": serializers.CharField(allow_blank=True, help_text=f"How `{AT}` names it; empty for no value."),
    "value": serializers.JSONField(help_text="A period is its first day; null is no value."),
    "text": serializers.CharField(),
}
_LINE: dict[str, Any] = {
    "level": serializers.IntegerField(help_text="How many groups it stands in; fewer than all: a subtotal."),
    "groups": inline_serializer("ReportGroupValue", _VALUE, many=True),
    "figures": _FIGURES,
    "cells": serializers.DictField(
        child=serializers.ListField(), required=False, help_text="Of a matrix: figures by the identity of the column."
    ),
}

REPORTS = inline_serializer("Reports", {"results": inline_serializer("ReportSummary", _STORED, many=True)})
REPORT = inline_serializer(
    "Report",
    _STORED
    | {
        "primary_object": serializers.CharField(),
        "related_object": serializers.CharField(allow_null=True),
        "definition": serializers.DictField(help_text="What the report asks, as it is stored."),
        "prompts": serializers.ListField(child=serializers.CharField(), help_text="Fields that readers are asked for."),
        "columns": inline_serializer("ReportColumn", _COLUMN, many=True),
        "groups": inline_serializer("ReportGroup", _GROUP, many=True),
        "across": inline_serializer("ReportAcross", _GROUP, allow_null=True),
        "measures": inline_serializer("ReportMeasure", _MEASURE, many=True),
        "problems": inline_serializer("ReportProblem", _PROBLEM, many=True),
    },
)
_COUNT: dict[str, Any] = {
    "count": serializers.IntegerField(help_text="How many rows there are, as far as they are counted."),
    "count_is_capped": serializers.BooleanField(help_text="Whether there are more than `count`."),
}
_ROWS: dict[str, Any] = {
    "results": serializers.ListField(child=serializers.DictField(), help_text="Values by the names of columns."),
}
ROWS = inline_serializer("ReportRows", _COUNT | _PAGE | _ROWS)
_ACROSS: Any = inline_serializer("ReportAcrossValue", _VALUE | {"figures": _FIGURES})
_LINES: dict[str, Any] = {
    "across": serializers.ListField(child=_ACROSS, required=False, help_text="Of a matrix: its columns."),
    "across_is_cut": serializers.BooleanField(
        required=False, help_text="Of a matrix: whether it has more columns than are told."
    ),
    "results": inline_serializer("ReportLine", _LINE, many=True),
    "total": inline_serializer("ReportTotal", _LINE),
}
GROUPS = inline_serializer("ReportGroups", _PAGE | _LINES)

CURSOR_PARAMETER = OpenApiParameter(CURSOR, str, description="A place, as `next` and `previous` have it.")
SIZE_PARAMETER = OpenApiParameter(
    SIZE,
    {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE},
    description="How many rows, or groups of the last level, a page has.",
)
AT_PARAMETER = OpenApiParameter(
    AT,
    str,
    description="Of a report with groups: the rows behind a figure. A JSON list of the identities of its groups, and "
    'of what goes across; null is any: `["42",null]`.',
)
CONDITIONS_PARAMETER = build_other_filters()
