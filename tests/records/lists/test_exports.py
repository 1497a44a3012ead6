"""Exports of lists to files."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.choices import ActivityType
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.records.access import open_object
from ctms.records.lists import exports
from ctms.records.lists.columns import choose_columns, get_preference
from ctms.records.lists.exports import open_export, stream_csv
from ctms.records.lists.query import read_list
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.bulk import create_people
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory
from tests.record_rows import TrainingFactory
from tests.records.lists.list_page_steps import ACTIVITIES, TRAININGS
from tests.records.trainings import add_custom_fields, create_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EVERY_KIND = (
    "columns=name__v,trainee__v,date__v,hours__v,method__v,passed__v,remarks__v,status__v,"
    "number__c,date__c,datetime__c,yes_no__c,picklist__c,person__c"
)


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, time_zone="Europe/Berlin")
    client.force_login(user)
    return user


def read_bytes(response: Any) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def read_csv(client: Client, address: str) -> list[list[str]]:
    content = read_bytes(client.get(address)).decode()
    assert content.startswith("\ufeff")
    return list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))


def read_sheets(client: Client, address: str) -> list[list[list[Any]]]:
    workbook = openpyxl.load_workbook(io.BytesIO(read_bytes(client.get(address))))
    return [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in workbook.worksheets]


def test_a_csv_file_has_the_records_order_and_columns_of_the_list(client: Client, user: User) -> None:
    add_custom_fields()
    create_trainings()
    rows = read_csv(client, f"{TRAININGS}export.csv?passed__v=true&sort=-hours__v&{EVERY_KIND}")
    assert ["|".join(row) for row in rows] == [
        (
            "Name|Trainee|Date|Hours|Method|Passed|Remarks|Status|Custom number|Custom date|Custom date and time|"
            "Custom yes/no|Custom picklist|Custom reference to a person"
        ),
        "e|Ann Smith|2025-07-01|33||Yes|Remarks on e|Active|33|2025-07-01|2025-07-02 01:30:00|Yes|red|Ann Smith",
        "c|Ann Smith||10||Yes|Remarks on c|Active|10|||Yes|red|Ann Smith",
        "b|Ann Smith|2026-03-02|2|Online|Yes|Remarks on b|Active|2|2026-03-02|2026-03-03 00:30:00|Yes|red|Ann Smith",
        "d|Bob Smith|2026-12-24|1|Classroom|Yes|Remarks on d|Active|1|2026-12-24|2026-12-25 00:30:00|Yes|red|Bob Smith",
    ]


def test_a_workbook_has_real_dates_and_numbers(client: Client, user: User) -> None:
    add_custom_fields()
    create_trainings()
    ((heading, *rows),) = read_sheets(client, f"{TRAININGS}export.xlsx?name__v=b&{EVERY_KIND}")
    assert heading[:4] == ["Name", "Trainee", "Date", "Hours"]
    day, moment = dt.datetime.fromisoformat("2026-03-02"), dt.datetime.fromisoformat("2026-03-03T00:30")
    assert [row[:8] for row in rows] == [
        ["b", "Ann Smith", day, 2, "Online", "Yes", "Remarks on b", "Active"],
        ["b", "Bob Smith", None, None, "Online", "No", "Remarks on b", "Active"],
    ]
    assert [row[8:] for row in rows] == [
        [2, day, moment, "Yes", "red", "Ann Smith"],
        [None, None, None, "No", "blue", None],
    ]


def test_without_columns_in_the_address_those_of_the_user_are_exported(client: Client, user: User) -> None:
    client.post(f"{TRAININGS}columns/", {"column": ["hours__v", "date__v"]})
    assert read_csv(client, f"{TRAININGS}export.csv") == [["Name", "Hours", "Date"]]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_what_would_be_a_formula_is_a_text(client: Client, user: User, sign: str) -> None:
    text = f'{sign}cmd|" /C calc"!A0'
    TrainingFactory.create(name="n", remarks=text)
    columns = "columns=name__v,remarks__v"
    assert read_csv(client, f"{TRAININGS}export.csv?{columns}")[1] == ["n", f"'{text}"]
    workbook = openpyxl.load_workbook(io.BytesIO(read_bytes(client.get(f"{TRAININGS}export.xlsx?{columns}"))))
    row = next(workbook.worksheets[0].iter_rows(min_row=2))
    # A cell of text is never run, so that nothing has to be put before it.
    assert [(cell.data_type, cell.value.replace("_x000D_", "\r")) for cell in row] == [("s", "n"), ("s", text)]


def test_the_heading_stays_in_sight_and_filters_the_rows(client: Client, user: User) -> None:
    create_trainings()
    content = read_bytes(client.get(f"{TRAININGS}export.xlsx?columns=name__v,hours__v"))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B8")


def test_negative_numbers_stay_numbers(client: Client, user: User) -> None:
    add_custom_fields()
    TrainingFactory.create(name="n", custom_fields={"number__c": -5.5})
    assert read_csv(client, f"{TRAININGS}export.csv?columns=number__c")[1] == ["n", "-5.5"]
    assert read_sheets(client, f"{TRAININGS}export.xlsx?columns=number__c")[0][1] == ["n", -5.5]


@pytest.mark.parametrize(
    "text", ["é ü 漢字 🙂", 'a "quoted", thing', "two\nlines", "http://example.org", "0042", "1e5", "{=1}"]
)
def test_texts_arrive_as_they_are(client: Client, user: User, text: str) -> None:
    TrainingFactory.create(name="n", remarks=text)
    assert read_csv(client, f"{TRAININGS}export.csv?columns=remarks__v")[1] == ["n", text]
    assert read_sheets(client, f"{TRAININGS}export.xlsx?columns=remarks__v")[0][1] == ["n", text]


def test_a_text_too_long_for_a_workbook_says_that_it_is_cut(client: Client, user: User) -> None:
    TrainingFactory.create(name="n", remarks="x" * 40_000)
    cell = read_sheets(client, f"{TRAININGS}export.xlsx?columns=remarks__v")[0][1][1]
    assert (len(cell), cell[-45:]) == (32_767, "xx … (cut here; the CSV export has all of it)")
    assert read_csv(client, f"{TRAININGS}export.csv?columns=remarks__v")[1][1] == "x" * 40_000


def test_a_day_before_workbooks_know_days_is_a_text(client: Client, user: User) -> None:
    TrainingFactory.create(name="n", date=dt.date(1899, 12, 31))
    assert read_sheets(client, f"{TRAININGS}export.xlsx?columns=date__v")[0][1] == ["n", "1899-12-31"]


def test_what_a_worksheet_has_no_room_for_goes_into_the_next(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_MOST_ROWS", 3)
    create_trainings()
    sheets = read_sheets(client, f"{TRAININGS}export.xlsx?columns=name__v")
    assert ["".join(row[0] for row in sheet[1:]) for sheet in sheets] == ["bac", "adb", "e"]
    assert [sheet[0] for sheet in sheets] == [["Name"]] * 3


@travel(dt.datetime(2026, 3, 4, 23, 30, tzinfo=dt.UTC))
def test_an_export_is_a_file_of_the_day_that_nobody_keeps(client: Client, user: User) -> None:
    response = client.get(f"{TRAININGS}export.csv")
    assert response.headers["Content-Disposition"] == 'attachment; filename="trainings-2026-03-05.csv"'
    assert (response.headers["Content-Type"], response.headers["Cache-Control"]) == (
        "text/csv; charset=utf-8",
        "no-store",
    )
    response = client.get(f"{TRAININGS}export.xlsx")
    assert response.headers["Content-Type"].endswith("spreadsheetml.sheet")
    response.close()


def test_only_what_the_user_sees_is_exported(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=[f"crm_activity__v.{ActivityType.CLINICAL}:read"])
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    seen, hidden = StudyFactory.create(), StudyFactory.create()
    StudyAssignmentFactory.create(user=user, study=seen)
    mine = ActivityFactory.create(study=seen)
    ActivityFactory.create(study=hidden)
    MedicalActivityFactory.create()
    assert [row[0] for row in read_csv(client, f"{ACTIVITIES}export.csv")[1:]] == [mine.subject]


def test_an_export_leaves_an_audit_entry(client: Client, user: User) -> None:
    create_trainings()
    read_csv(client, f"{TRAININGS}export.csv?passed__v=true&columns=hours__v&cursor=x&view=all")
    entry = AuditEntry.objects.filter(action=AuditAction.EXPORTED).get()
    assert (entry.actor, entry.source, entry.object_name) == (user, "page", "training__v")
    assert entry.changes == {
        "format": [None, "csv"],
        "list": [None, "passed__v=true"],
        "columns": [None, ["name__v", "hours__v"]],
        "records": [None, 4],
    }


@pytest.mark.parametrize("query", ["passed__v=perhaps", "foo=1", "sort=x", "columns=x"])
def test_a_list_that_is_not_understood_is_shown_instead_of_exported(client: Client, user: User, query: str) -> None:
    response = client.get(f"{TRAININGS}export.csv?{query}")
    assert response.headers["Location"] == f"{TRAININGS}?{query}"
    assert AuditEntry.objects.filter(action=AuditAction.EXPORTED).count() == 0


def test_refusals(client: Client) -> None:
    client.force_login(
        UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["study__v:read"]))
    )
    assert client.get(f"{TRAININGS}export.csv").status_code == 403
    assert client.get("/records/study__v/export.pdf").status_code == 404
    assert client.get("/records/nothing__v/export.csv").status_code == 404
    assert client.post("/records/study__v/export.csv").status_code == 405


def build_stream(query: str) -> Iterator[str]:
    access = open_object(user=UserFactory.create(is_superuser=True), object_name="person__sys")
    listed = read_list(access=access, parameters=QueryDict(query))
    preference = get_preference(user=access.user, object_name="person__sys")
    return stream_csv(open_export(listed=listed, columns=choose_columns(listed=listed, preference=preference)))


def test_an_export_takes_one_statement_however_many_records(client: Client) -> None:
    create_people(1200)
    stream = build_stream("")
    with CaptureQueriesContext(connection) as queries:
        assert sum(1 for _ in csv.reader("".join(stream).splitlines())) == 1201
    assert len([each for each in queries if "FETCH" not in each["sql"]]) == 1


def test_memory_does_not_grow_with_the_records() -> None:
    def measure(query: str) -> int:
        stream = build_stream(query)
        tracemalloc.start()
        length = sum(len(part) for part in stream)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert length > 0
        return peak

    create_people(6000)
    measure("q=BULK+0000")
    assert measure("") < 2 * measure("q=BULK+000")


def test_rows_come_while_the_database_is_still_read(client: Client) -> None:
    create_people(1200)
    stream = build_stream("")
    first = next(stream)
    assert 0 < len(first.splitlines()) <= 501


def test_activities_are_exported_with_what_they_refer_to(client: Client, user: User) -> None:
    study = StudyFactory.create()
    activity = ActivityFactory.create(study=study, complete=False)
    row = read_csv(client, f"{ACTIVITIES}export.csv")[1]
    assert row[:3] == [activity.subject, "2026-03-02", activity.person.name]
    assert (row[4], row[-1]) == ("No", activity.name)
    assert Activity.objects.count() == 1
