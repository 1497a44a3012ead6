"""Reads and writes CSV files of various encodings and delimiters. Nothing here knows about records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ctms.core.errors import VaultError
from ctms.records.fields.csv_injection import neutralise_line, restore

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 500
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LONGEST_HEADER = 100_000
_WINDOWS_NOTICE = (
    "The file is not UTF-8; it was read as Windows-1252. Check accents and umlauts below, or save it as “CSV UTF-8”."
)


class UnreadableFileError(VaultError):
    """The file cannot be imported; the message says what to do with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A row of cells and the line that it begins on; the first line is 1."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileText:
    """The text of a file. `notices` say what was guessed, such as the encoding."""

    text: str
    notices: tuple[str, ...] = ()


def decode_file(content: bytes) -> FileText:
    """Decode an uploaded file. Raises UnreadableFileError."""
    if len(content) > MOST_BYTES:
        raise UnreadableFileError(
            f"The file has more than {MOST_BYTES // 1024 // 1024} MB, which is the most that can be imported at once. "
            "Split it."
        )
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableFileError("This is a workbook, not a CSV file. Save it as “CSV UTF-8” and upload that.")
    notices: tuple[str, ...] = ()
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text, notices = content.decode("cp1252"), (_WINDOWS_NOTICE,)
        except UnicodeDecodeError as error:
            raise UnreadableFileError(
                "The file is neither UTF-8 nor Windows-1252. Save it as “CSV UTF-8” and upload that."
            ) from error
    if "\x00" in text:
        raise UnreadableFileError("This is no text file. Save the table as “CSV UTF-8” and upload that.")
    if not text.strip():
        raise UnreadableFileError("The file is empty. Its first line has to name the columns.")
    return FileText(text=text, notices=notices)


def find_delimiter(text: str) -> str:
    """Return the delimiter: the most frequent of comma, semicolon and tab in the first line, outside quotes."""
    first, quoted = "", False
    for sign in text.lstrip("\r\n")[:_LONGEST_HEADER]:
        quoted ^= sign == '"'
        if sign in "\r\n" and not quoted:
            break
        first += "" if quoted else sign
    return max(DELIMITERS, key=first.count)


def read_rows(*, text: str, delimiter: str) -> Iterator[FileRow]:
    """Yield the rows of the file including the first, which names the columns; empty rows are left out.

    Raises UnreadableFileError at a row that cannot be read.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableFileError(
                f"Line {line} cannot be read ({error}). Text with a quotation mark, a line break or a "
                f"{DELIMITERS[delimiter]} in it stands between quotation marks; marks inside it are doubled."
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
        line = reader.line_num + 1


def read_cell(cell: str) -> str:
    """Return the text of a cell without the apostrophe that an export puts before what would be a formula."""
    return restore(cell).strip() if "'" in cell else cell.strip()


def write_line(cells: Iterable[str]) -> str:
    """Return a line of CSV that this module can read; text that a spreadsheet would run as a formula is neutralised."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([neutralise_line(cell) for cell in cells])
    return buffer.getvalue()
