"""Workbooks: what is read of them, and what is refused before it takes the memory of the server."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from ctms.records.bulk.imports.dialects import workbooks
from ctms.records.bulk.imports.dialects.workbooks import read_sheets
from ctms.records.bulk.imports.errors import UnreadableFileError
from ctms.records.bulk.imports.files import decode_file, read_rows


def build(*rows: list[Any]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        sheet = workbook.add_worksheet("Rows")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return stream.getvalue()


def change(content: bytes, **parts: bytes | None) -> bytes:
    """Return the workbook with other parts: `sheet1`, `workbook`, `relations` and `texts`; None takes one out."""
    paths = {
        "sheet1": "xl/worksheets/sheet1.xml",
        "workbook": "xl/workbook.xml",
        "relations": "xl/_rels/workbook.xml.rels",
        "texts": "xl/sharedStrings.xml",
    }
    changed = {paths[name]: text for name, text in parts.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = changed.get(name, old.read(name))
            if text is not None:
                new.writestr(name, text)
    return stream.getvalue()


def write_sheet(cells: str, *, before: str = "") -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return (
        f'<?xml version="1.0"?>{before}<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>'.encode()
    )


def explain(content: bytes) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_sheets(content)
    return str(caught.value)


def test_cells_are_read_as_what_they_are() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        sheet = workbook.add_worksheet()
        day, moment = (workbook.add_format({"num_format": each}) for each in ("d/m/yy", "yyyy-mm-dd hh:mm:ss"))
        sheet.write_row(0, 0, ["03201", 3201, 0.1 + 0.2, 1e15, -5.5])
        sheet.write_datetime(1, 0, dt.datetime(2026, 3, 31), day)  # noqa: DTZ001  workbooks have no zones
        sheet.write_datetime(1, 1, dt.datetime(2026, 3, 31, 14, 5, 59), moment)  # noqa: DTZ001
        sheet.write_boolean(1, 2, True)
        sheet.write_formula(1, 3, "=1+1", None, 2)
        sheet.write_formula(1, 4, "=1/0", None, "#DIV/0!")
        sheet.write_string(2, 0, "=1+1\ntwo _x000D_")
    (found,) = read_sheets(stream.getvalue())
    assert found.rows == [
        ("03201", "3201", "0.3", "1000000000000000", "-5.5"),
        ("2026-03-31", "2026-03-31 14:05:59", "TRUE", "2", "#DIV/0!"),
        ("=1+1\ntwo _x000D_", "", "", "", ""),
    ]


def test_a_formula_without_a_value_is_named() -> None:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.append(["Name", "=A1"])
    stream = io.BytesIO()
    workbook.save(stream)
    assert explain(stream.getvalue()).startswith("The cell B1 of “Sheet” has a formula that was never calculated.")


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        f"<row>{'<c><v>1</v></c>' * 2500}</row>{'<row><c><v>1</v></c></row>' * 2500}",
    ],
    ids=["by reference", "by position"],
)
def test_cells_that_reach_too_far_are_refused_before_memory_is_taken(cells: str) -> None:
    content = change(build(["Name"]), sheet1=write_sheet(cells))
    assert explain(content).startswith("The cells of the workbook reach too far:")


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 100_000)
    content = change(build(["Name"]), sheet1=write_sheet(" " * 1_000_000))
    assert len(content) < 20_000
    assert explain(content).startswith("The workbook is too large to be read.")


@pytest.mark.parametrize(
    "part",
    [
        write_sheet("<row><c", before=""),
        write_sheet("<row><c r='A1'><v>&a;</v></c></row>", before='<!DOCTYPE x [<!ENTITY a "aaaa">]>'),
        write_sheet("<row><c r='ZZZZ1'><v>1</v></c></row>"),
        write_sheet("<row r='2000000'><c><v>1</v></c></row>"),
        None,
    ],
    ids=["cut", "entities", "column", "row", "missing"],
)
def test_a_damaged_workbook_is_refused_with_a_remedy(part: bytes | None) -> None:
    content = change(build(["Name"]), sheet1=part)
    assert explain(content) == (
        "The workbook cannot be read. Open it in Excel or LibreOffice, save it as .xlsx, and upload that."
    )


def test_an_archive_whose_sizes_are_not_true_is_refused() -> None:
    content = bytearray(build(["Name"] * 500))
    start = content.rindex(b"PK\x01\x02", 0, content.index(b"xl/worksheets/sheet1.xml", content.index(b"PK\x01\x02")))
    content[start + 24 : start + 28] = (10).to_bytes(4, "little")
    assert explain(bytes(content)).startswith("The workbook cannot be read.")


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (change(build(["Name"]), workbook=None), "This is no Excel workbook (.xlsx)."),
        (build(), "The workbook has no visible sheet with data."),
        (b"\xd0\xcf\x11\xe0...", "This is an old workbook (.xls), or one with a password."),
        (b"PK\x03\x04...", "The workbook cannot be read."),
    ],
)
def test_what_is_no_workbook_with_rows_is_refused(content: bytes, refusal: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        decode_file(content)
    assert str(caught.value).startswith(refusal)


def declare(content: bytes, *, path: str) -> bytes:
    """Return a part of a workbook with entities that unpack to a billion letters, and one that names a file."""
    entities = "".join(f'<!ENTITY l{each} "{f"&l{each - 1};" * 10}">' for each in range(1, 10))
    declared = f'<!DOCTYPE x [<!ENTITY l0 "aaaaaaaaaa">{entities}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        head, _, body = archive.read(path).partition(b"?>")
    return head + b"?>" + declared.encode() + body.replace(b"Rows", b"&l9;").replace(b"Name", b"&f;")


@pytest.mark.parametrize(
    ("part", "path"), [("workbook", "xl/workbook.xml"), ("relations", "xl/_rels/workbook.xml.rels")]
)
def test_entities_are_refused_in_the_parts_that_name_the_sheets(part: str, path: str) -> None:
    content = build(["Name"])
    changed = change(content, **{part: declare(content, path=path)})
    assert explain(changed).startswith("The workbook cannot be read.")


def test_entities_are_refused_in_texts() -> None:
    content = build(["Name"])
    changed = change(content, texts=declare(content, path="xl/sharedStrings.xml"))
    assert explain(changed).startswith("The workbook cannot be read.")


def repeat_text(text: str, *, cells: int) -> bytes:
    """Return a workbook that keeps a text once, and shows it in as many cells of a column."""
    shared = "".join(f"<row><c t='s'><v>{number % 2}</v></c></row>" for number in range(cells))
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    texts = f'<sst xmlns="{space}"><si><t>a</t></si><si><r><t>{text}</t></r><r><t>.</t></r></si></sst>'
    return change(build(["Name"]), sheet1=write_sheet(shared), texts=texts.encode())


def test_a_text_that_is_kept_once_counts_in_each_of_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 40_000)
    few, many = (repeat_text("x" * 999, cells=cells) for cells in (78, 82))
    assert len(many) < 10_000
    assert [len(row[0]) for row in read_sheets(few)[0].rows] == [1, 1000] * 39
    assert explain(many).startswith("The workbook is too large to be read.")


def test_a_text_of_megabytes_in_thousands_of_cells_is_refused() -> None:
    content = repeat_text("x" * 1_000_000, cells=50_000)
    assert len(content) < 500_000
    assert explain(content).startswith("The workbook is too large to be read.")


@pytest.mark.parametrize("path", ["sheet1.xml", "Sheet1.XML", "sheet1.dat", "more/sheet1.xml", "_rels/sheet1.xml"])
def test_a_sheet_is_checked_wherever_calamine_finds_it(path: str) -> None:
    content = change(build(["Name"]), sheet1=write_sheet('<row><c r="XFD1048576"><v>1</v></c></row>'))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            moved = old.read(name).replace(b"worksheets/sheet1.xml", f"worksheets/{path}".encode())
            new.writestr(name.replace("worksheets/sheet1.xml", f"worksheets/{path}"), moved)
    assert explain(stream.getvalue()).startswith("The cells of the workbook reach too far:")


def test_what_a_sheet_says_of_its_own_size_takes_no_memory() -> None:
    sheet = write_sheet("<row><c t='inlineStr'><is><t>Name</t></is></c></row>")
    large = sheet.replace(b"<sheetData>", b'<dimension ref="A1:XFD1048576"/><sheetData>')
    (found,) = read_sheets(change(build(["Name"]), sheet1=large))
    assert found.rows == [("Name",)]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_parts_with_one_name_none_is_believed() -> None:
    stream = io.BytesIO(build(["Name"]))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", write_sheet("<row><c><v>1</v></c></row>"))
    assert explain(stream.getvalue()).startswith("The workbook cannot be read.")


def test_a_workbook_of_thousands_of_parts_is_refused() -> None:
    stream = io.BytesIO(build(["Name"]))
    with zipfile.ZipFile(stream, "a") as archive:
        for number in range(5_000):
            archive.writestr(f"xl/worksheets/other{number}.xml", b"")
    assert explain(stream.getvalue()).startswith("The workbook is too large to be read.")


def test_the_cells_of_all_sheets_count_together() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        for _ in range(6):
            workbook.add_worksheet().write(9_999, 99, "far")
    assert explain(stream.getvalue()).startswith("The cells of the workbook reach too far:")


def test_more_columns_than_can_be_read_are_refused() -> None:
    text = next(iter(json.loads(decode_file(build(["Name"] * 501)).content).values()))
    with pytest.raises(UnreadableFileError, match=r"Line 1 has 501 cells; at most 500 can be read\."):
        list(read_rows(text=text, delimiter=",", is_sheet=True))


def test_a_cell_that_refers_to_another_workbook_is_what_it_was_and_nothing_is_fetched() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        sheet = workbook.add_worksheet("Rows")
        sheet.write_row(0, 0, ["Name", "Sponsor"])
        sheet.write(1, 0, "S-1")
        sheet.write_formula(1, 1, "='http://127.0.0.1:9/[secret.xlsx]Sheet1'!A1", None, "as it was")
    (found,) = read_sheets(stream.getvalue())
    assert found.rows[1] == ("S-1", "as it was")
