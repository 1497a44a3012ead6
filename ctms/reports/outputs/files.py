"""Files of a report: CSV and workbooks. They are written to the disk before any of it is sent, so as to be whole."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import IO
from urllib.parse import quote

from django.conf import settings
from django.utils.text import slugify

from ctms.core.utf16 import cut_text
from ctms.records.fields.kinds.base import Cell
from ctms.records.lists.exports import stream_lines, write_rows
from ctms.reports.engine.limits import read_snapshot
from ctms.reports.engine.opening import OpenReport
from ctms.reports.outputs.tables import open_table

_SECONDS = 10  # times those of a page
_SHEET = "Report"
_LONGEST_NAME = 100
# Signs that a file system refuses or reads as a part of a path, and those that turn the direction of a text round.
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*%;\s]+')
# Names of devices, which Windows opens in place of a file, whatever comes behind the point.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[.-]|$)", re.IGNORECASE)


class FileFormat(StrEnum):
    """A format in which reports are exported."""

    CSV = "csv"
    XLSX = "xlsx"

    @property
    def content_type(self) -> str:
        """Return the content type of files of this format."""
        if self is FileFormat.CSV:
            return "text/csv; charset=utf-8"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A temporary file at its beginning, which is deleted when it is closed, and how many lines it has."""

    content: IO[bytes]
    lines: int


def write_file(
    opened: OpenReport, *, file_format: FileFormat, zone: dt.tzinfo, at: Sequence[str | None] = ()
) -> WrittenFile:
    """Write the report to a file; with `at`, the rows behind a figure. What it reads is of one moment.

    Raises InvalidReportError, UnknownGroupError, ReportTooSlowError and ReportError.
    """
    counted = [0]
    with read_snapshot(_SECONDS * settings.REPORT_SECONDS):
        table = open_table(opened, zone=zone, at=at)
        lines = _count(table.lines, counted)
        if file_format is FileFormat.XLSX:
            content = write_rows(title=_SHEET, heading=table.heading, rows=lines, widths=table.widths)
        else:
            content = _write_csv(heading=table.heading, lines=lines)
    return WrittenFile(content=content, lines=counted[0])


def build_file_name(name: str, *, day: dt.date, file_format: FileFormat) -> str:
    """Return the name of a report's file, with letters of any script but without what a file system may misread."""
    visible = "".join(
        each if unicodedata.category(each)[0] != "C" else " " for each in unicodedata.normalize("NFC", name)
    )
    stem = _NOT_IN_NAMES.sub("-", visible).strip("-. ")
    stem = cut_text(stem, _LONGEST_NAME).rstrip("-. ") or "report"
    if _DEVICES.match(stem):
        stem = f"report-{stem}"
    return f"{stem}-{day:%Y-%m-%d}.{file_format}"


def build_disposition(file_name: str) -> str:
    """Return the header that names a file: in ASCII for old programs, and as it is for all others (RFC 6266)."""
    stem, _, ending = file_name.rpartition(".")
    plain = f"{slugify(stem) or 'report'}.{ending}"
    if plain == file_name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _write_csv(*, heading: Sequence[str], lines: Iterator[list[Cell]]) -> IO[bytes]:
    with ExitStack() as until_written:
        file = until_written.enter_context(tempfile.TemporaryFile())
        for part in stream_lines(heading=heading, rows=lines):
            file.write(part.encode())
        file.seek(0)
        until_written.pop_all()  # the response closes it
    return file


def _count(lines: Iterator[list[Cell]], counted: list[int]) -> Iterator[list[Cell]]:
    for line in lines:
        counted[0] += 1
        yield line
