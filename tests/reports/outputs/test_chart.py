"""The chart of a report: what its categories, series and figures are, where they lead, and what is left out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from activities.choices import Channel
from ctms.core.charts import Chart, ChartKind, render_chart
from ctms.reports.engine.rows import count_rows
from ctms.reports.outputs import chart as charts
from ctms.reports.outputs.chart import build_chart
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory
from tests.records.api.conftest import add_custom_field
from tests.reports.engine.test_engine import ask

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

STUDY, CHANNEL, MONTH = {"column": "study__v"}, {"column": "channel__v"}, {"column": "date__v", "period": "month"}


def link(at: Sequence[str | None]) -> str:
    return f"/reports/x/?at={json.dumps(at)}"


def draw(kind: str = "bar", measure: int = 0, **stored: Any) -> Chart:
    opened = ask(get_admin_user(), chart={"kind": kind, "measure": measure}, **stored)
    chart = build_chart(opened, title="Calls", find_rows=link)
    assert chart is not None
    render_chart(chart)
    for series in chart.series:
        for value, url in zip(series.values, series.links, strict=True):
            if url and not measure:
                assert count_rows(opened, at=json.loads(url.partition("=")[2])) == value
    return chart


def list_series(chart: Chart) -> dict[str, list[Any]]:
    return {each.label: list(each.values) for each in chart.series}


def create_calls() -> None:
    first, second = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for study, month, channel, number in (
        (first, 1, Channel.PHONE, 2),
        (first, 4, Channel.VIDEO, 1),
        (second, 2, Channel.PHONE, 3),
    ):
        for _ in range(number):
            ActivityFactory.create(study=study, date=dt.date(2026, month, 9), channel=channel)


def test_the_first_group_makes_categories_and_the_second_or_what_goes_across_series() -> None:
    create_calls()
    one = draw(groups=[STUDY])
    assert (one.kind, one.categories, list_series(one)) == (ChartKind.BAR, ("A-1", "B-2"), {"Activities": [3, 3]})
    two = draw("stacked", groups=[STUDY, CHANNEL])
    across = draw("stacked", groups=[STUDY], across=CHANNEL)
    assert list_series(two) == list_series(across) == {"Phone": [2, 3], "Video": [1, 0]}
    assert (two.kind, two.title, two.value_label) == (ChartKind.STACKED, "Calls", "Activities")
    deep = draw("stacked", groups=[STUDY, MONTH], across=CHANNEL)
    assert list_series(deep) == list_series(across)
    assert list_series(draw("donut", groups=[STUDY, CHANNEL])) == {"Activities": [3, 3]}


def test_a_chart_stands_above_the_groups_of_a_report(client: Client) -> None:
    create_calls()
    user = get_admin_user()
    client.force_login(user)
    report = ReportFactory.create(owner=user, groups=[STUDY, CHANNEL], chart={"kind": "stacked", "measure": 0})
    html = client.get(f"/reports/{report.uid}/").content.decode()
    assert html.index('class="chart') < html.index("<table")
    assert "/?at=" in html[html.index('class="chart') : html.index("<table")]
    behind = client.get(f'/reports/{report.uid}/?at=[null,"{Channel.PHONE}"]').content.decode()
    assert 'class="chart' not in behind


def test_months_without_rows_are_steps_as_others_are() -> None:
    create_calls()
    chart = draw("line", groups=[MONTH, STUDY])
    assert chart.ordered
    assert chart.categories == ("January 2026", "February 2026", "March 2026", "April 2026")
    assert list_series(chart) == {"A-1": [2, 0, 0, 1], "B-2": [0, 3, 0, 0]}
    turned = draw("line", groups=[{**MONTH, "descending": True}])
    assert list_series(turned) == {"Activities": [1, 0, 3, 2]}


def test_what_a_chart_leaves_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    create_calls()
    ActivityFactory.create(study=None, channel=Channel.EMAIL)
    monkeypatch.setattr(charts, "MOST_CATEGORIES", 2)
    monkeypatch.setattr(charts, "MOST_SERIES", 2)
    few = draw(groups=[STUDY])
    assert (few.title, few.categories) == ("Calls (first 2 of Study)", ("A-1", "B-2"))
    gathered = draw("stacked", groups=[STUDY, CHANNEL])
    assert list_series(gathered) == {"Phone": [2, 3], "Others": [1, 0]}
    assert gathered.series[1].links == ("", "")
    measures = [{"function": "distinct", "column": "person__v"}]
    greatest = draw("stacked", groups=[STUDY, CHANNEL], measures=measures)
    assert (greatest.kind, greatest.title) == (
        ChartKind.BAR,
        "Calls (first 2 of Study; the greatest 1 of Channel)",
    )


def test_amounts_are_never_added_over_currencies() -> None:
    money = add_custom_field(kind="currency", object_name="crm_activity__v")
    for channel, amount, code in (
        (Channel.PHONE, "1.50", "EUR"),
        (Channel.PHONE, "9", "JPY"),
        (Channel.VIDEO, "7", "JPY"),
    ):
        study = StudyFactory.create(name=f"{channel} {code}")
        ActivityFactory.create(
            channel=channel, study=study, custom_fields={money: {"amount": amount, "currency": code}}
        )
    measures = [{"function": "count"}, {"function": "sum", "column": money}]
    one = draw("stacked", 1, groups=[CHANNEL], measures=measures)
    assert (one.kind, one.unit) == (ChartKind.BAR, "")
    assert {label: [float(value or 0) for value in values] for label, values in list_series(one).items()} == {
        "Sum of Currency (EUR)": [1.5, 0],
        "Sum of Currency (JPY)": [9, 7],
    }
    two = draw("stacked", 1, groups=[CHANNEL, STUDY], measures=measures)
    assert (two.title, two.unit, two.series[0].values) == ("Calls (EUR only)", "EUR", (Decimal("1.5"), 0))


def test_a_report_without_groups_or_with_a_chart_that_cannot_be_drawn_has_none() -> None:
    ActivityFactory.create()
    greatest = [{"function": "greatest", "column": "date__v"}]
    for stored in (
        {"columns": ["name__v"], "chart": {"kind": "bar"}},
        {"groups": [STUDY]},
        {"groups": [STUDY], "chart": {"kind": "pie"}},
        {"groups": [STUDY], "chart": {"kind": "bar", "measure": 3}},
        {"groups": [STUDY], "chart": {"kind": "bar", "measure": "x"}},
        {"groups": [STUDY], "chart": {"kind": "bar"}, "measures": greatest},
    ):
        assert build_chart(ask(get_admin_user(), **stored), title="") is None, stored
