"""Reports run over records as one user sees them: rows, groups with subtotals, matrices, and what is behind figures."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.records.access import open_object
from ctms.records.fields.references import HIDDEN
from ctms.reports.definition import ReportDefinition, TypeDefinition, build_definition
from ctms.reports.engine.matrices import read_matrix
from ctms.reports.engine.opening import OpenReport, open_report
from ctms.reports.engine.rows import count_rows, iterate_rows, read_rows
from ctms.reports.engine.summaries import SummaryPage, read_summary
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.api.conftest import add_custom_field

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITIES = TypeDefinition(primary="crm_activity__v")
VISITS = TypeDefinition(
    primary="monitoring_event__ctms",
    related="monitoring_event_participant__ctms",
    reference="monitoring_event__v",
)


def ask(user: User, type_definition: TypeDefinition = ACTIVITIES, address: str = "", **stored: Any) -> OpenReport:
    definition: ReportDefinition = build_definition(type_definition=type_definition, stored=stored)
    opened = open_report(definition=definition, user=user, address=QueryDict(address))
    opened.require_valid()
    return opened


def create_reader(*studies: Any, more: Sequence[str] = ()) -> User:
    profile = SecurityProfileFactory.create(
        permissions=[
            f"{name}:read"
            for name in (
                "crm_activity__v",
                "study__v",
                "site__v",
                "person__sys",
                "monitoring_event__ctms",
                "monitoring_event_participant__ctms",
            )
        ]
        + list(more)
    )
    user = UserFactory.create(security_profile=profile)
    for study in studies:
        StudyAssignmentFactory.create(user=user, study=study)
    return user


def list_texts(opened: OpenReport, **options: Any) -> list[list[str]]:
    return [[cell.text for cell in row] for row in read_rows(opened, size=100, **options).rows]


def show(page: SummaryPage) -> list[tuple[list[str], list[str]]]:
    return [([each.text for each in line.values], [each.text for each in line.figures]) for line in page.lines]


def test_rows_have_fields_of_records_and_of_what_they_refer_to_in_the_order_asked_for() -> None:
    study = StudyFactory.create(name="ONCO-1")
    for subject, day in (("b", 2), ("a", 2), ("c", 1)):
        ActivityFactory.create(study=study, subject=subject, date=dt.date(2026, 3, day))
    opened = ask(
        get_admin_user(), columns=["subject__v", "study__v.name__v", "date__v"], sort=["-date__v", "subject__v"]
    )
    assert [row[:2] for row in list_texts(opened)] == [["a", "ONCO-1"], ["b", "ONCO-1"], ["c", "ONCO-1"]]
    first = read_rows(opened, size=2)
    assert [row[0].text for row in first.rows] == ["a", "b"]
    second = read_rows(opened, size=2, place=first.next)
    assert ([row[0].text for row in second.rows], second.before, second.next) == (["c"], 2, "")
    back = read_rows(opened, size=2, place=second.previous)
    assert ([row[0].text for row in back.rows], back.before, back.previous) == (["a", "b"], 0, "")
    assert (count_rows(opened), len(list(iterate_rows(opened)))) == (3, 3)


def test_conditions_of_the_report_and_of_the_address_must_all_hold() -> None:
    for channel in (Channel.PHONE, Channel.VIDEO):
        for subject in ("dose", "visit"):
            ActivityFactory.create(channel=channel, subject=f"{subject} {channel}")
    filters = [{"field": "channel__v", "operator": "is", "values": [Channel.PHONE]}]
    opened = ask(get_admin_user(), address="subject__v__contains=dose", filters=filters, columns=["subject__v"])
    assert list_texts(opened) == [[f"dose {Channel.PHONE}"]]


def test_groups_have_subtotals_and_a_total_and_each_figure_leads_to_what_it_counts() -> None:
    first, second = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for study, month, number in ((first, 1, 2), (first, 2, 1), (second, 2, 3)):
        for _ in range(number):
            ActivityFactory.create(study=study, date=dt.date(2026, month, 9))
    opened = ask(
        get_admin_user(),
        columns=["study__v"],
        groups=[{"column": "study__v"}, {"column": "date__v", "period": "month"}],
        measures=[{"function": "count"}, {"function": "distinct", "column": "person__v"}],
    )
    page = read_summary(opened, size=10)
    assert show(page) == [
        (["A-1"], ["3", "3"]),
        (["A-1", "January 2026"], ["2", "2"]),
        (["A-1", "February 2026"], ["1", "1"]),
        (["B-2"], ["3", "3"]),
        (["B-2", "February 2026"], ["3", "3"]),
    ]
    assert [each.text for each in page.total.figures] == ["6", "6"]
    assert all(count_rows(opened, at=line.at) == line.figures[0].value for line in page.lines)
    # A page that begins within a group says what it is part of, with the figures of the whole group.
    later = read_summary(opened, size=1, place=read_summary(opened, size=1).next)
    assert show(later) == [(["A-1"], ["3", "3"]), (["A-1", "February 2026"], ["1", "1"])]


def test_sums_of_figures_are_those_of_all_records_on_every_page() -> None:
    hours = add_custom_field(kind="number", object_name="crm_activity__v")
    for number in range(12):
        ActivityFactory.create(
            study=StudyFactory.create(name=f"A-{number}") if number % 4 == 0 else None,
            channel=(Channel.PHONE, Channel.VIDEO, Channel.EMAIL)[number % 3],
            date=dt.date(2026, 1 + number % 2, 9),
            custom_fields={hours: number} if number % 5 else {},
        )
    groups = [{"column": "channel__v"}, {"column": "study__v"}, {"column": "date__v", "period": "month"}]
    measures = [{"function": "count"}, {"function": "sum", "column": hours}]
    one_by_one = [*measures, {"function": "distinct", "column": "person__v"}]  # what cannot be added up

    def read_all(asked: list[dict[str, str]]) -> list[Any]:
        opened, place, found = ask(get_admin_user(), groups=groups, measures=asked), "", []
        while True:
            page = read_summary(opened, size=4, place=place)
            found += [([each.text for each in line.values], line.figures[:2]) for line in (*page.lines, page.total)]
            place = page.next
            if not place:
                return found

    assert read_all(measures) == read_all(one_by_one)


def test_groups_are_in_the_order_of_a_figure_over_pages_and_a_limit_keeps_the_first() -> None:
    for name, number in (("A-1", 1), ("B-2", 3), ("C-3", 2)):
        study = StudyFactory.create(name=name)
        for _ in range(number):
            ActivityFactory.create(study=study)
    group = {"column": "study__v", "by_measure": 0, "descending": True}
    opened = ask(get_admin_user(), groups=[group])
    pages, place = [], ""
    for _ in range(3):
        page = read_summary(opened, size=1, place=place)
        pages.append(show(page)[0])
        place = page.next
    assert pages == [(["B-2"], ["3"]), (["C-3"], ["2"]), (["A-1"], ["1"])]
    assert place == ""
    back = read_summary(opened, size=1, place=page.previous)
    assert show(back) == [(["C-3"], ["2"])]
    assert [line[0] for line in show(read_summary(ask(get_admin_user(), groups=[group], row_limit=2), size=10))] == [
        ["B-2"],
        ["C-3"],
    ]


def test_a_matrix_has_a_figure_for_each_group_across() -> None:
    study, other = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for channel in (Channel.PHONE, Channel.PHONE, Channel.VIDEO):
        ActivityFactory.create(study=study, channel=channel)
    ActivityFactory.create(study=other, channel=Channel.VIDEO)
    opened = ask(get_admin_user(), groups=[{"column": "study__v"}], across={"column": "channel__v"})
    page = read_matrix(opened, size=10)
    columns = [each.values[0].identity for each in page.across]
    assert columns == [Channel.PHONE, Channel.VIDEO]
    cells = [
        [line.cells[name][0].text if name in line.cells else "" for name in columns] + [line.figures[0].text]
        for line in page.lines
    ]
    assert cells == [["2", "1", "3"], ["", "1", "1"]]
    assert ([each.figures[0].text for each in page.across], page.total.figures[0].text) == (["2", "2"], "4")
    assert count_rows(opened, at=[page.lines[0].values[0].identity, Channel.PHONE]) == 2
    assert count_rows(opened, at=[None, Channel.VIDEO]) == 2


def test_related_records_make_a_row_each_and_a_record_without_any_is_a_row_of_its_own() -> None:
    visit, lonely = MonitoringEventFactory.create(name="V1"), MonitoringEventFactory.create(name="V2")
    people = [PersonFactory.create(first_name="Ada", last_name=name) for name in ("One", "Two")]
    for person in people:
        MonitoringEventParticipantFactory.create(monitoring_event=visit, person=person)
    mark = "monitoring_event_participant__ctms:"
    opened = ask(get_admin_user(), VISITS, columns=["name__v", f"{mark}person__v"], sort=["name__v"])
    rows = list_texts(opened)
    assert [row[0] for row in rows] == [str(visit), str(visit), str(lonely)]
    assert [bool(row[1]) for row in rows] == [True, True, False]
    assert count_rows(opened) == 3
    figures = [{"function": "count"}, {"function": "count", "column": mark}]
    total = read_summary(
        ask(get_admin_user(), VISITS, groups=[{"column": "status__v"}], measures=figures), size=10
    ).total
    assert [each.value for each in total.figures] == [2, 2]
    narrowed = ask(
        get_admin_user(),
        VISITS,
        columns=["name__v"],
        related_filters=[{"field": "person__v", "operator": "is", "values": [str(people[0].uid)]}],
    )
    assert list_texts(narrowed) == [[str(visit)]]


def test_readers_get_the_rows_columns_and_counts_that_they_see_and_no_trace_of_others() -> None:
    mine, hidden = StudyFactory.create(name="MINE"), StudyFactory.create(name="SECRET")
    user = create_reader(mine)
    site = StudySiteFactory.create(study_country=StudyCountryFactory.create(study=mine))
    person, stranger = PersonFactory.create(last_name="Known"), PersonFactory.create(last_name="Stranger")
    for study, who in ((mine, person), (hidden, stranger)):
        ActivityFactory.create(study=study, person=who, site=site if study is mine else None)
    groups = [{"column": "study__v"}, {"column": "person__v"}]
    page = read_summary(ask(user, groups=groups), size=10)
    seen = open_object(user=user, object_name="crm_activity__v").list_records()
    expected = Counter(str(each.study) for each in seen)
    assert {line.values[0].text: line.figures[0].value for line in page.lines if line.level == 1} == dict(expected)
    assert "SECRET" not in repr(page)
    assert "Stranger" not in repr(page)


def test_records_referred_to_that_are_hidden_are_said_to_be_and_gather_in_one_group() -> None:
    study = StudyFactory.create()
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "study__v:read"])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    country = StudyCountryFactory.create(study=study)
    for _ in range(2):
        site = StudySiteFactory.create(study_country=country)
        ActivityFactory.create(study=study, site=site)
    ActivityFactory.create(study=study)
    opened = ask(user, columns=["site__v"], groups=[{"column": "site__v"}])
    assert sorted(row[0] for row in list_texts(opened)) == ["", HIDDEN, HIDDEN]
    assert show(read_summary(opened, size=10)) == [(["(empty)"], ["1"]), ([HIDDEN], ["2"])]
    assert [count_rows(opened, at=[name]) for name in ("", "hidden")] == [1, 2]


def test_the_number_of_statements_does_not_depend_on_the_rows() -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            opened = ask(get_admin_user(), columns=["study__v", "person__v.name__v"], groups=[{"column": "study__v"}])
            read_summary(opened, size=50)
            read_rows(opened, size=50)
        return len(captured)

    ActivityFactory.create(study=StudyFactory.create())
    few = count()
    for _ in range(5):
        ActivityFactory.create(study=StudyFactory.create())
    assert Activity.objects.count() == 6
    assert count() == few
