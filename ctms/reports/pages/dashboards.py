"""The form of a dashboard, the tile of a report, and the panel of the home page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from ctms.accounts.models import User
from ctms.core.charts import Chart
from ctms.records.pages.home import HomePanel, HomeRequest, Place
from ctms.reports.access import StoredReport, list_reports, run_stored
from ctms.reports.dashboards import MOST_TILES, find_home_dashboard
from ctms.reports.engine.columns import Column
from ctms.reports.errors import InvalidReportError, Problem, ReportTooSlowError
from ctms.reports.models import Dashboard, DashboardTile, Report
from ctms.reports.outputs.chart import build_chart
from ctms.reports.pages.tables import Heading, Table, build_groups, build_rows

_SIZE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """The beginning of a report: its chart, else its first rows or groups, else what is wrong with it."""

    stored: StoredReport
    chart: Chart | None = None
    table: Table | None = None
    problems: tuple[Problem, ...] = ()


def build_tile(stored: StoredReport) -> Tile:
    """Run a report for its tile."""
    try:
        opened = run_stored(stored)
        opened.require_valid()
        chart = build_chart(opened, title=stored.report.name)
        if chart is not None:
            return Tile(stored=stored, chart=chart)
        if opened.is_grouped:
            return Tile(stored=stored, table=build_groups(opened, size=_SIZE, place="", find_rows=lambda _: ""))
        table = build_rows(opened, size=_SIZE, place="", at=(), build_heading=_build_heading)
    except InvalidReportError as error:
        return Tile(stored=stored, problems=tuple(error.problems))
    except ReportTooSlowError as error:
        return Tile(stored=stored, problems=(Problem(part="result", text=str(error)),))
    return Tile(stored=stored, table=table)


class DashboardForm(forms.Form):
    """Name, reports in their order, and whether everybody sees the dashboard."""

    name = forms.CharField(max_length=128)
    is_shared = forms.BooleanField(
        label="Shared with everybody",
        required=False,
        help_text="Each sees those of its reports that are shared with them.",
    )

    def __init__(self, *args: Any, user: User, dashboard: Dashboard, **kwargs: Any) -> None:
        chosen = list(DashboardTile.objects.filter(dashboard_id=dashboard.pk).values_list("report", flat=True))
        initial = {"name": dashboard.name, "is_shared": dashboard.is_shared}
        initial |= {f"report_{number}": key for number, key in enumerate(chosen)}
        super().__init__(*args, **kwargs)
        self.initial = initial
        self._reports = {str(each.report.pk): each.report for each in list_reports(user)}
        # A report that is on it, though this user does not see it, stays.
        self._kept = [key for key in chosen if str(key) not in self._reports]
        choices = [("", "No report"), *((key, report.name) for key, report in self._reports.items())]
        hidden = [(str(key), "(not visible to you)") for key in self._kept]
        for number in range(MOST_TILES):
            self.fields[f"report_{number}"] = forms.ChoiceField(
                label=f"Report {number + 1}", choices=[*choices, *hidden], required=False
            )

    def list_chosen(self) -> list[Report]:
        """Return the reports in their order, each once."""
        keys = [self.cleaned_data.get(f"report_{number}", "") for number in range(MOST_TILES)]
        found = {**self._reports, **{str(each.pk): each for each in Report.objects.filter(pk__in=self._kept)}}
        return [found[key] for key in dict.fromkeys(filter(None, keys))]


def build_home_panel(request: HomeRequest) -> dict[str, Any] | None:
    """Return the dashboard that the user put on the home page; None for no panel."""
    seen = find_home_dashboard(request.user)
    return {"title": seen.dashboard.name, "seen": seen} if seen is not None and seen.reports else None


HOME_DASHBOARD = HomePanel(
    key="dashboard",
    title="Dashboard",
    template="reports/dashboards/home.html",
    build=build_home_panel,
    place=Place.WIDE,
)


def _build_heading(column: Column) -> Heading:
    return Heading(label=column.label, is_number=column.is_number)
