"""Reads and writes CSV files of various encodings and delimiters. Nothing here knows about records."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ctms.records.bulk.imports.dialects.code_pages import CODE_PAGES, find_code_page
from ctms.records.bulk.imports.dialects.workbooks import is_workbook, read_sheets
from ctms.records.bulk.imports.errors import UnreadableFileError
from ctms.records.fields.csv_injection import neutralise_line, restore

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 500
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LONGEST_HEADER = 100_000
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"  # also one with a password
# The line by which Excel is told the delimiter of a file.
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(?P<delimiter>[^\r\n"])"?[^\S\r\n]*(?:\r\n|\r|\n)', re.IGNORECASE)
_NO_TEXT = "This is no text file. Save the table as “CSV UTF-8” or as .xlsx, and upload that."


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A row of cells and the line that it begins on; the first line is 1. In a sheet, each row is one line."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileText:
    """A file as an operation keeps it: the text of a CSV file; of a workbook, JSON of the CSV of each sheet by name.

    `encoding` is the code page that was guessed, empty for Unicode.
    """

    content: str
    encoding: str = ""
    sheets: tuple[str, ...] = ()


def decode_file(content: bytes) -> FileText:
    """Decode an uploaded file. Raises UnreadableFileError."""
    if len(content) > MOST_BYTES:
        raise UnreadableFileError(
            f"The file has more than {MOST_BYTES // 1024 // 1024} MB, which is the most that can be imported at once. "
            "Split it."
        )
    if content.startswith(_OLD_WORKBOOK):
        raise UnreadableFileError(
            "This is an old workbook (.xls), or one with a password. Save it as .xlsx without a password, and upload "
            "that."
        )
    if is_workbook(content):
        sheets = {each.name: _write_rows(each.rows) for each in read_sheets(content)}
        return FileText(content=json.dumps(sheets, ensure_ascii=False), sheets=tuple(sheets))
    decoded = _decode_text(content)
    if "\x00" in decoded.content:
        raise UnreadableFileError(_NO_TEXT)
    if not decoded.content.strip():
        raise UnreadableFileError("The file is empty. Its first line has to name the columns.")
    return decoded


def decode_again(*, text: str, encoding: str, another: str) -> str:
    """Decode the bytes of a text, which was read in one code page, in another. Raises UnreadableFileError."""
    try:
        return text.encode(encoding).decode(another)
    except UnicodeError as error:
        raise UnreadableFileError(
            f"The file cannot be read as {CODE_PAGES[another].label}: it has bytes that mean nothing there. Choose "
            "another encoding, or save the file as “CSV UTF-8”."
        ) from error


def get_sheet_text(*, content: str, sheet: str) -> str:
    """Return the CSV of a sheet from what an operation keeps of a workbook. Raises UnreadableFileError."""
    sheets: dict[str, str] = json.loads(content)
    if sheet not in sheets:
        raise UnreadableFileError(f"The workbook has no sheet “{sheet}” with data. Choose another one.")
    return sheets[sheet]


def find_delimiter(text: str) -> str:
    """Return the delimiter that the first line names as `sep=;`, else the most frequent one in it, outside quotes."""
    named = _SEPARATOR_LINE.match(text)
    if named:
        return named["delimiter"]
    first, quoted = "", False
    for sign in text.lstrip("\r\n")[:_LONGEST_HEADER]:
        quoted ^= sign == '"'
        if sign in "\r\n" and not quoted:
            break
        first += "" if quoted else sign
    return max(DELIMITERS, key=first.count)


def read_rows(*, text: str, delimiter: str, is_sheet: bool = False) -> Iterator[FileRow]:
    """Yield the rows of the file including the one that names the columns; empty rows and `sep=` are left out.

    Raises UnreadableFileError at a row that cannot be read.
    """
    named = _SEPARATOR_LINE.match(text)
    above = 1 if named else 0
    reader = csv.reader(
        io.StringIO(text[named.end() :] if named else text, newline=""), delimiter=delimiter, strict=True
    )
    line = above + 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            sign = DELIMITERS.get(delimiter, f"“{delimiter}”")
            raise UnreadableFileError(
                f"Line {line} cannot be read ({error}). Text with a quotation mark, a line break or a {sign} in it "
                "stands between quotation marks; marks inside it are doubled."
            ) from error
        if cells is None:
            return
        if len(cells) > MOST_COLUMNS:
            raise UnreadableFileError(
                f"Line {line} has {len(cells):,} cells; at most {MOST_COLUMNS} can be read. Remove columns that are "
                "not imported, and separators at the end of the line."
            )
        if any(cell.strip() for cell in cells):
            yield FileRow(line=line, cells=tuple(read_cell(cell) for cell in cells))
        line = line + 1 if is_sheet else above + reader.line_num + 1


def read_cell(cell: str) -> str:
    """Return the text of a cell without the apostrophe that an export puts before what would be a formula."""
    return restore(cell).strip() if "'" in cell else cell.strip()


def write_line(cells: Iterable[str]) -> str:
    """Return a line of CSV that this module can read; text that a spreadsheet would run as a formula is neutralised."""
    return _write_rows([cells])


def _write_rows(rows: Iterable[Iterable[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([neutralise_line(cell) for cell in cells] for cells in rows)
    return buffer.getvalue()


def _decode_text(content: bytes) -> FileText:
    wide = _find_wide(content)
    try:
        return FileText(content=content.decode(wide or "utf-8-sig"))
    except UnicodeDecodeError:
        page = None if wide else find_code_page(content)
    if page is None:
        raise UnreadableFileError(_NO_TEXT)
    return FileText(content=content.decode(page.name), encoding=page.name)


def _find_wide(content: bytes) -> str:
    """Return the name of an encoding of two bytes for each sign, also without a byte order mark; else empty."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = content[:2000]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 2 < len(start) // 2 or min(even, odd):
        return ""
    return "utf-16-be" if even > odd else "utf-16-le"
