"""Files as Excel in several languages, LibreOffice and Google Sheets write them."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from django.test import Client

from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.models import Person
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory
from tests.records.bulk.steps import do_import, list_problems, read_refusal, send_file, upload
from tests.sample.models import Training

pytestmark = pytest.mark.django_db

PERSON, STUDY, TRAINING, ACTIVITY = "person__sys", "study__v", "training__v", "crm_activity__v"
DAY = dt.date(2026, 3, 31)
HEADING = ("Name", "Trainee", "Date", "Passed", "Remarks")


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def write(rows: Sequence[Sequence[str]], *, delimiter: str, encoding: str, end: str = "\r\n", first: str = "") -> bytes:
    lines = [delimiter.join(row) for row in (HEADING, *rows)]
    return (first + end.join(lines) + end).encode(encoding)


@pytest.mark.parametrize(
    ("content", "remarks"),
    [
        (write([("GCP", "P-7", "3/31/2026", "TRUE", "café")], delimiter=",", encoding="cp1252"), "café"),
        (write([("GCP", "P-7", "31.03.2026", "WAHR", "Größe")], delimiter=";", encoding="cp1252"), "Größe"),
        (write([("GCP", "P-7", "31.03.2026", "ja", "Straße")], delimiter=";", encoding="utf-8-sig"), "Straße"),
        (write([("GCP", "P-7", "31/03/2026", "VRAI", "reçu à Lyon")], delimiter=";", encoding="cp1252"), "reçu à Lyon"),
        (write([("GCP", "P-7", "31.03.2026", "PRAWDA", "Łódź, żółw")], delimiter=";", encoding="cp1250"), "Łódź, żółw"),
        (write([("GCP", "P-7", "31/03/2026", "VERDADERO", "año")], delimiter=";", encoding="cp1252"), "año"),
        (write([("GCP", "P-7", "2026/3/31", "TRUE", "東京")], delimiter=",", encoding="cp932"), "東京"),
        (write([("GCP", "P-7", "31-Mar-26", "x", "Zoë")], delimiter="\t", encoding="utf-16"), "Zoë"),
        (
            write([("GCP", "P-7", "31.3.26", "WAHR", "Größe Köln")], delimiter=";", encoding="mac_roman", end="\r"),
            "Größe Köln",
        ),
        (
            write([("GCP", "P-7", "31/3/2026", "oui", "é")], delimiter=";", encoding="utf-8", first="sep=;\r\n"),
            "é",
        ),
        (
            write([('"GCP"', '"P-7"', "2026-03-31", "TRUE", '"é, ü"')], delimiter=",", encoding="utf-8", end="\n"),
            "é, ü",
        ),
        (write([("GCP", "P-7", "2026-03-31 00:00:00", "✓", "ok")], delimiter=",", encoding="utf-8", end="\n"), "ok"),
        (write([("GCP", "P-7", "46112", "sí", "ok")], delimiter="|", encoding="utf-8", first="sep=|\n"), "ok"),
    ],
    ids=[
        *("Excel US", "Excel German", "Excel UTF-8", "Excel French", "Excel Polish", "Excel Spanish", "Excel Japanese"),
        *("Excel Unicode text", "Excel for Mac", "sep", "LibreOffice", "Google Sheets", "serial number"),
    ],
)
def test_a_csv_file_of_each_program_is_read(client: Client, content: bytes, remarks: str) -> None:
    PersonFactory.create(external_id="P-7")
    operation = do_import(client, TRAINING, content, key="")
    assert (list_problems(operation), operation.counts) == ([], {"created": 1})
    training = Training.objects.get()
    assert (training.date, training.passed, training.remarks) == (DAY, True, remarks)


def build_excel_workbook() -> bytes:
    """Build a workbook as Excel does: an empty sheet, a hidden one, a table that begins below and beside A1."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        workbook.add_worksheet("Notes")
        hidden = workbook.add_worksheet("Lists")
        hidden.write(0, 0, "secret")
        hidden.hide()
        sheet = workbook.add_worksheet("Trainings")
        for column, title in enumerate(HEADING, start=1):
            sheet.write_string(2, column, f"{title} *")
        sheet.write_row(3, 1, ["GCP", "P-7"])
        sheet.write_datetime(3, 3, dt.datetime(2026, 3, 31), workbook.add_format({"num_format": "dd/mm/yyyy"}))  # noqa: DTZ001
        sheet.write_boolean(3, 4, True)
        sheet.write_formula(3, 5, '="Zoë"', None, "Zoë")
    return stream.getvalue()


def build_plain_workbook() -> bytes:
    """Build a workbook as Google Sheets and LibreOffice do: texts, a date as a number with a format."""
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.append(HEADING)
    sheet.append(["GCP", "P-7", dt.datetime(2026, 3, 31), True, "Zoë"])  # noqa: DTZ001
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("build", [build_excel_workbook, build_plain_workbook])
def test_a_workbook_of_each_program_is_read(client: Client, build: Any) -> None:
    PersonFactory.create(external_id="P-7")
    operation = do_import(client, TRAINING, build(), name="trainings.xlsx", key="")
    assert (list_problems(operation), operation.counts) == ([], {"created": 1})
    training = Training.objects.get()
    assert (training.date, training.passed, training.remarks) == (DAY, True, "Zoë")


# -- Files that people sent in --------------------------------------------------------------------
def test_dates_of_a_column_that_are_written_in_several_ways_are_refused_with_their_lines(client: Client) -> None:
    content = (
        "Study number,Planned start\nBUG-1,03/04/2026\nBUG-2,3/25/2026\nBUG-3,31-Mar-26\nBUG-4,25.03.2026\n"
        "BUG-5,2026-03-31 00:00:00\n"
    )
    assert read_refusal(send_file(client, STUDY, content, key="")) == [
        (
            "Planned start mixes ways of writing dates, so nobody can tell what 03/04/2026 means: 03/04/2026 (line 2), "
            "3/25/2026 (line 3), 31-Mar-26 (line 4). Write all dates of the column in one way, best as 2026-03-31."
        )
    ]


def test_dates_that_name_their_month_or_order_are_read_however_they_are_written(client: Client) -> None:
    content = "Study number,Planned start\nBUG-3,31-Mar-26\nBUG-4,25.03.2026\nBUG-5,2026-03-31 00:00:00\nBUG-6,46112\n"
    operation = upload(client, STUDY, content, key="")
    assert (list_problems(operation), operation.counts) == ([], {"created": 4})


def test_the_order_that_every_date_allows_is_named(client: Client) -> None:
    first, second = ActivityFactory.create(), ActivityFactory.create()
    content = f"Name,UID,Date\n{first.name},{first.uid},2/20/2026\n{second.name},{second.uid},3/4/2026\n"
    operation = do_import(client, ACTIVITY, content, key="")
    assert operation.plan["readings"] == ["Date is read with the month first: 2/20/2026 is 20 Feb 2026."]
    assert set(Activity.objects.values_list("date", flat=True)) == {dt.date(2026, 2, 20), dt.date(2026, 3, 4)}


def test_the_line_that_names_the_separator_is_no_row(client: Client) -> None:
    content = "sep=;\nObject type;First name;Last name\nPerson;Ada;Sepline\nPerson;;\n"
    operation = do_import(client, PERSON, content, key="")
    assert Person.objects.get().name == "Ada Sepline"
    assert {line for line, _, _ in list_problems(operation)} == {4}


@pytest.mark.parametrize(
    "heading",
    [
        "Study\u00a0number*,Sponsor",
        '"Study\nnumber",SPONSOR *',
        "\u200bstudy  number ,\ufeffSponsor",
        '"* Study number",Sponsor',
    ],
)
def test_headers_are_found_with_what_comes_along_when_they_are_copied(client: Client, heading: str) -> None:
    operation = upload(client, STUDY, f"{heading}\nS-1,Good\n", key="")
    assert (operation.plan["fields"], operation.plan["notices"]) == (["name__v", "sponsor__v"], [])


@pytest.mark.parametrize("heading", ["E-mail", "e mail", "EMAIL", "email__sys", "E-Mail:"])
def test_headers_are_found_whatever_joins_their_words(client: Client, heading: str) -> None:
    operation = upload(client, PERSON, f"{heading},Last_name,Object Type\na@example.org,Ann,Person\n", key="")
    assert operation.plan["fields"] == ["email__sys", "last_name__sys", "object_type__v"]
