"""The first rows or groups of a report that is being built."""

from __future__ import annotations

from dataclasses import dataclass, field

from ctms.core.charts import Chart
from ctms.reports.engine.columns import Column
from ctms.reports.engine.opening import OpenReport
from ctms.reports.errors import Problem, ReportTooSlowError
from ctms.reports.outputs.chart import build_chart
from ctms.reports.pages.tables import Heading, Table, build_groups, build_rows

_SIZE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The beginning of the result, or why there is none."""

    table: Table | None = None
    chart: Chart | None = None
    problems: list[Problem] = field(default_factory=list)
    is_grouped: bool = False

    @property
    def is_empty(self) -> bool:
        return self.table is not None and not self.table.rows

    @property
    def has_more(self) -> bool:
        return self.table is not None and bool(self.table.next)


def build_preview(opened: OpenReport) -> Preview:
    """Return the first rows or groups."""
    if opened.problems:
        return Preview(problems=opened.problems)
    if not opened.columns and not opened.is_grouped:
        return Preview(problems=[Problem(part="columns", text="Choose at least one column, or a group.")])
    try:
        table = (
            build_groups(opened, size=_SIZE, place="", find_rows=lambda _: "")
            if opened.is_grouped
            else build_rows(opened, size=_SIZE, place="", at=(), build_heading=_build_heading)
        )
        chart = build_chart(opened, title="Preview") if opened.is_grouped else None
    except ReportTooSlowError as error:
        return Preview(problems=[Problem(part="result", text=str(error))])
    return Preview(table=table, chart=chart, is_grouped=opened.is_grouped)


def _build_heading(column: Column) -> Heading:
    return Heading(label=column.label, is_number=column.is_number)
