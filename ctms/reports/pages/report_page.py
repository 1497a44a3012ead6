"""The page of a report: what it is, its conditions, its prompts and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from ctms.core.charts import Chart
from ctms.records.fields.kinds.base import kind_of
from ctms.records.lists.columns import PAGE_SIZES
from ctms.records.lists.order.keyset_pagination import COUNT_CAP
from ctms.records.lists.pager import describe_count
from ctms.records.lists.query import change_parameters, drop_blanks
from ctms.reports.access import StoredReport, may, run_stored
from ctms.reports.definition import ReportDefinition, read_definition
from ctms.reports.engine.columns import NOTHING, Column
from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.keyset import InvalidPlaceError
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import UnknownGroupError, count_rows
from ctms.reports.engine.summaries import open_groups
from ctms.reports.errors import InvalidReportError, Problem, ReportTooSlowError
from ctms.reports.outputs.asked import order_as_asked
from ctms.reports.outputs.chart import build_chart
from ctms.reports.pages.conditions import Chip, PromptsForm, list_address_chips, list_chips, open_prompts
from ctms.reports.pages.tables import Heading, Table, build_groups, build_rows, name_rows, read_at
from ctms.reports.pages.uses import is_favourite

# Parameters of the address that are no conditions: rows behind a figure, place of the page, order and size.
AT, PLACE, SORT, SIZE = "at", "place", "sort", "size"
_RESERVED = (AT, PLACE, SORT, SIZE)
_SIZE = 50


@dataclass(slots=True, kw_only=True)
class ReportPage:
    """The page of a report, as its address asks for it. Problems are shown in the place of a result.

    `prompts` is the form of the prompts; one that was filled in with errors may be given.
    """

    stored: StoredReport
    parameters: QueryDict
    prompts: PromptsForm | None = None
    opened: OpenReport | None = None
    table: Table | None = None
    chart: Chart | None = None
    chart_problem: str = ""
    problems: list[Problem] = field(default_factory=list)
    _kept: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parameters = drop_blanks(self.parameters)
        if self.prompts is None:
            self.prompts = open_prompts(
                stored=self.stored, prompts=self.definition.prompts, address=self.conditions_address
            )
        try:
            self._run()
        except InvalidReportError as error:
            self.problems = list(error.problems)
        except (ReportTooSlowError, InvalidPlaceError, UnknownGroupError) as error:
            self.problems = [Problem(part="result", text=str(error))]

    @property
    def definition(self) -> ReportDefinition:
        return read_definition(self.stored.report)

    @property
    def conditions_address(self) -> QueryDict:
        """Return the parameters that are conditions."""
        return change_parameters(self.parameters, **dict.fromkeys(_RESERVED))

    @property
    def is_favourite(self) -> bool:
        return is_favourite(user=self.stored.user, report=self.stored.report)

    @property
    def can_create(self) -> bool:
        return may(user=self.stored.user, action="create")

    @property
    def chips(self) -> list[Chip]:
        return list_chips(self.opened) if self.opened is not None else []

    @property
    def address_chips(self) -> list[Chip]:
        """Return what the address asks beside the prompts."""
        return list_address_chips(self.opened, prompts=self.definition.prompts) if self.opened is not None else []

    @property
    def url(self) -> str:
        return reverse("report", args=(self.stored.report.uid,))

    @property
    def whole_url(self) -> str:
        """Return the URL of the report's groups, with the same conditions."""
        return self.build_url(**{AT: None, SORT: None, PLACE: None})

    @property
    def is_behind(self) -> bool:
        """Whether the rows behind a figure are shown."""
        return AT in self.parameters

    @property
    def state(self) -> list[tuple[str, str]]:
        """Return the parameters that the form of the prompts keeps: order and size."""
        return [(name, str(self.parameters[name])) for name in (SORT, SIZE) if name in self.parameters]

    @property
    def query(self) -> str:
        """Return the parameters for what is made of the same rows or groups, such as files."""
        return change_parameters(self.parameters, **dict.fromkeys((PLACE, SIZE))).urlencode()

    @property
    def first_url(self) -> str:
        return self.build_url(**{PLACE: None}) if self.table is not None and self.table.previous else ""

    @property
    def previous_url(self) -> str:
        return self.build_url(**{PLACE: self.table.previous}) if self.table is not None and self.table.previous else ""

    @property
    def next_url(self) -> str:
        return self.build_url(**{PLACE: self.table.next}) if self.table is not None and self.table.next else ""

    @property
    def page_sizes(self) -> list[Mapping[str, Any]]:
        return [
            {"size": size, "url": self.build_url(**{SIZE: size, PLACE: None}), "is_current": size == self.size}
            for size in PAGE_SIZES
        ]

    @property
    def size(self) -> int:
        text = str(self.parameters.get(SIZE, ""))
        return int(text) if text in map(str, PAGE_SIZES) else _SIZE

    @property
    def shown(self) -> str:
        """Return which rows or groups are shown, and of how many rows."""
        if self.table is None:
            return ""
        total = self._kept.get("total")
        return f"{self.table.shown} of {describe_count(total)}" if total is not None else self.table.shown

    @property
    def is_empty(self) -> bool:
        return self.table is not None and not self.table.rows

    @property
    def behind(self) -> str:
        """Return the groups whose rows are shown, in words."""
        return str(self._kept.get("behind", ""))

    def build_url(self, **changes: Any) -> str:
        """Return the URL of the report with other parameters."""
        query = change_parameters(self.parameters, **changes).urlencode()
        return f"{self.url}?{query}" if query else self.url

    def _run(self) -> None:
        opened = self.opened = run_stored(
            self.stored, address=self.conditions_address, definition=self._order(self.definition)
        )
        opened.require_valid()
        if opened.unknown:
            names = ", ".join(opened.unknown)
            raise InvalidReportError([Problem(part="prompts", text=f"The report cannot be narrowed by {names}.")])
        place = str(self.parameters.get(PLACE, ""))
        if opened.is_grouped and not self.is_behind:
            self.table = build_groups(opened, size=self.size, place=place, find_rows=self._find_rows)
            self.chart = self._draw(opened)
            return
        at = self._read_at(opened)
        self.table = build_rows(opened, size=self.size, place=place, at=at, build_heading=self._build_heading)
        self._kept["total"] = self._count(opened, at=at)
        if self.is_behind:
            self._kept["behind"] = describe_groups(opened, at=at)

    def _draw(self, opened: OpenReport) -> Chart | None:
        """Return the chart of the report, on the first page of its groups. One that takes too long is told of."""
        if PLACE in self.parameters:
            return None
        try:
            return build_chart(opened, title=self.stored.report.name, find_rows=self._find_rows)
        except ReportTooSlowError:
            self.chart_problem = (
                "There is no chart: it took too long to draw. Narrow the filters, or draw it of groups that are fewer."
            )
            return None

    def _count(self, opened: OpenReport, *, at: Sequence[str | None]) -> int | None:
        """Return the number of rows, None if counting takes too long. Those of one page are counted already."""
        table = self.table
        if table is not None and not table.previous and not table.next:
            return len(table.rows)
        try:
            return count_rows(opened, at=at, most=COUNT_CAP + 1)
        except ReportTooSlowError:
            return None

    def _order(self, definition: ReportDefinition) -> ReportDefinition:
        return order_as_asked(definition, sort=str(self.parameters.get(SORT, "")), is_behind=self.is_behind)

    def _read_at(self, opened: OpenReport) -> list[str | None]:
        if not self.is_behind:
            return []
        try:
            return read_at(str(self.parameters[AT]), most=len(list_dimensions(opened)))
        except ValueError:
            text = "The address does not name groups of this report. Go back to the report."
            raise UnknownGroupError(text) from None

    def _find_rows(self, at: Sequence[str | None]) -> str:
        return self.build_url(**{AT: name_rows(at), PLACE: None, SORT: None})

    def _build_heading(self, column: Column) -> Heading:
        is_number = column.is_number
        if not can_sort(column):
            return Heading(label=column.label, is_number=is_number)
        sorted_by = self.opened.definition.sort[0] if self.opened is not None and self.opened.definition.sort else ""
        is_current = sorted_by.removeprefix("-") == column.key
        is_down = sorted_by.startswith("-")
        turned = not is_down if is_current else kind_of(column.field).is_newest_first
        direction = ("descending" if is_down else "ascending") if is_current else ""
        url = self.build_url(**{SORT: f"{'-' if turned else ''}{column.key}", PLACE: None})
        return Heading(label=column.label, url=url, direction=direction, is_number=is_number)


def can_sort(column: Column) -> bool:
    """Whether rows can be sorted by the column."""
    field_of = column.field
    if field_of.reference is not None:
        return not field_of.is_custom
    return kind_of(field_of).is_sortable


def list_dimensions(opened: OpenReport) -> list[GroupBy]:
    """Return the groups of the report and what goes across."""
    return [*opened.groups, *([opened.across] if opened.across else [])]


def describe_groups(opened: OpenReport, *, at: Sequence[str | None]) -> str:
    """Return the groups that identities name, such as `A-1, March 2026`; empty for all rows, and if there are none."""
    named = [
        (group, identity) for group, identity in zip(list_dimensions(opened), at, strict=False) if identity is not None
    ]
    if not named:
        return ""
    groups = [group for group, _ in named]
    sought = [GroupValue(identity=identity, cell=NOTHING) for _, identity in named]
    statement = open_groups(opened, groups=groups, among=[sought])
    row = next(iter(statement.records.order_by().values_list(*statement.names)[:1]), None)
    return ", ".join(each.text for each in statement.read_groups(row)) if row is not None else ""
