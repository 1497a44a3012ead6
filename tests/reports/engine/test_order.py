"""The order of rows and groups, and pages of it: without a value, with equal values, upwards and downwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from ctms.audit.services import create_records
from ctms.reports.definition import TypeDefinition
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import count_rows, iterate_rows, read_rows
from ctms.reports.engine.summaries import read_summary
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import MonitoringEventFactory, PersonFactory
from tests.reports.engine.test_custom_fields import add_field, ask_trainings
from tests.reports.engine.test_engine import ask
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

VISITS = TypeDefinition(primary="monitoring_event__ctms")


def walk(read: Callable[[str], Any], tell: Callable[[Any], list[Any]]) -> tuple[list[Any], list[Any]]:
    """Return what the pages have forwards, and backwards from the last."""
    forwards, page = [], read("")
    forwards += tell(page)
    while page.next:
        page = read(page.next)
        forwards += tell(page)
    backwards = tell(page)
    while page.previous:
        page = read(page.previous)
        backwards = tell(page) + backwards
    assert page.before == 0
    return forwards, backwards


def walk_rows(opened: OpenReport, size: int) -> list[list[str]]:
    everything = [[cell.text for cell in row] for row in iterate_rows(opened)]
    found = walk(
        lambda place: read_rows(opened, size=size, place=place),
        lambda page: [[cell.text for cell in row] for row in page.rows],
    )
    assert found == (everything, everything)
    return everything


def walk_groups(opened: OpenReport, size: int) -> list[list[str]]:
    last = len(opened.groups)
    whole = [line for line in read_summary(opened, size=100).lines if line.level == last]
    everything = [[*(each.text for each in line.values), line.figures[0].text] for line in whole]
    found = walk(
        lambda place: read_summary(opened, size=size, place=place),
        lambda page: [
            [*(each.text for each in line.values), line.figures[0].text] for line in page.lines if line.level == last
        ],
    )
    assert found == (everything, everything)
    assert [count_rows(opened, at=line.at) for line in whole] == [line.figures[0].value for line in whole]
    return everything


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("sign", ["", "-"])
def test_rows_without_a_value_come_last_and_equal_ones_are_on_one_page_each(sign: str, size: int) -> None:
    for day, end in ((1, None), (None, 3), (1, 2), (None, None), (2, 2), (1, None)):
        MonitoringEventFactory.create(
            planned_start=day and dt.date(2026, 3, day), planned_end=None, actual_end=end and dt.date(2026, 4, end)
        )
    opened = ask(
        get_admin_user(),
        VISITS,
        columns=["planned_start_date__v", "actual_end_date__v"],
        sort=[f"{sign}planned_start_date__v", "-actual_end_date__v"],
    )
    rows = walk_rows(opened, size)
    days = [row[0] for row in rows]
    assert days[-2:] == ["", ""]
    assert [row[1] for row in rows[-2:]] == ["03 Apr 2026", ""] or rows[-1][1] == ""
    assert days[:4] == sorted(days[:4], reverse=bool(sign))
    groups = [{"column": "planned_start_date__v", "descending": bool(sign)}, {"column": "actual_end_date__v"}]
    assert walk_groups(ask(get_admin_user(), VISITS, groups=groups), size)[-1] == ["(empty)", "(empty)", "1"]


@pytest.mark.parametrize("descending", [False, True])
def test_texts_that_differ_in_case_or_accents_are_groups_of_their_own_and_none_is_lost(descending: bool) -> None:
    subjects = ["resume", "Resume", "résumé", "RESUME", "", "resume", "a", "Z", "ä"]
    for each in subjects:
        ActivityFactory.create(subject=each)
    opened = ask(
        get_admin_user(),
        columns=["subject__v"],
        sort=["-subject__v" if descending else "subject__v"],
        groups=[{"column": "subject__v", "descending": descending}],
    )
    for size in (1, 2, 4):
        assert sorted(row[0] for row in walk_rows(opened, size)) == sorted(subjects)
        groups = walk_groups(opened, size)
        assert {row[0]: int(row[1]) for row in groups} == {each or "(empty)": subjects.count(each) for each in subjects}
        assert groups[-1][0] == "(empty)"


def test_groups_in_the_order_of_figures_that_are_no_short_fractions_lose_none() -> None:
    add_field("number")
    for numbers in ((0.1, 0.2), (0.3,), (1, 1, 2), (0.1, 0.1, 0.1), (2 / 3,)):
        trainee = PersonFactory.create()
        records = [Training(name="T", trainee=trainee, custom_fields={"number__c": each}) for each in numbers]
        create_records(records=records, actor=build_admin_actor())
    for function in ("sum", "average"):
        for descending in (False, True):
            opened = ask_trainings(
                groups=[{"column": "trainee__v", "by_measure": 0, "descending": descending}],
                measures=[{"function": function, "column": "number__c"}, {}],
            )
            assert len(walk_figures(opened, 1)) == 5


def walk_figures(opened: OpenReport, size: int) -> list[str]:
    found = walk(
        lambda place: read_summary(opened, size=size, place=place),
        lambda page: [line.figures[0].text for line in page.lines],
    )
    assert found[0] == found[1] == [line.figures[0].text for line in read_summary(opened, size=100).lines]
    return found[0]


def test_namesakes_are_two_groups() -> None:
    for _ in range(2):
        person = PersonFactory.create(first_name="Ann", last_name="Smith")
        ActivityFactory.create(person=person)
    rows = walk_groups(ask(get_admin_user(), groups=[{"column": "person__v"}]), 1)
    assert [row[1] for row in rows] == ["1", "1"]


@pytest.mark.parametrize(
    ("zone", "months", "weeks"),
    [
        ("UTC", ["February 2026", "March 2026"], ["Week 9, 2026"]),
        ("Europe/Vienna", ["March 2026"], ["Week 9, 2026"]),
        ("Pacific/Auckland", ["March 2026"], ["Week 9, 2026"]),
        ("America/New_York", ["February 2026"], ["Week 9, 2026"]),
    ],
)
def test_moments_belong_to_the_month_of_the_readers_time_zone(zone: str, months: list[str], weeks: list[str]) -> None:
    for moment in (dt.datetime(2026, 2, 28, 23, 30, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)):
        with time_machine.travel(moment, tick=False):
            ActivityFactory.create()
    with timezone.override(ZoneInfo(zone)):
        by_month = ask(get_admin_user(), groups=[{"column": "created_date__v", "period": "month"}])
        assert [row[0] for row in walk_groups(by_month, 1)] == months
        by_week = ask(get_admin_user(), groups=[{"column": "created_date__v", "period": "week"}])
        assert [row[0] for row in walk_groups(by_week, 1)] == weeks
