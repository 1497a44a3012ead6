"""Exports lists to files: records, order and columns as on the page, any number of records in bounded memory."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from django.db.models import QuerySet
from django.utils import timezone
from xlsxwriter.worksheet import Worksheet

from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.csv_injection import neutralise_line
from ctms.records.fields.headers import FieldHeaders
from ctms.records.fields.kinds.base import EMPTY, Cell, kind_of
from ctms.records.fields.references import HIDDEN
from ctms.records.fields.values import ValueReader, read_value, select_references
from ctms.records.lists.order.keyset_pagination import order_records
from ctms.records.lists.query import COLUMNS, CURSOR, SIZE, VIEW, ListQuery, change_parameters

_CHUNK = 500
_BYTE_ORDER_MARK = "\ufeff"  # tells spreadsheets that the file is UTF-8
_MOST_ROWS = 1_048_575  # on a worksheet, below its heading
_LONGEST_CELL = 32_767
CUT_MARK = " … (cut here; the CSV export has all of it)"
_FIRST_YEAR = 1900  # worksheets cannot hold earlier dates
_LONGEST_SHEET_NAME = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Columns and records of a list to export, with times in the user's time zone."""

    access: ObjectAccess
    columns: Sequence[ObjectField]
    records: QuerySet[Any]
    zone: dt.tzinfo

    @property
    def heading(self) -> list[str]:
        headers = FieldHeaders(self.access.shape.fields.values())
        return [headers.write(each) for each in self.columns]

    def list_rows(self) -> Iterator[list[Cell]]:
        """Yield the rows, which are read from the database in chunks."""
        chunk: list[Any] = []
        for record in self.records.iterator(chunk_size=_CHUNK):
            chunk.append(record)
            if len(chunk) == _CHUNK:
                yield from self._read(chunk)
                chunk = []
        yield from self._read(chunk)

    def _read(self, records: list[Any]) -> Iterator[list[Cell]]:
        # A new reader for each chunk, so that the users it keeps in memory stay bounded.
        reader = ValueReader(access=self.access).load(records=records, fields=self.columns)
        for record in records:
            yield [self._read_cell(record=record, field=each, reader=reader) for each in self.columns]

    def _read_cell(self, *, record: Any, field: ObjectField, reader: ValueReader) -> Cell:
        value = read_value(record=record, field=field)
        if field.is_custom and field.reference is not None:
            value = reader.people.get(str(value))
        if value in EMPTY:
            return ""
        if not reader.may_name(value):
            return HIDDEN
        return kind_of(field).write_cell(value=value, field=field, shape=self.access.shape, zone=self.zone)


def open_export(*, listed: ListQuery, columns: Sequence[ObjectField]) -> Export:
    """Build the export of a list. Raises InvalidListError if a parameter of its address is not valid."""
    listed.require_valid()
    records = select_references(records=listed.list_records(), fields=columns)
    return Export(
        access=listed.access,
        columns=columns,
        records=order_records(records=records, sort=listed.sort),
        zone=timezone.get_current_timezone(),
    )


def note_export(*, listed: ListQuery, columns: Sequence[ObjectField], file_format: str, actor: Actor) -> None:
    """Record in the audit trail who exports which records, and how many."""
    asked = change_parameters(listed.parameters, **dict.fromkeys((COLUMNS, CURSOR, SIZE, VIEW)))
    record_event(
        actor=actor,
        action=AuditAction.EXPORTED,
        object_name=listed.access.shape.api_name,
        changes={
            "format": [None, file_format],
            "list": [None, asked.urlencode()],
            "columns": [None, [each.api_name for each in columns]],
            "records": [None, listed.list_records().order_by().count()],
        },
    )


# -- CSV ----------------------------------------------------------------------------------------------------------


def stream_csv(export: Export) -> Iterator[str]:
    """Yield the lines of a CSV file, several hundred at a time."""
    return stream_lines(heading=export.heading, rows=export.list_rows())


def stream_lines(*, heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield the lines of a CSV file of any rows, several hundred at a time; no cell is run as a formula."""
    buffer = io.StringIO()
    file = CsvFile(buffer, heading=heading)
    for number, row in enumerate(rows, start=1):
        file.write([row])
        if number % _CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


class CsvFile:
    """Writes the lines of a CSV file to a stream. No cell is run as a formula."""

    def __init__(self, stream: IO[str], *, heading: Sequence[str]) -> None:
        """Write the heading."""
        stream.write(_BYTE_ORDER_MARK)
        self._writer = csv.writer(stream)
        self.write([heading])

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows."""
        self._writer.writerows([_write_text(cell) for cell in row] for row in rows)


def _write_text(cell: Cell) -> str:
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, str):
        return neutralise_line(cell)
    return f"{cell.normalize():f}" if isinstance(cell, Decimal) else str(cell)


# -- Workbooks ----------------------------------------------------------------------------------------------------

_WIDTH = 24
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


def write_workbook(export: Export) -> IO[bytes]:
    """Write a workbook to a temporary file, which is deleted when closed; returns it positioned at its start.

    Rows that exceed a worksheet continue on another one.
    """
    return write_rows(
        title=export.access.vault_object.plural_title,
        heading=export.heading,
        rows=export.list_rows(),
        widths=[kind_of(each).export_width for each in export.columns],
    )


def write_rows(
    *, title: str, heading: Sequence[str], rows: Iterable[Sequence[Cell]], widths: Sequence[int] = ()
) -> IO[bytes]:
    """As `write_workbook`, for any rows; no cell is run as a formula."""
    with ExitStack() as until_written:
        file = until_written.enter_context(tempfile.TemporaryFile())
        workbook = until_written.enter_context(xlsxwriter.Workbook(file, _OPTIONS))
        writer = _SheetWriter(workbook=workbook, title=title, heading=heading, widths=widths or [_WIDTH] * len(heading))
        for row in rows:
            writer.write(row)
        writer.finish()
        workbook.close()
        file.seek(0)
        until_written.pop_all()  # the response closes it
    return file


class _SheetWriter:
    """Writes rows in their order, as xlsxwriter's `constant_memory` mode requires."""

    def __init__(
        self, *, workbook: xlsxwriter.Workbook, title: str, heading: Sequence[str], widths: Sequence[int]
    ) -> None:
        self._workbook, self._title, self._heading, self._widths = workbook, title, heading, widths
        self._bold = workbook.add_format({"bold": True})
        self._date = workbook.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self._time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm", "align": "left"})
        self._sheets = 0
        self._sheet = self._add_sheet()
        self._row = 0

    def write(self, cells: Sequence[Cell]) -> None:
        if self._row == _MOST_ROWS:
            self.finish()
            self._sheet = self._add_sheet()
            self._row = 0
        self._row += 1
        for column, cell in enumerate(cells):
            self._write_cell(column, cell)

    def finish(self) -> None:
        """Offer to filter the rows of the present sheet by each column."""
        self._sheet.autofilter(0, 0, self._row, len(self._heading) - 1)

    def _add_sheet(self) -> Worksheet:
        self._sheets += 1
        number = f" {self._sheets}" if self._sheets > 1 else ""
        title = re.sub(r"[\[\]:*?/\\']", " ", self._title)
        sheet = self._workbook.add_worksheet(title[: _LONGEST_SHEET_NAME - len(number)] + number)
        sheet.freeze_panes(1, 0)
        for column, (label, width) in enumerate(zip(self._heading, self._widths, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, label, self._bold)
        return sheet

    def _write_cell(self, column: int, cell: Cell) -> None:
        if isinstance(cell, dt.date) and cell.year < _FIRST_YEAR:
            cell = cell.isoformat()
        if isinstance(cell, dt.datetime):
            self._sheet.write_datetime(self._row, column, cell, self._time)
        elif isinstance(cell, dt.date):
            self._sheet.write_datetime(self._row, column, cell, self._date)
        elif not isinstance(cell, str):
            self._sheet.write_number(self._row, column, cell)
        elif cell:
            text = cell  # a string cell is never run as a formula
            if len(text) > _LONGEST_CELL:
                text = text[: _LONGEST_CELL - len(CUT_MARK)] + CUT_MARK
            self._sheet.write_string(self._row, column, text)
