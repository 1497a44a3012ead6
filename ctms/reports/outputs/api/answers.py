"""What the API answers of a report: values as in records, figures as numbers, and amounts with their currency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.urls import reverse

from ctms.records.fields.kinds.base import Aggregate, kind_of, show_plainly
from ctms.reports.access import StoredReport
from ctms.reports.definition import read_definition
from ctms.reports.engine.columns import Column, ReportCell
from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.matrices import MatrixLine
from ctms.reports.engine.measures import Figure, Measure
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.summaries import GroupLine
from ctms.reports.errors import Problem


def describe_stored(stored: StoredReport) -> dict[str, Any]:
    """Return what a list of reports says of one."""
    report = stored.report
    return {
        "uid__sys": str(report.uid),
        "name__v": report.name,
        "description": report.description,
        "report_type": report.report_type.name,
        "owner": str(report.owner),
        "role": stored.role,
        "run_as_owner": report.run_as_owner,
        "url": reverse("api_report", args=(report.uid,)),
    }


def describe_report(stored: StoredReport, *, opened: OpenReport | None, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return what a report asks, as it is stored, and what its rows and groups have."""
    definition = read_definition(stored.report)
    about = definition.type
    return describe_stored(stored) | {
        "primary_object": about.primary,
        "related_object": about.related or None,
        "definition": definition.as_stored(),
        "prompts": list(definition.prompts),
        "columns": [_describe_column(each) for each in opened.columns] if opened else [],
        "groups": [_describe_group(each) for each in opened.groups] if opened else [],
        "across": _describe_group(opened.across) if opened and opened.across else None,
        "measures": [_describe_measure(each) for each in opened.measures] if opened else [],
        "problems": [{"field": each.part, "detail": each.text} for each in problems],
    }


def show_row(columns: Sequence[Column], row: Sequence[ReportCell]) -> dict[str, Any]:
    """Return a row: the values of its columns by their names."""
    return {column.key: show_cell(column, cell) for column, cell in zip(columns, row, strict=True)}


def show_cell(column: Column, cell: ReportCell) -> Any:
    """Return a value. A reference has name and page of the record; both are null where the user may not see it."""
    if cell.value is None:
        return None
    if column.field.reference is not None:
        return {"name__v": None if cell.is_hidden else cell.text, "url": cell.url or None}
    return kind_of(column.field).to_json(cell.value)


def show_line(opened: OpenReport, line: GroupLine) -> dict[str, Any]:
    """Return a group, or the total, with its figures."""
    return {
        "level": line.level,
        "groups": [_show_group(group, value) for group, value in zip(opened.groups, line.values, strict=False)],
        "figures": _show_figures(opened, line.figures),
    }


def show_across(opened: OpenReport, line: GroupLine) -> dict[str, Any]:
    """Return what a column of a matrix is of, with the figures of the whole column."""
    if opened.across is None:
        raise TypeError("The report has nothing across.")
    return _show_group(opened.across, line.values[0]) | {"figures": _show_figures(opened, line.figures)}


def show_matrix_line(opened: OpenReport, line: MatrixLine) -> dict[str, Any]:
    """Return a row of a matrix: its groups, its figures, and those of its cells by the identity of their column."""
    whole = show_line(opened, GroupLine(values=line.values, figures=line.figures))
    return whole | {"cells": {name: _show_figures(opened, figures) for name, figures in line.cells.items()}}


def _show_group(group: GroupBy, value: GroupValue) -> dict[str, Any]:
    cell = value.cell
    shown = (
        show_plainly(cell.value) if group.period and isinstance(cell.value, dt.date) else show_cell(group.column, cell)
    )
    return {"identity": value.identity, "value": shown, "text": value.text}


def _show_figures(opened: OpenReport, figures: Sequence[Figure]) -> list[Any]:
    return [_show_figure(measure, figure) for measure, figure in zip(opened.measures, figures, strict=True)]


def _show_figure(measure: Measure, figure: Figure) -> Any:
    if measure.is_money:
        return [{"amount": each.write_amount(), "currency": each.currency} for each in figure.amounts]
    if figure.value is None or measure.column is None or measure.function in (Aggregate.COUNT, Aggregate.DISTINCT):
        return figure.value
    if isinstance(figure.value, int | float | Decimal):
        return show_plainly(figure.value)
    return kind_of(measure.column.field).to_json(figure.value)


def _describe_column(column: Column) -> dict[str, Any]:
    return {"name": column.key, "label": column.label, "kind": column.field.kind}


def _describe_group(group: GroupBy) -> dict[str, Any]:
    return _describe_column(group.column) | {"label": group.label, "period": group.period or None}


def _describe_measure(measure: Measure) -> dict[str, Any]:
    return {
        "label": measure.label,
        "function": measure.function,
        "name": measure.column.key if measure.column is not None else None,
        "is_amount": measure.is_money,
    }
