"""The page of a report that is printed: its lines, what it says of itself, and where it is cut."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from time_machine import travel

from activities.choices import Channel
from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.reports.models import Report
from ctms.reports.outputs import views
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, time_zone="Europe/Berlin", first_name="Ada", last_name="Admin")
    client.force_login(user)
    return user


def read(client: Client, report: Report, query: str = "") -> str:
    response = client.get(f"/reports/{report.uid}/print/?{query}")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    return response.content.decode()


def list_lines(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.DOTALL)
    return [[unescape(text) for text in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def create_calls() -> None:
    study, other = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for where, channel in (
        (study, Channel.PHONE),
        (study, Channel.VIDEO),
        (study, Channel.VIDEO),
        (other, Channel.PHONE),
    ):
        ActivityFactory.create(study=where, channel=channel, subject=f"<b>{channel}")


@travel(dt.datetime(2026, 3, 4, 23, 30, tzinfo=dt.UTC))
def test_a_page_says_its_conditions_who_printed_it_and_when(client: Client, user: User) -> None:
    create_calls()
    filters = [{"field": "channel__v", "operator": "is", "values": [Channel.PHONE]}]
    report = ReportFactory.create(
        owner=user, name="Calls & more", columns=["subject__v", "study__v"], sort=["study__v"], filters=filters
    )
    html = read(client, report, "study__v.name__v=A-1")
    assert list_lines(html) == [["Subject", "Study"], ["<b>phone__v", "A-1"]]
    assert "<b>" not in html
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "Calls &amp; more Printed by Ada Admin on 5 Mar 2026, 00:30 (Europe/Berlin)." in text
    assert "Conditions Channel: Phone Study: Study number: A-1" in text.replace(" · ", ": ")
    entry = AuditEntry.objects.filter(action=AuditAction.EXPORTED).get()
    assert (entry.changes["format"], entry.changes["records"]) == ([None, "print"], [None, 1])


def test_a_summary_and_a_matrix_are_printed_as_on_the_screen(client: Client, user: User) -> None:
    create_calls()
    groups = [{"column": "study__v"}, {"column": "channel__v"}]
    summary = read(client, ReportFactory.create(owner=user, groups=groups))
    assert list_lines(summary) == [
        ["Study", "Channel", "Activities"],
        ["A-1", "", "3"],
        ["", "Phone", "1"],
        ["", "Video", "2"],
        ["B-2", "", "1"],
        ["", "Phone", "1"],
        ["Total", "", "4"],
    ]
    assert [summary.count(f'<tr class="{weight}">') for weight in ("subtotal", "total")] == [2, 1]
    matrix = ReportFactory.create(owner=user, groups=groups[:1], across=groups[1])
    assert list_lines(read(client, matrix)) == [
        ["Study", "Phone", "Video", "Total"],
        ["A-1", "1", "2", "3"],
        ["B-2", "1", "", "1"],
        ["Total", "2", "2", "4"],
    ]
    behind = list_lines(read(client, matrix, f'at=[null,"{Channel.VIDEO}"]'))
    assert [len(behind), behind[0]] == [3, ["Name"]]


@pytest.mark.parametrize("stored", [{}, {"groups": [{"column": "subject__v"}]}])
def test_a_long_page_is_cut_and_says_so(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch, stored: dict[str, Any]
) -> None:
    monkeypatch.setattr(views, "MOST_PRINTED", 2)
    for number in range(3):
        ActivityFactory.create(subject=f"n{number}")
    html = read(client, ReportFactory.create(owner=user, columns=["subject__v"], **stored))
    shown = [line[0] for line in list_lines(html)]
    assert ("n1" in shown, "n2" in shown, "Cut:" in html) == (True, False, True)
