"""The page of a report: its result, the rows behind figures, conditions, prompts, and what can go wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities.choices import Channel
from ctms.reports.errors import ReportTooSlowError
from ctms.reports.models import Report
from ctms.reports.pages import report_page
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.reports.pages.people import READS, create_user, log_in

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def read_page(client: Client, report: Report, address: str = "") -> Any:
    response = client.get(f"{reverse('report', args=(report.uid,))}{address}")
    assert response.status_code == 200
    return response.context["page"]


def list_texts(page: Any) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in page.table.rows]


def test_rows_are_paged_and_sorted_by_their_headings() -> None:
    user = create_user()
    report = ReportFactory.create(owner=user, columns=["subject__v", "date__v"], sort=["subject__v"])
    for number in range(26):
        ActivityFactory.create(subject=f"s{number:02}", date=dt.date(2026, 1, 1) + dt.timedelta(days=number))
    client = log_in(user)
    first = read_page(client, report, "?size=25")
    assert (first.shown, len(first.table.rows), first.first_url) == ("1–25 of 26", 25, "")
    second = client.get(first.next_url).context["page"]
    assert (second.shown, list_texts(second)[0][0]) == ("26–26 of 26", "s25")
    date = first.table.heads[0][1]
    down = client.get(date.url).context["page"]
    assert down.table.heads[0][1].direction == "descending"
    assert list_texts(down)[0][0] == "s25"


def test_each_figure_of_groups_leads_to_the_rows_that_it_counts() -> None:
    user = create_user()
    study, other = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for of_study, month, number in ((study, 1, 2), (study, 2, 1), (other, 2, 3)):
        for _ in range(number):
            ActivityFactory.create(study=of_study, date=dt.date(2026, month, 9))
    groups = [{"column": "study__v"}, {"column": "date__v", "period": "month"}]
    report = ReportFactory.create(owner=user, columns=["study__v", "subject__v"], groups=groups)
    client = log_in(user)
    page = read_page(client, report)
    assert list_texts(page) == [
        ["A-1", "", "3"],
        ["", "January 2026", "2"],
        ["", "February 2026", "1"],
        ["B-2", "", "3"],
        ["", "February 2026", "3"],
    ]
    assert [cell.text for cell in page.table.foot] == ["Total", "", "6"]
    for row in [*page.table.rows, page.table]:
        figure = (row.foot if row is page.table else row.cells)[-1]
        behind = client.get(figure.url).context["page"]
        assert len(behind.table.rows) == int(figure.text)
    behind = client.get(page.table.rows[1].cells[-1].url).context["page"]
    assert behind.behind == "A-1, January 2026"
    assert behind.whole_url == reverse("report", args=(report.uid,))


def test_each_figure_of_a_matrix_leads_to_the_rows_that_it_counts() -> None:
    user = create_user()
    study = StudyFactory.create(name="A-1")
    for channel in (Channel.PHONE, Channel.PHONE, Channel.VIDEO):
        ActivityFactory.create(study=study, channel=channel)
    ActivityFactory.create(study=StudyFactory.create(name="B-2"), channel=Channel.VIDEO)
    report = ReportFactory.create(
        owner=user,
        columns=[],
        groups=[{"column": "study__v"}],
        across={"column": "channel__v"},
        measures=[{"function": "count"}, {"function": "distinct", "column": "person__v"}],
    )
    client = log_in(user)
    table = read_page(client, report).table
    assert [each.label for each in table.heads[0]] == ["Study", "Phone", "Video", "Total"]
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["A-1", "2", "2", "1", "1", "3", "3"],
        ["B-2", "", "", "1", "1", "1", "1"],
    ]
    figures = [cell for row in [*[each.cells for each in table.rows], table.foot] for cell in row[1::2] if cell.url]
    assert len(figures) == 8
    for figure in figures:
        behind = client.get(figure.url).context["page"]
        assert len(behind.table.rows) == int(figure.text), figure
        assert behind.table.heads[0][0].label == "Study"  # a report without columns shows those of its groups


@pytest.mark.parametrize(
    "at", ["", "[", "5", "{}", '["1","2","3"]', '["x"]', "[1]", '["99999999999999999999999"]', "[" * 9999]
)
def test_an_address_that_names_no_group_is_told_so(at: str) -> None:
    user = create_user()
    ActivityFactory.create()
    report = ReportFactory.create(owner=user, groups=[{"column": "study__v"}])
    response = log_in(user).get(reverse("report", args=(report.uid,)), {"at": at})
    assert response.status_code == 200
    page = response.context["page"]
    assert bool(page.problems) or not at or page.is_empty


def test_conditions_stand_in_words_and_prompts_narrow_the_report() -> None:
    user = create_user()
    for channel in (Channel.PHONE, Channel.VIDEO):
        for subject in ("dose", "visit"):
            ActivityFactory.create(channel=channel, subject=subject)
    report = ReportFactory.create(
        owner=user,
        columns=["subject__v"],
        filters=[{"field": "channel__v", "operator": "is", "values": [Channel.PHONE]}],
        prompts=["subject__v", "study__v"],
    )
    client = log_in(user)
    page = read_page(client, report)
    assert [(chip.label, chip.text) for chip in page.chips] == [("Channel", "Phone")]
    assert [row.label for row in page.prompts.rows] == ["Subject", "Study"]
    prompts = reverse("report_prompts", args=(report.uid,))
    typed = {
        "condition": ["subject__v", "study__v"],
        "place": ["", ""],
        "number": ["0", "1"],
        "c0-operator": "contains",
        "c0-value": "do",
        "c1-operator": "is",
    }
    answer = client.get(prompts, typed)
    assert answer.headers["Location"] == f"{reverse('report', args=(report.uid,))}?subject__v__contains=do"
    narrowed = client.get(answer.headers["Location"]).context["page"]
    assert list_texts(narrowed) == [["dose"]]
    assert narrowed.prompts.rows[0].values == ["do"]
    # Another value of a prompt is asked for without a script; one that is removed is blank again.
    more = client.get(prompts, typed | {"more": "0"}).context["page"]
    assert more.prompts.rows[0].single_values == ["do", ""]
    removed = client.get(prompts, typed | {"remove": "0"}).context["page"]
    assert [row.values for row in removed.prompts.rows] == [[], []]


def test_readers_are_told_as_whom_the_report_runs_and_ask_by_its_prompts_alone() -> None:
    owner, reader = create_user(first_name="Olga", last_name="Owner"), create_user("report__sys:read", *READS)
    ActivityFactory.create(subject="dose")
    report = ReportFactory.create(owner=owner, run_as_owner=True, columns=["subject__v"])
    ReportShareFactory.create(report=report, user=reader)
    client = log_in(reader)
    content = client.get(reverse("report", args=(report.uid,))).content.decode()
    assert "Runs as its owner Olga Owner: you see what Olga Owner may see." in content
    assert "prompts alone" in read_page(client, report, "?subject__v__contains=do").problems[0].text
    assert client.get(reverse("report", args=(ReportFactory.create().uid,))).status_code == 404


def test_what_is_wrong_with_a_report_is_said_with_the_way_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    user = create_user()
    report = ReportFactory.create(owner=user, columns=["subject__v", "gone__c"])
    client = log_in(user)
    content = client.get(reverse("report", args=(report.uid,))).content.decode()
    assert "has no column gone__c" in content
    assert reverse("report_edit", args=(report.uid,)) in content
    ActivityFactory.create()
    sound = ReportFactory.create(owner=user)
    assert "narrowed by nonsense" in read_page(client, sound, "?nonsense=1").problems[0].text
    assert read_page(client, sound, "?place=nonsense").problems

    def stop(*_: Any, **__: Any) -> None:
        raise ReportTooSlowError("The report was stopped after 60 seconds, before it was ready.")

    monkeypatch.setattr(report_page, "build_rows", stop)
    assert "stopped after 60 seconds" in client.get(reverse("report", args=(sound.uid,))).content.decode()


def test_a_chart_that_takes_too_long_is_told_of_and_the_figures_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    user = create_user()
    report = ReportFactory.create(
        owner=user, columns=["study__v"], groups=[{"column": "study__v"}], chart={"kind": "bar", "measure": 0}
    )
    ActivityFactory.create(study=StudyFactory.create(name="A-1"))
    client = log_in(user)
    assert read_page(client, report).chart is not None

    def stop(*_: Any, **__: Any) -> None:
        raise ReportTooSlowError("The report was stopped after 60 seconds, before it was ready.")

    monkeypatch.setattr(report_page, "build_chart", stop)
    content = client.get(reverse("report", args=(report.uid,))).content.decode()
    assert "There is no chart: it took too long to draw." in content
    assert "A-1" in content


def test_a_page_takes_as_many_statements_for_many_rows_as_for_one() -> None:
    user = create_user()
    report = ReportFactory.create(
        owner=user, columns=["subject__v", "study__v", "person__v.name__v"], groups=[{"column": "study__v"}]
    )
    client = log_in(user)

    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            read_page(client, report, address)
        return len(statements)

    ActivityFactory.create()
    for address in ("", "?at=[]"):
        count(address)
    few = [count(address) for address in ("", "?at=[]")]
    for _ in range(5):
        ActivityFactory.create()
    assert [count(address) for address in ("", "?at=[]")] == few


def test_what_people_typed_is_shown_as_text() -> None:
    user = create_user()
    report = ReportFactory.create(owner=user, name="<b>name</b>", description="<i>words</i>", columns=["subject__v"])
    ActivityFactory.create(subject="<script>alert(1)</script>")
    content = log_in(user).get(reverse("report", args=(report.uid,))).content.decode()
    assert not any(tag in content for tag in ("<b>name", "<i>words", "<script>alert"))
    assert content.count("&lt;script&gt;") == 1
