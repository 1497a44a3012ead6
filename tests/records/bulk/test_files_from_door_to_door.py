"""Files of spreadsheets from the upload to the undo: what the check page says, what is written, and what comes back."""

from __future__ import annotations

import datetime as dt
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import xlsxwriter
from django.test import Client
from django.utils.html import strip_tags

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.change_sets import ChangeSet
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.record_rows import TrainingFactory
from tests.records.bulk.steps import confirm, do_import, read_refusal, run_job, send_file, upload
from tests.records.undo.steps import undo
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PERSON, STUDY, TRAINING, ACTIVITY = "person__sys", "study__v", "training__v", "crm_activity__v"
APRIL, MARCH = dt.date(2026, 4, 3), dt.date(2026, 3, 4)
OLD = ("T-1", None, "Old", None)


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of two trainings, of which one is there already: how it is read, and what comes of it."""

    name: str
    content: bytes
    readings: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    date: dt.date = APRIL
    remarks: tuple[str, str] = ("Größe", "Łódź")
    fees: tuple[str, str] = ("1234.50 EUR", "-5.00 EUR")


def write(rows: list[list[str]], *, delimiter: str, encoding: str, end: str = "\r\n", quote: str = "") -> bytes:
    return "".join(f"{delimiter.join(f'{quote}{cell}{quote}' for cell in row)}{end}" for row in rows).encode(encoding)


def write_workbook(rows: list[list[Any]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        sheet = workbook.add_worksheet("Trainings")
        formats = [None, workbook.add_format({"num_format": "m/d/yy"})]
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, dt.date):
                    sheet.write_datetime(number, column, dt.datetime.combine(cell, dt.time()), formats[1])
                else:
                    sheet.write(number, column, cell)
    return stream.getvalue()


HEADING = ["External ID", "Name", "Trainee", "Date", "Remarks", "Fee"]
FILES = [
    File(
        name="Excel, de-DE.csv",
        content=write(
            [
                HEADING,
                ["T-1", "GCP", "P-7", "03.04.2026", "Größe", "1.234,50 €"],
                ["T-2", "ICH", "P-7", "3.4.26", "Köln", "-5,00 €"],
            ],
            delimiter=";",
            encoding="cp1252",
        ),
        readings=(
            "Read as Windows-1252 (Western European), because it is not Unicode.",
            "Fee: 1.234,50 € is read as 1234.50 EUR.",
        ),
        remarks=("Größe", "Köln"),
    ),
    File(
        name="Excel, pl-PL.csv",
        content=write(
            [
                HEADING,
                ["T-1", "GCP", "P-7", "2026-04-03", "Zażółć gęślą jaźń", "1 234,50 EUR"],
                ["T-2", "ICH", "P-7", "2026-04-03", "Łódź, źdźbło", "-5,00 EUR"],
            ],
            delimiter=";",
            encoding="cp1250",
        ),
        readings=("Read as Windows-1250 (Central European), because it is not Unicode.",),
        remarks=("Zażółć gęślą jaźń", "Łódź, źdźbło"),
    ),
    File(
        name="LibreOffice, en-GB.csv",
        content=write(
            [
                HEADING,
                ["T-1", "GCP", "P-7", "03/04/26", "Größe", "£1,234.50"],
                ["T-2", "ICH", "P-7", "03/04/26", "Łódź", "(£5.00)"],
            ],
            delimiter=",",
            encoding="utf-8",
            end="\n",
            quote='"',
        ),
        readings=("Years of two digits are read as 1950 to 2049.", "Fee: £1,234.50 is read as 1234.50 GBP."),
        answers={"date_answer": "day_first"},
        fees=("1234.50 GBP", "-5.00 GBP"),
    ),
    File(
        name="Google Sheets, en-US.csv",
        content=write(
            [
                HEADING,
                ["T-1", "GCP", "P-7", "3/4/2026", "Größe", '"1,234 KWD"'],
                ["T-2", "ICH", "P-7", "3/4/2026", "Łódź", "5 KWD"],
            ],
            delimiter=",",
            encoding="utf-8",
        ),
        readings=("Date is read with the month first: 3/4/2026 is 4 Mar 2026.", "Fee: 1,234 KWD is read as 1234 KWD."),
        answers={"date_answer": "month_first", "number_answer": "point"},
        date=MARCH,
        fees=("1234.000 KWD", "5.000 KWD"),
    ),
    File(
        name="Excel, serial dates.xlsx",
        content=write_workbook(
            [
                HEADING,
                ["T-1", "GCP", "P-7", APRIL, "Größe", "CHF 1'234.50"],
                ["T-2", "ICH", "P-7", 46115, "Łódź", "CHF -5.00"],
            ]
        ),
        readings=("Fee: CHF 1'234.50 is read as 1234.50 CHF.",),
        fees=("1234.50 CHF", "-5.00 CHF"),
    ),
    File(
        name="Excel, Unicode text.txt",
        content=write(
            [
                HEADING,
                ["T-1", "GCP", "P-7", "3-Apr-26", "Größe", "1\u202f234,50 EUR"],
                ["T-2", "ICH", "P-7", "3-Apr-26", "Łódź", "(5,00 EUR)"],
            ],
            delimiter="\t",
            encoding="utf-16",
        ),
        readings=("Years of two digits are read as 1950 to 2049.",),
    ),
]


def list_trainings() -> list[tuple[str | None, dt.date | None, str, str | None]]:
    found = []
    for each in Training.objects.order_by("external_id"):
        fee = each.custom_fields.get("fee__c")
        found.append((each.external_id, each.date, each.remarks, f"{fee['amount']} {fee['currency']}" if fee else None))
    return found


def read_text(client: Client, address: str) -> str:
    return " ".join(html.unescape(strip_tags(client.get(address).content.decode())).split())


@pytest.mark.parametrize("file", FILES, ids=[each.name for each in FILES])
def test_a_file_is_uploaded_read_checked_imported_and_undone(client: Client, file: File) -> None:
    person = PersonFactory.create(external_id="P-7")
    fee = CustomField(of_object=TRAINING, api_name="fee__c", label="Fee", kind="currency")
    save_record(record=fee, actor=build_admin_actor())
    TrainingFactory.create(external_id="T-1", name="GCP", trainee=person, date=None, remarks="Old")
    operation = upload(client, TRAINING, file.content, name=file.name, key="")
    page = f"/records/{TRAINING}/import/{operation.uid}/"
    if file.answers:
        assert "mean?" in read_text(client, page)
        client.post(f"{page}reading/", dict(file.answers))
        operation.refresh_from_db()
    shown = read_text(client, page)
    assert [each for each in file.readings if each not in shown] == []
    assert (operation.counts, operation.plan["key"]) == ({"changed": 1, "created": 1}, "external_id__v")
    confirm(client, operation)
    run_job(operation)
    assert operation.message == "1 created, 1 changed."
    assert list_trainings() == [
        (number, file.date, remarks, fee)
        for number, remarks, fee in zip(("T-1", "T-2"), file.remarks, file.fees, strict=True)
    ]
    undo(client, ChangeSet(kind="import", key=str(operation.uid)))
    assert list_trainings() == [OLD]


def test_a_column_of_dates_of_several_hands_is_refused_with_its_lines(client: Client) -> None:
    content = (
        "Study number,Planned start\nBUG-1,03/04/2026\nBUG-2,3/25/2026\nBUG-3,31-Mar-26\nBUG-4,25.03.2026\n"
        "BUG-5,2026-03-31 00:00:00\n"
    )
    [refusal] = read_refusal(send_file(client, STUDY, content, key=""))
    assert "nobody can tell what 03/04/2026 means" in refusal
    assert all(f"(line {line})" in refusal for line in (2, 3))


def test_a_file_with_the_line_sep_is_imported_and_undone(client: Client) -> None:
    operation = do_import(client, PERSON, "sep=;\nObject type;First name;Last name\nPerson;Ada;Sepline\n", key="")
    assert [str(each) for each in Person.objects.all()] == ["Ada Sepline"]
    undo(client, ChangeSet(kind="import", key=str(operation.uid)))
    assert not Person.objects.exists()


def test_days_of_an_american_excel_are_changed_in_all_rows_and_undone(client: Client) -> None:
    activities = [ActivityFactory.create(date=dt.date(2026, 1, 31)) for _ in range(12)]
    rows = "".join(f"{each.name},{each.uid},2/20/2026\r\n" for each in activities)
    operation = upload(client, ACTIVITY, f"Name,UID,Date\r\n{rows}", key="")
    shown = read_text(client, f"/records/{ACTIVITY}/import/{operation.uid}/")
    assert "Date is read with the month first: 2/20/2026 is 20 Feb 2026." in shown
    confirm(client, operation)
    run_job(operation)
    assert operation.counts == {"changed": 12}
    assert set(Activity.objects.values_list("date", flat=True)) == {dt.date(2026, 2, 20)}
    undo(client, ChangeSet(kind="import", key=str(operation.uid)))
    assert set(Activity.objects.values_list("date", flat=True)) == {dt.date(2026, 1, 31)}
