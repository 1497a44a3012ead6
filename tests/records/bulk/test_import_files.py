"""Files of imports: encodings, separators, columns and limits."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import xlsxwriter
from django.test import Client

from ctms.accounts.models import User
from ctms.clinical.models import Person, Study
from ctms.records.access import open_object
from ctms.records.bulk.imports import files
from ctms.records.bulk.imports import work as import_work
from ctms.records.bulk.imports.errors import UnreadableFileError
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.records.bulk.steps import (
    confirm,
    do_import,
    list_problems,
    read_refusal,
    run_job,
    send_file,
    upload,
)

pytestmark = pytest.mark.django_db

PERSON, STUDY = "person__sys", "study__v"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def export_cells(response: Any) -> list[list[str]]:
    text = (response.getvalue() if response.streaming else response.content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def build_studies(*rows: int, is_workbook: bool) -> bytes:
    """Return a file of that many studies: in CSV of the first number, in a workbook a sheet for each number."""
    if not is_workbook:
        return "\n".join(["Study number", *(f"S-{number}" for number in range(rows[0]))]).encode()
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        for count in rows:
            sheet = workbook.add_worksheet()
            sheet.write_column(0, 0, ["Study number", *(f"S-{number}" for number in range(count))])
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        "Object type,First name,Last name,External ID\nPerson,Zoë,Müller,P-1\n",
        "object_type__v;FIRST_NAME__SYS;last_name__sys;external_id__v\r\nperson__v;Zoë;Müller;P-1\r\n",
        "Object type\tFirst name\tLast name\tExternal ID\nPerson\tZoë\tMüller\tP-1",
        '\ufeffExternal ID,last name,first name,object type\n\n P-1 ,"Müller",Zoë,person\n,,,\n',
    ],
    ids=["labels", "API names", "tabs", "byte order mark"],
)
def test_columns_are_named_by_label_or_api_name_and_separated_as_they_are(client: Client, content: str) -> None:
    operation = do_import(client, PERSON, content)
    person = Person.objects.get()
    assert (person.first_name, person.last_name, person.external_id) == ("Zoë", "Müller", "P-1")
    assert (operation.state, operation.counts, operation.message) == ("done", {"created": 1}, "1 created.")


@pytest.mark.parametrize(
    ("encoding", "readings"),
    [
        ("utf-16", []),
        ("utf-16-le", []),
        (
            "cp1252",
            ["Read as Windows-1252 (Western European), because it is not Unicode. Words that show it: Zoë, Müller."],
        ),
    ],
)
def test_other_encodings_are_recognised(client: Client, encoding: str, readings: list[str]) -> None:
    content = "First name;Last name;Object type\nZoë;Müller;Person\n".encode(encoding)
    operation = upload(client, PERSON, content, key="none")
    assert operation.plan["readings"] == readings
    confirm(client, operation)
    run_job(operation)
    assert Person.objects.get().name == "Zoë Müller"


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", "The file is empty."),
        (b" \n", "The file is empty. Its first line has to name the columns."),
        (b"a\x00b", "This is no text file. Save the table as “CSV UTF-8” or as .xlsx, and upload that."),
        (bytes(range(128, 256)), "This is no text file. Save the table as “CSV UTF-8” or as .xlsx, and upload that."),
        (b"External ID,Last name\n", "The file has no rows below the first line."),
        (
            b"External ID,Last name,last_name__sys\n1,2,3\n",
            "The columns “Last name” and “last_name__sys” mean the same field, Last name. Remove one.",
        ),
        (
            b"First name,Last name\nA,B\n",
            (
                "To find records by External ID the file needs the column External ID. Add it, or choose another way "
                "to find them."
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(client: Client, content: bytes, refusal: str) -> None:
    response = send_file(client, PERSON, content)
    assert (response.status_code, read_refusal(response)) == (200, [refusal])
    assert not BulkOperation.objects.exists()


def test_a_quotation_mark_that_is_not_closed_is_refused_by_line(client: Client) -> None:
    response = send_file(client, PERSON, 'External ID,Last name\n1,A\n2,"B\n3,C\n')
    assert read_refusal(response)[0].startswith("Line 3 cannot be read")


def test_a_file_without_known_columns_names_those_that_there_are(client: Client) -> None:
    response = send_file(client, STUDY, "Foo,Bar\n1,2\n", key="none")
    assert read_refusal(response)[0].startswith(
        "None of the columns can be imported. The first line has to name fields:"
    )
    assert "Study number" in read_refusal(response)[0]


def open_rows(content: bytes) -> int:
    """Return how many rows are read of a file of studies. Raises UnreadableFileError."""
    access = open_object(user=UserFactory.create(is_superuser=True), object_name=STUDY)
    options = import_work.ImportOptions(file_name="rows.csv")
    return len(import_work.open_upload(shape=access.shape, content=content, options=options).rows)


def test_as_many_rows_as_the_form_says_are_read_and_not_one_more() -> None:
    rows = [f"S-{number}".encode() for number in range(100_000)]
    assert open_rows(b"\n".join([b"Study number", *rows])) == 100_000
    with pytest.raises(UnreadableFileError) as caught:
        open_rows(b"\n".join([b"Study number", *rows, b"one more"]))
    assert str(caught.value) == (
        "The file has more than 100,000 rows, which is the most that can be imported at once. Split it."
    )


@pytest.mark.parametrize("is_workbook", [False, True])
def test_too_many_rows_are_refused_at_every_door(
    client: Client, monkeypatch: pytest.MonkeyPatch, is_workbook: bool
) -> None:
    monkeypatch.setattr(import_work, "MOST_ROWS", 2)
    few, many = (build_studies(rows, is_workbook=is_workbook) for rows in (2, 3))
    operation = upload(client, STUDY, few, key="none")
    assert operation.total == 2
    response = send_file(client, STUDY, many, key="none")
    refusal = "The file has more than 2 rows, which is the most that can be imported at once. Split it."
    assert read_refusal(response) == [refusal]
    assert BulkOperation.objects.count() == 1


def test_a_sheet_with_too_many_rows_is_refused_when_it_is_chosen(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_work, "MOST_ROWS", 2)
    operation = upload(client, STUDY, build_studies(2, 3, is_workbook=True), key="none")
    answer = client.post(f"/records/{STUDY}/import/{operation.uid}/reading/", {"sheet": "Sheet2"}, follow=True)
    assert "The file has more than 2 rows" in answer.content.decode()
    operation.refresh_from_db()
    assert (operation.total, operation.plan["sheet"]) == (2, "Sheet1")


def test_lines_beyond_the_limit_are_not_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_work, "MOST_ROWS", 2)
    response = send_file(client, STUDY, 'Study number\nA\nB\nC\n"an open quotation mark', key="none")
    assert read_refusal(response)[0].startswith("The file has more than 2 rows")


def test_a_file_of_as_many_bytes_as_the_form_says_is_read_and_not_one_more(client: Client) -> None:
    content = b"Study number\nS-1\n"
    full = content + b"\n" * (files.MOST_BYTES - len(content))
    assert len(full) == 10 * 1024 * 1024
    assert open_rows(full) == 1
    assert read_refusal(send_file(client, STUDY, full + b"\n", key="none")) == [
        "The file has more than 10 MB, which is the most that can be imported at once. Split it."
    ]


def test_columns_that_are_not_imported_are_named(client: Client) -> None:
    operation = upload(client, STUDY, "Study number,Foo,Created date,\nS-1,x,2026-01-01,\n", key="name__v")
    assert operation.plan["notices"] == [
        "The column “Foo” is no field of studies; it is left out.",
        "The column “Created date” is filled by the Vault; it is left out.",
    ]
    page = client.get(f"/records/{STUDY}/import/{operation.uid}/").content.decode()
    assert "The column “Foo” is no field of studies; it is left out." in page


def test_of_many_columns_that_are_not_imported_the_first_are_named(client: Client) -> None:
    names = [f"c{number}" for number in range(30)]
    content = f"Study number,{','.join(names)}\nS-1\n"
    operation = upload(client, STUDY, content, key="name__v")
    expected = [f"The column “{name}” is no field of studies; it is left out." for name in names[:10]]
    assert operation.plan["notices"] == [*expected, "20 other columns are left out, too."]
    operation = upload(client, STUDY, f"Study number,{'x' * 1000}\nS-1\n", key="name__v")
    assert operation.plan["notices"] == [f"The column “{'x' * 80}…” is no field of studies; it is left out."]


@pytest.mark.parametrize(("content", "line"), [("Study number{}\nS-1\n", 1), ("Study number\nS-1{}\n", 2)])
def test_more_columns_than_anybody_has_are_refused_by_line(client: Client, content: str, line: int) -> None:
    response = send_file(client, STUDY, content.format("," * 100_000), key="name__v")
    refusal = (
        f"Line {line} has 100,001 cells; at most 500 can be read. Remove columns that are not imported, and separators "
        "at the end of the line."
    )
    assert read_refusal(response) == [refusal]


def test_a_line_with_more_cells_than_columns_is_an_error(client: Client) -> None:
    operation = upload(client, STUDY, "Study number,Sponsor\nS-1,Good, Better and Co\nS-2\n", key="name__v")
    assert list_problems(operation) == [
        (
            2,
            "",
            (
                "The line has 3 cells, the first line names 2 columns. Put text that contains the separator between "
                "quotation marks."
            ),
        )
    ]
    assert operation.counts == {"failed": 1, "created": 1}


def test_lines_are_counted_as_an_editor_does(client: Client) -> None:
    operation = upload(client, STUDY, 'Study number,Phase\n"S\n1",Phase I\n\nS-2,Phase IX\n', key="name__v")
    assert [(line, label) for line, label, _ in list_problems(operation)] == [(5, "Phase")]


def test_the_apostrophe_of_an_export_is_taken_off(client: Client) -> None:
    do_import(client, PERSON, "Object type,Last name,Phone\nPerson,'=cmd,'+49 30\n", key="none")
    person = Person.objects.get()
    assert (person.last_name, person.phone) == ("=cmd", "+49 30")


@pytest.mark.parametrize("names", ["", "?names=api"])
def test_the_template_can_be_filled_and_imported(client: Client, names: str) -> None:
    response = client.get(f"/records/{STUDY}/import/template.csv{names}")
    headers = export_cells(response)[0]
    assert headers[:3] == (
        ["name__v", "status__v", "external_id__v"] if names else ["Study number", "Status", "External ID"]
    )
    cells = [{"Study number": "S-1", "name__v": "S-1"}.get(header, "") for header in headers]
    do_import(client, STUDY, f"{','.join(headers)}\n{','.join(cells)}\n", key="name__v")
    assert Study.objects.get().name == "S-1"
