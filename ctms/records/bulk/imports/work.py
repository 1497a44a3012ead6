"""The work of an import operation: opens the uploaded file and plans its rows in batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from ctms.configuration.snapshot import ObjectShape
from ctms.core.errors import VaultError
from ctms.core.text.dates import DateOrder
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.columns import Column, list_named_fields, match_columns
from ctms.records.bulk.imports.dialects.numbers import DecimalMark
from ctms.records.bulk.imports.dialects.zeros import ZeroAnswer
from ctms.records.bulk.imports.errors import UnreadableFileError
from ctms.records.bulk.imports.files import (
    MOST_ROWS,
    FileRow,
    decode_again,
    decode_file,
    find_delimiter,
    get_sheet_text,
    read_rows,
)
from ctms.records.bulk.imports.keys import BY_COLUMNS, MatchKey, get_match_key, list_possible_keys
from ctms.records.bulk.imports.planning import RowPlanner
from ctms.records.bulk.imports.readings import describe_encoding, describe_sheet, read_dates, read_numbers
from ctms.records.writing.bulk_write import RowDraft

MOST_ROWS_AT_ONCE = 10_000  # of an import that is all or nothing


class ChangedConfigurationError(VaultError):
    """An admin changed fields of the object after the file was uploaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is read, kept in the plan of its operation: first what people choose, then what follows."""

    file_name: str
    key: str = BY_COLUMNS
    update_existing: bool = True
    clear_empty: bool = False
    all_or_nothing: bool = False
    encoding: str = ""  # a code page; empty for Unicode and workbooks
    sheet: str = ""  # of a workbook; empty for CSV
    date_answer: str = ""  # a DateOrder, for the columns in which day and month can be mistaken
    number_answer: str = ""  # a DecimalMark, for the columns in which thousands and fractions can be mistaken
    zeros: str = ZeroAnswer.OPEN
    uses: Mapping[str, str] | None = None  # line → uid of the record that is there already and that it is to change

    delimiter: str = ","
    sheets: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()  # API names of its columns at the time of the upload
    keys: tuple[str, ...] = ()  # names of the keys that its columns allow
    date_orders: Mapping[str, str] | None = None  # API name → DateOrder
    date_question: Mapping[str, Any] | None = None  # if day and month can be mistaken: see `readings.Found`
    number_marks: Mapping[str, str] | None = None  # API name → DecimalMark
    number_question: Mapping[str, Any] | None = None
    readings: tuple[str, ...] = ()  # how it was read, in words
    notices: tuple[str, ...] = ()  # which columns are left out, and why

    @property
    def is_open(self) -> bool:
        """Whether its user has to say how dates or numbers are written before it can be checked."""
        is_date_open = bool(self.date_question) and not self.date_answer
        return is_date_open or (bool(self.number_question) and not self.number_answer)

    @property
    def orders(self) -> dict[str, DateOrder]:
        """Return in which order each column has day and month."""
        return {name: DateOrder(order) for name, order in (self.date_orders or {}).items()}

    @property
    def marks(self) -> dict[str, DecimalMark]:
        """Return what each column writes before the fraction of a number."""
        return {name: DecimalMark(mark) for name, mark in (self.number_marks or {}).items()}

    @property
    def used(self) -> dict[int, UUID]:
        """Return the uid of the record that a line uses instead of creating one."""
        return {int(line): UUID(uid) for line, uid in (self.uses or {}).items()}

    @property
    def zero_answer(self) -> ZeroAnswer:
        """Return what becomes of numbers that have lost their leading zeros."""
        return ZeroAnswer(self.zeros)

    def as_plan(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, plan: Mapping[str, Any]) -> Self:
        """Return the options in the plan of an operation, which has more than these."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in plan.items() if name in known})


@dataclass(frozen=True, kw_only=True)
class ImportFile:
    """A file as its operation keeps it, and the field of each column."""

    content: str
    options: ImportOptions
    key: MatchKey
    columns: tuple[Column, ...]
    headers: int
    remarks: tuple[str, ...]  # about columns that are left out

    @cached_property
    def rows(self) -> list[FileRow]:
        """Return the rows below the header."""
        return list(itertools.islice(_read(content=self.content, options=self.options), 1, None))

    def list_first_rows(self, number: int) -> list[FileRow]:
        """Return the first `number` rows below the header without reading the others."""
        return list(itertools.islice(_read(content=self.content, options=self.options), 1, number + 1))


def open_upload(*, shape: ObjectShape, content: bytes, options: ImportOptions) -> ImportFile:
    """Read an uploaded file as the options say, and complete them. Raises UnreadableFileError saying what to do."""
    decoded = decode_file(content)
    sheet = decoded.sheets[0] if decoded.sheets else ""
    found = replace(options, encoding=decoded.encoding, sheets=decoded.sheets, sheet=sheet)
    return _open(shape=shape, content=decoded.content, options=found)


def read_again(*, shape: ObjectShape, content: str, options: ImportOptions, choices: Mapping[str, Any]) -> ImportFile:
    """Read what an operation keeps of a file again, with other choices. Raises UnreadableFileError as `open_upload`."""
    chosen = replace(options, **choices)
    if options.encoding and chosen.encoding != options.encoding:
        content = decode_again(text=content, encoding=options.encoding, another=chosen.encoding)
    if chosen.sheet != options.sheet:
        chosen = replace(chosen, key=choices.get("key", BY_COLUMNS), uses=None)
    return _open(shape=shape, content=content, options=chosen)


def open_content(*, shape: ObjectShape, content: str, options: ImportOptions) -> ImportFile:
    """Find the field of each column of a file that was uploaded before.

    Raises UnreadableFileError, and ChangedConfigurationError if the columns meant other fields when it was uploaded.
    """
    if options.is_open:
        raise UnreadableFileError("Say first how the file is read.")
    header = next(_read(content=content, options=options))
    key = get_match_key(shape=shape, name=options.key)
    columns, remarks = match_columns(shape=shape, headers=header.cells, key=key)
    if tuple(options.fields) != tuple(column.field.api_name for column in columns):
        raise ChangedConfigurationError(
            f"An admin changed the fields of {shape.vault_object.plural_label} since the file was uploaded. Upload it "
            "again."
        )
    return ImportFile(
        content=content,
        options=options,
        key=key,
        columns=tuple(columns),
        headers=len(header.cells),
        remarks=tuple(remarks),
    )


def _open(*, shape: ObjectShape, content: str, options: ImportOptions) -> ImportFile:
    text = get_sheet_text(content=content, sheet=options.sheet) if options.sheet else content
    options = replace(options, delimiter="," if options.sheet else find_delimiter(text))
    # Of a file with millions of lines no more is kept in memory than shows that it has too many.
    found = list(itertools.islice(_read(content=content, options=options), MOST_ROWS + 2))
    if not found:
        raise UnreadableFileError("The file is empty. Its first line has to name the columns.")
    header, rows = found[0], found[1:]
    if not rows:
        raise UnreadableFileError("The file has no rows below the first line.")
    if len(rows) > MOST_ROWS:
        raise UnreadableFileError(
            f"The file has more than {MOST_ROWS:,} rows, which is the most that can be imported at once. Split it."
        )
    keys = list_possible_keys(shape=shape, filled=_list_filled(shape=shape, header=header, rows=rows))
    key = keys[0] if options.key == BY_COLUMNS else get_match_key(shape=shape, name=options.key)
    columns, remarks = match_columns(shape=shape, headers=header.cells, key=key)
    dates = read_dates(columns=columns, rows=rows, answer=options.date_answer)
    numbers = read_numbers(
        columns=columns,
        rows=rows,
        answer=options.number_answer,
        is_sheet=bool(options.sheet),
        delimiter=options.delimiter,
    )
    encoding = describe_encoding(text=text, encoding=options.encoding)
    options = replace(
        options,
        key=key.name,
        fields=tuple(column.field.api_name for column in columns),
        keys=tuple(each.name for each in keys),
        date_orders=dates.choices,
        date_question=dates.question,
        number_marks=numbers.choices,
        number_question=numbers.question,
        readings=(*encoding, *describe_sheet(sheet=options.sheet, sheets=options.sheets), *dates.words, *numbers.words),
        notices=tuple(remarks),
    )
    return ImportFile(
        content=content,
        options=options,
        key=key,
        columns=tuple(columns),
        headers=len(header.cells),
        remarks=tuple(remarks),
    )


def _read(*, content: str, options: ImportOptions) -> Iterator[FileRow]:
    text = get_sheet_text(content=content, sheet=options.sheet) if options.sheet else content
    return read_rows(text=text, delimiter=options.delimiter, is_sheet=bool(options.sheet))


def _list_filled(*, shape: ObjectShape, header: FileRow, rows: Sequence[FileRow]) -> set[str]:
    """Return the API names of the columns that have a value in some row."""
    named = list_named_fields(shape=shape, headers=header.cells)
    return {
        field.api_name
        for position, field in named.items()
        if any(position < len(row.cells) and row.cells[position] for row in rows)
    }


class ImportWork:
    """The work of an import: plans drafts of the file's rows in batches."""

    def __init__(self, *, access: ObjectAccess, file: ImportFile) -> None:
        self.access, self.file = access, file
        self.planner = build_planner(access=access, file=file)
        self._next = 0

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        """Return the drafts of these rows. Batches must be asked for in order; after a failure, the same one again."""
        if start > self._next:
            self.planner.skip(self.file.rows[self._next : start])
        self._next = stop
        return self.planner.plan(self.file.rows[start:stop])


def build_planner(*, access: ObjectAccess, file: ImportFile) -> RowPlanner:
    """Build a new planner for the file's rows."""
    return RowPlanner(access=access, columns=file.columns, key=file.key, options=file.options, headers=file.headers)
