"""Reads Excel workbooks (.xlsx): the sheets that have data, as rows of texts. Nothing here knows about records.

A workbook is checked before it is opened, since calamine keeps a whole sheet in memory with its empty cells: what its
archive unpacks to, how far its cells reach, how long their texts are together, and what calamine would show as empty,
which are cells with an error and formulas that no program has calculated.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from ctms.records.bulk.imports.dialects.shared_texts import count_shared, list_lengths
from ctms.records.bulk.imports.errors import UnreadableFileError

MOST_UNPACKED = 200 * 1024 * 1024  # bytes of the archive, and characters of its cells
MOST_CELLS = 5_000_000  # of all sheets, with the empty ones between them
_MOST_PARTS = 5_000
_CHUNK = 1024 * 1024
_SHEETS, _TEXTS = "xl/worksheets/", "xl/sharedstrings.xml"  # where calamine finds them, in any case
_LETTERS = re.compile(r"[A-Z]{1,3}$")
_MOST_COLUMNS, _MOST_LINES = 16_384, 1_048_576  # of Excel
_DIGITS = 15  # that Excel keeps of a number

_BROKEN = "The workbook cannot be read. Open it in Excel or LibreOffice, save it as .xlsx, and upload that."
_TOO_LARGE = (
    "The workbook is too large to be read. Keep the sheet with the rows, delete what else is in it, or split it."
)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet with data. `lines` are the numbers of its rows in the workbook, of which empty ones are left out."""

    name: str
    rows: list[Row]


@dataclass(slots=True, kw_only=True)
class _Part:
    """What the check found in a sheet: how far it reaches, and the texts of cells with an error by line and column."""

    lines: int = 0
    columns: int = 0
    shared: int = 0  # cells whose text is one of those that are kept once for all sheets
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    uncalculated: str = ""  # the first formula without a value


def is_workbook(content: bytes) -> bool:
    """Whether the content is an archive, such as a workbook."""
    return content.startswith(b"PK\x03\x04")


def read_sheets(content: bytes) -> list[Sheet]:
    """Return the visible sheets that have data. Raises UnreadableFileError."""
    parts = _check(content)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            paths = _list_paths(content)
            sheets = [
                Sheet(
                    name=each.name, rows=_read_rows(workbook, name=each.name, part=parts.get(paths.get(each.name, "")))
                )
                for each in workbook.sheets_metadata
                if each.typ == SheetTypeEnum.WorkSheet and each.visible == SheetVisibleEnum.Visible
            ]
    except (CalamineError, ValueError, OSError) as error:
        raise UnreadableFileError(_BROKEN) from error
    found = [each for each in sheets if any(map(any, each.rows))]
    if not found:
        raise UnreadableFileError(
            "The workbook has no visible sheet with data. Its first line has to name the columns."
        )
    return found


def _read_rows(workbook: CalamineWorkbook, *, name: str, part: _Part | None) -> list[Row]:
    rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    texts = [[_write_cell(cell) for cell in row] for row in rows]
    if part is not None and part.uncalculated:
        raise UnreadableFileError(
            f"The cell {part.uncalculated} of “{name}” has a formula that was never calculated. Open the workbook in "
            "Excel or LibreOffice, save it, and upload it again."
        )
    for (line, column), text in (part.errors if part else {}).items():
        while len(texts) < line:
            texts.append([])
        row = texts[line - 1]
        row.extend([""] * (column - len(row)))
        row[column - 1] = text
    return [tuple(row) for row in texts]


def _write_cell(cell: Any) -> str:
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float | int):
        return f"{Decimal(f'{cell:.{_DIGITS}g}'):f}"
    if isinstance(cell, dt.datetime):
        # Excel keeps a time as a fraction of a day, which is off by less than a millisecond.
        moment = (cell + dt.timedelta(milliseconds=500)).replace(microsecond=0)
        return moment.isoformat(" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)


# -- The check ----------------------------------------------------------------------------------------------------


def _check(content: bytes) -> dict[str, _Part]:
    """Return what is in the sheets by their path in the archive. Raises UnreadableFileError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            names = {each.filename for each in infos}
            if "xl/workbook.xml" not in names:
                raise UnreadableFileError(
                    "This is no Excel workbook (.xlsx). Open it in its own program, save it as .xlsx, and upload that."
                )
            if len(infos) > _MOST_PARTS or sum(each.file_size for each in infos) > MOST_UNPACKED:
                raise UnreadableFileError(_TOO_LARGE)
            if len(names) < len(infos):
                raise UnreadableFileError(_BROKEN)  # of two parts with one name, only one would be checked
            parts = {each.filename: _check_part(archive, each) for each in infos}
            sheets = {name: part for name, part in parts.items() if part is not None}
            _check_texts(archive, sheets=sheets)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, expat.ExpatError) as error:
        raise UnreadableFileError(_BROKEN) from error
    if sum(each.lines * each.columns for each in sheets.values()) > MOST_CELLS:
        raise UnreadableFileError(
            f"The cells of the workbook reach too far: there are more than {MOST_CELLS:,} with the empty ones. Delete "
            "rows and columns that look empty but are not, or copy the table into a new workbook."
        )
    return sheets


def _check_part(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Part | None:
    """Unpack a part, so that its size and checksum are known to be true, and look at the cells if it is a sheet."""
    with archive.open(info) as stream:
        if info.filename.lower().startswith(_SHEETS):
            return _SheetCheck().read(stream)
        while stream.read(_CHUNK):
            pass
    return None


def _check_texts(archive: zipfile.ZipFile, *, sheets: Mapping[str, _Part]) -> None:
    """Refuse texts that are kept once but stand in so many cells that they would take the memory.

    Raises UnreadableFileError. The cells are looked at one by one only if the longest text in all would be too much.
    """
    lengths: Sequence[int] = []
    for name in archive.namelist():
        if name.lower() == _TEXTS:
            with archive.open(name) as stream:
                lengths = list_lengths(stream)
    if max(lengths, default=0) * sum(each.shared for each in sheets.values()) <= MOST_UNPACKED:
        return
    total = 0
    for name in sheets:
        with archive.open(name) as stream:
            total += count_shared(stream, lengths=lengths)
    if total > MOST_UNPACKED:
        raise UnreadableFileError(_TOO_LARGE)


def _refuse(*_: Any) -> None:
    raise UnreadableFileError(_BROKEN)  # a workbook declares no entities; what does is an attack


class _SheetCheck:
    """Goes through the XML of a sheet without keeping it.

    Most cells take two calls, one for the cell and one for its value; the text of a value is asked for only where it
    matters, in cells with an error or a formula.
    """

    def __init__(self) -> None:
        self._part = _Part()
        self._line = self._column = 0
        self._type = ""
        self._has_formula = False
        self._value: list[str] = []
        self._columns: dict[str, int] = {}
        self._parser = expat.ParserCreate()

    def read(self, stream: IO[bytes]) -> _Part:
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.StartElementHandler = self._begin
        self._parser.ParseFile(stream)
        return self._part

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        kind = name[name.find(":") + 1 :]
        if kind == "c":
            self._place_cell(attributes.get("r", ""))
            self._type, self._has_formula, self._value = attributes.get("t", ""), False, []
            if self._type == "e":
                self._listen()
            elif self._type == "s":
                self._part.shared += 1
        elif kind == "row":
            self._line = int(attributes.get("r") or self._line + 1)
            self._column = 0
        elif kind == "f":
            self._has_formula = True
            self._listen()

    def _listen(self) -> None:
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._value.append

    def _place_cell(self, reference: str) -> None:
        if reference:
            letters = reference.rstrip("0123456789")
            if letters not in self._columns:
                self._columns[letters] = _read_column(letters)
            self._column, self._line = self._columns[letters], int(reference[len(letters) :] or 0)
        else:
            self._column += 1
        if self._column > _MOST_COLUMNS or not 1 <= self._line <= _MOST_LINES:
            raise UnreadableFileError(_BROKEN)
        self._part.lines = max(self._part.lines, self._line)
        self._part.columns = max(self._part.columns, self._column)

    def _end(self, name: str) -> None:
        kind = name[name.find(":") + 1 :]
        if kind == "f":
            self._value.clear()  # the formula itself
        elif kind == "c":
            self._parser.EndElementHandler = self._parser.CharacterDataHandler = None
            text = "".join(self._value).strip()
            if self._type == "e":
                self._part.errors[self._line, self._column] = text
            elif self._has_formula and not text and self._type != "str" and not self._part.uncalculated:
                self._part.uncalculated = _name_cell(line=self._line, column=self._column)


def _read_column(letters: str) -> int:
    if not _LETTERS.match(letters):
        raise UnreadableFileError(_BROKEN)
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _name_cell(*, line: int, column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{line}"


def _list_paths(content: bytes) -> dict[str, str]:
    """Return the path of each sheet in the archive by its name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        relations = dict(
            _list_attributes(archive, "xl/_rels/workbook.xml.rels", element="Relationship", names=("Id", "Target"))
        )
        sheets = _list_attributes(archive, "xl/workbook.xml", element="sheet", names=("name", "id"))
        return {
            name: target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
            for name, key in sheets
            if (target := relations.get(key, ""))
        }


def _list_attributes(
    archive: zipfile.ZipFile, path: str, *, element: str, names: tuple[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield two attributes of each element of that name; a name in a namespace counts by its last part."""
    found: list[tuple[str, str]] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(" ")[2] == element:
            plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
            found.append((plain.get(names[0], ""), plain.get(names[1], "")))

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = begin
    parser.Parse(archive.read(path), True)  # noqa: FBT003  expat takes it by position
    yield from found
