"""Files of reports: their lines and typed cells, who gets them, their names, and what the audit trail says of them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tracemalloc
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.choices import Channel
from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.reports.engine import limits
from ctms.reports.engine.matrices import read_matrix
from ctms.reports.engine.summaries import read_summary
from ctms.reports.models import Report
from ctms.reports.outputs import files, tables
from ctms.reports.outputs.files import build_disposition, build_file_name, write_file
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.records.api.conftest import add_custom_field
from tests.reports.engine.test_engine import ask, create_reader

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, time_zone="Europe/Berlin")
    client.force_login(user)
    return user


def read_bytes(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def read_csv(client: Client, report: Report, query: str = "") -> list[list[str]]:
    content = read_bytes(client.get(f"/reports/{report.uid}/export.csv?{query}")).decode()
    return list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))


def read_sheet(client: Client, report: Report, query: str = "") -> Any:
    content = read_bytes(client.get(f"/reports/{report.uid}/export.xlsx?{query}"))
    return openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]


def list_rows(sheet: Any) -> list[list[Any]]:
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_rows_have_typed_cells_below_a_heading_that_stays_and_filters(client: Client, user: User) -> None:
    money = add_custom_field(kind="currency", object_name="crm_activity__v")
    with travel(dt.datetime(2026, 3, 9, 23, 30, tzinfo=dt.UTC), tick=False):
        ActivityFactory.create(
            study=StudyFactory.create(name="ONCO-1"),
            subject="=1+1",
            date=dt.date(2026, 3, 9),
            custom_fields={money: {"amount": "12.50", "currency": "EUR"}},
        )
    ActivityFactory.create(study=None, subject="b", date=dt.date(2026, 3, 10))
    columns = ["subject__v", "study__v.name__v", "study__v", "date__v", "created_date__v", "complete__v", money]
    report = ReportFactory.create(owner=user, columns=columns, sort=["date__v"], row_limit=1)
    sheet = read_sheet(client, report)
    moment = dt.datetime.fromisoformat("2026-03-10T00:30")
    assert list_rows(sheet) == [
        [
            "Subject",
            "Study: Study number",
            "Study",
            "Date",
            "Created date",
            "Complete",
            "Currency",
            "Currency (currency)",
        ],
        ["=1+1", "ONCO-1", "ONCO-1", dt.datetime.fromisoformat("2026-03-09"), moment, "No", 12.5, "EUR"],
    ]
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet["A2"].data_type) == ("A2", "A1:H2", "s")
    assert read_csv(client, report)[1][:5] == ["'=1+1", "ONCO-1", "ONCO-1", "2026-03-09", "2026-03-10 00:30:00"]


def test_a_summary_repeats_its_groups_and_says_which_lines_are_sums(client: Client, user: User) -> None:
    number = add_custom_field(kind="number", object_name="crm_activity__v")
    first, second = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for study, month, hours in ((first, 1, 2.5), (first, 1, 1), (first, 2, 4), (second, 2, None)):
        custom = {} if hours is None else {number: hours}
        ActivityFactory.create(study=study, date=dt.date(2026, month, 9), custom_fields=custom)
    ActivityFactory.create(study=None, date=dt.date(2026, 2, 9))
    report = ReportFactory.create(
        owner=user,
        groups=[{"column": "study__v"}, {"column": "date__v", "period": "month"}],
        measures=[
            {"function": "count"},
            {"function": "sum", "column": number},
            {"function": "greatest", "column": "date__v"},
        ],
    )
    rows = list_rows(read_sheet(client, report))
    late, early = dt.datetime.fromisoformat("2026-02-09"), dt.datetime.fromisoformat("2026-01-09")
    assert rows == [
        ["Line", "Study", "Date (month)", "Activities", "Sum of Number", "Greatest Date"],
        ["Subtotal", "A-1", None, 3, 7.5, late],
        ["Group", "A-1", "2026-01", 2, 3.5, early],
        ["Group", "A-1", "2026-02", 1, 4, late],
        ["Subtotal", "B-2", None, 1, None, late],
        ["Group", "B-2", "2026-02", 1, None, late],
        ["Subtotal", "(empty)", None, 1, None, late],
        ["Group", "(empty)", "2026-02", 1, None, late],
        ["Total", None, None, 5, 7.5, late],
    ]
    report.row_limit = 1
    save_record(record=report, actor=build_admin_actor())
    assert [row[0] for row in read_csv(client, report)[1:]] == ["Subtotal", "Group", "Total"]


def test_amounts_have_a_column_for_each_currency(client: Client, user: User) -> None:
    money = add_custom_field(kind="currency", object_name="crm_activity__v")
    for channel, amount, code in (
        (Channel.PHONE, "1.50", "EUR"),
        (Channel.PHONE, "2.25", "EUR"),
        (Channel.PHONE, "300", "JPY"),
        (Channel.VIDEO, "7", "JPY"),
    ):
        ActivityFactory.create(channel=channel, custom_fields={money: {"amount": amount, "currency": code}})
    ActivityFactory.create(channel=Channel.EMAIL)
    measures = [{"function": "sum", "column": money}]
    report = ReportFactory.create(owner=user, groups=[{"column": "channel__v"}], measures=measures)
    heading, *rows = read_csv(client, report)
    assert heading == ["Line", "Channel", "Sum of Currency (EUR)", "Sum of Currency (JPY)"]
    assert sorted(rows) == [
        ["Group", "Email", "", ""],
        ["Group", "Phone", "3.75", "300"],
        ["Group", "Video", "", "7"],
        ["Total", "", "3.75", "307"],
    ]


def test_a_matrix_has_its_columns_across_and_sums_marked(client: Client, user: User) -> None:
    study, other = StudyFactory.create(name="A-1"), StudyFactory.create(name="B-2")
    for where, channel in (
        (study, Channel.PHONE),
        (study, Channel.PHONE),
        (study, Channel.VIDEO),
        (other, Channel.VIDEO),
    ):
        ActivityFactory.create(study=where, channel=channel)
    report = ReportFactory.create(owner=user, groups=[{"column": "study__v"}], across={"column": "channel__v"})
    assert list_rows(read_sheet(client, report)) == [
        ["Line", "Study", "Phone", "Video", "Total"],
        ["Group", "A-1", 2, 1, 3],
        ["Group", "B-2", None, 1, 1],
        ["Total", None, 2, 2, 4],
    ]


def test_a_matrix_with_more_columns_than_a_file_holds_is_refused_and_leaves_no_trace(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_ACROSS", 1)
    for channel in (Channel.PHONE, Channel.VIDEO):
        ActivityFactory.create(channel=channel)
    report = ReportFactory.create(owner=user, groups=[{"column": "study__v"}], across={"column": "channel__v"})
    response = client.get(f"/reports/{report.uid}/export.csv")
    assert (response.status_code, "Narrow its filters" in response.content.decode()) == (400, True)
    assert not AuditEntry.objects.filter(action=AuditAction.EXPORTED).exists()


def test_files_have_every_group_of_the_pages_in_their_order_by_as_many_statements(user: User) -> None:
    people = create_people(30)
    create_activities(300, people=people)
    groups = [{"column": "channel__v"}, {"column": "person__v", "by_measure": 0, "descending": True}]
    count, distinct = {"function": "count"}, {"function": "distinct", "column": "person__v"}
    # Figures that can be added up are answered with their sums; others take a statement for each level.
    for measures, statements in (([count], 1), ([count, distinct], 2)):
        opened = ask(user, groups=groups, measures=measures)
        table = tables.open_table(opened, zone=dt.UTC)
        with CaptureQueriesContext(connection) as captured:
            lines = list(table.lines)
        read = [each for each in captured if "FETCH" not in each["sql"] and "CLOSE" not in each["sql"]]
        assert len(read) == statements
        page = read_summary(opened, size=1000)
        assert [line[2:] for line in lines[:-1]] == [
            [each.values[1].text if each.level == 2 else "", *[figure.value for figure in each.figures]]
            for each in page.lines
        ]
    matrix = ask(user, groups=[{"column": "person__v"}], across={"column": "channel__v"})
    table = tables.open_table(matrix, zone=dt.UTC)
    shown = read_matrix(matrix, size=1000)
    assert [line[1] for line in table.lines] == [*(each.values[0].text for each in shown.lines), ""]


@pytest.mark.parametrize("stored", [{"columns": ["name__v"]}, {"groups": [{"column": "name__v"}]}])
def test_memory_does_not_grow_with_the_lines(user: User, stored: Any) -> None:
    def measure(count: int) -> int:
        opened = ask(user, row_limit=count, **stored)
        tracemalloc.start()
        written = write_file(opened, file_format=files.FileFormat.CSV, zone=dt.UTC)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        written.content.close()
        assert written.lines >= count
        return peak

    create_activities(2500, people=create_people(10))
    measure(100)
    assert measure(2500) < 2 * measure(1000)


def test_rows_behind_a_figure_are_exported_alone_and_conditions_of_the_address_hold(client: Client, user: User) -> None:
    for channel in (Channel.PHONE, Channel.VIDEO):
        for subject in ("dose", "visit"):
            ActivityFactory.create(channel=channel, subject=f"{subject} {channel}")
    report = ReportFactory.create(owner=user, columns=["subject__v"], groups=[{"column": "channel__v"}])
    behind = f'at=["{Channel.PHONE}"]&subject__v__contains=dose'
    assert read_csv(client, report, behind) == [["Subject"], [f"dose {Channel.PHONE}"]]
    for order, first in (("subject__v", "dose"), ("-subject__v", "visit"), ("date__v", "dose")):
        rows = read_csv(client, report, f'at=["{Channel.PHONE}"]&sort={order}&place=x&size=1')
        assert rows[1][0].split()[0] == first
    bare = ReportFactory.create(owner=user, columns=[], groups=[{"column": "channel__v"}])
    assert read_csv(client, bare, f'at=["{Channel.PHONE}"]') == [["Channel"], ["Phone"], ["Phone"]]
    for query in ("at=[1]", "at=x", 'at=["a","b"]', "foo=1", "date__v__from=x", "at=[["):
        assert client.get(f"/reports/{report.uid}/export.csv?{query}").status_code == 400, query


@travel(dt.datetime(2026, 3, 4, 23, 30, tzinfo=dt.UTC))
def test_an_export_is_in_the_audit_trail_and_is_a_file_of_the_day_that_nobody_keeps(client: Client, user: User) -> None:
    ActivityFactory.create()
    report = ReportFactory.create(owner=user, name="Calls / März")
    response = client.get(f"/reports/{report.uid}/export.csv?channel__v=phone__v&size=3")
    assert response.headers["Content-Disposition"] == (
        "attachment; filename=\"calls-marz-2026-03-05.csv\"; filename*=UTF-8''Calls-M%C3%A4rz-2026-03-05.csv"
    )
    assert (response.headers["Content-Type"], response.headers["Cache-Control"]) == (
        "text/csv; charset=utf-8",
        "no-store",
    )
    read_bytes(response)
    entry = AuditEntry.objects.filter(action=AuditAction.EXPORTED).get()
    assert (entry.actor, entry.source, entry.object_name) == (user, "page", "crm_activity__v")
    assert entry.changes == {
        "format": [None, "csv"],
        "report": [None, "Calls / März"],
        "list": [None, "channel__v=phone__v"],
        "records": [None, 1],
    }


def test_readers_get_their_own_rows_or_are_told_whose(client: Client) -> None:
    mine, hidden = StudyFactory.create(name="MINE"), StudyFactory.create(name="SECRET")
    for study in (mine, hidden):
        ActivityFactory.create(study=study)
    reader = create_reader(mine, more=["report__sys:read"])
    report = ReportFactory.create(owner=get_admin_user(), columns=["study__v.name__v"])
    client.force_login(reader)
    assert client.get(f"/reports/{report.uid}/export.csv").status_code == 404
    ReportShareFactory.create(report=report, user=reader)
    assert read_csv(client, report)[1:] == [["MINE"]]
    report.run_as_owner = True
    save_record(record=report, actor=build_admin_actor())
    assert sorted(read_csv(client, report)[1:]) == [["MINE"], ["SECRET"]]
    assert AuditEntry.objects.filter(action=AuditAction.EXPORTED).latest("pk").changes["run_as"][1]
    assert "It shows what" in client.get(f"/reports/{report.uid}/print/").content.decode()
    client.logout()
    assert client.get(f"/reports/{report.uid}/export.csv").status_code == 302
    client.force_login(create_reader(mine))
    assert client.get(f"/reports/{report.uid}/export.csv").status_code == 403
    assert client.get(f"/reports/{report.uid}/export.pdf").status_code == 404


def test_a_report_that_takes_too_long_says_so_and_sends_nothing(
    client: Client, user: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_activities(3000, people=create_people(10))
    settings.REPORT_SECONDS = 0.0001
    monkeypatch.setattr(limits, "_STEPS_BETWEEN_LOOKS", 100)
    report = ReportFactory.create(owner=user, groups=[{"column": "person__v"}], columns=["name__v"])
    response = client.get(f"/reports/{report.uid}/export.xlsx")
    assert (response.status_code, "Narrow its filters" in response.content.decode()) == (503, True)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Calls by study", "Calls-by-study"),
        ("../../etc/passwd", "etc-passwd"),
        ('a"; filename="b.exe', "a-filename-=b.exe"),
        ("x\r\nSet-Cookie: a=b", "x-Set-Cookie-a=b"),
        ("exe.\u202egpj", "exe.-gpj"),
        ("月次報告", "月次報告"),
        ("CON", "report-CON"),
        ("com1.txt", "report-com1.txt"),
        ("...", "report"),
        ("\u200b", "report"),
        ("🙂" * 100, "🙂" * 50),
    ],
)
def test_file_names_are_harmless(name: str, stem: str) -> None:
    found = build_file_name(name, day=dt.date(2026, 3, 5), file_format=files.FileFormat.XLSX)
    assert found.endswith("-2026-03-05.xlsx")
    header = build_disposition(found)
    assert header.isascii()
    assert header.isprintable()
    if name != 'a"; filename="b.exe':
        assert found == f"{stem}-2026-03-05.xlsx"
    assert header.count('"') == 2


def test_a_decimal_is_a_number_in_a_workbook(client: Client, user: User) -> None:
    number = add_custom_field(kind="number", object_name="crm_activity__v")
    for hours in (1, 2):
        ActivityFactory.create(channel=Channel.PHONE, custom_fields={number: hours})
    measures = [{"function": "average", "column": number}]
    report = ReportFactory.create(owner=user, groups=[{"column": "channel__v"}], measures=measures)
    assert list_rows(read_sheet(client, report))[1] == ["Group", "Phone", 1.5]
    assert Decimal(read_csv(client, report)[1][2]) == Decimal("1.5")
