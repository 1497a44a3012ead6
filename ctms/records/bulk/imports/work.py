"""The work of an import operation: opens the uploaded file and plans its rows in batches."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

from ctms.configuration.snapshot import ObjectShape
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.columns import Column, MatchKey, get_match_key, match_columns
from ctms.records.bulk.imports.files import (
    MOST_ROWS,
    FileRow,
    UnreadableFileError,
    decode_file,
    find_delimiter,
    read_rows,
)
from ctms.records.bulk.imports.planning import RowPlanner
from ctms.records.writing.bulk_write import RowDraft

MOST_ROWS_AT_ONCE = 10_000  # of an import that is all or nothing


class ChangedConfigurationError(VaultError):
    """An admin changed fields of the object after the file was uploaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is read, kept in the plan of its operation."""

    file_name: str
    delimiter: str
    key: str
    update_existing: bool = True
    clear_empty: bool = False
    all_or_nothing: bool = False
    fields: tuple[str, ...] = ()  # API names of its columns at the time of the upload
    notices: tuple[str, ...] = ()  # what was guessed, and which columns are left out

    def as_plan(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, plan: Mapping[str, Any]) -> Self:
        """Return the options in the plan of an operation, which has more than these."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in plan.items() if name in known})


@dataclass(frozen=True, kw_only=True)
class ImportFile:
    """The text of a file, and the field of each column."""

    text: str
    options: ImportOptions
    key: MatchKey
    columns: tuple[Column, ...]
    headers: int
    remarks: tuple[str, ...]  # about columns that are left out

    @cached_property
    def rows(self) -> list[FileRow]:
        """Return the rows below the header."""
        return list(itertools.islice(read_rows(text=self.text, delimiter=self.options.delimiter), 1, None))

    def list_first_rows(self, number: int) -> list[FileRow]:
        """Return the first `number` rows below the header without reading the others."""
        return list(itertools.islice(read_rows(text=self.text, delimiter=self.options.delimiter), 1, number + 1))


def open_upload(
    *,
    shape: ObjectShape,
    content: bytes,
    file_name: str,
    key: str,
    update_existing: bool,
    clear_empty: bool,
) -> ImportFile:
    """Read an uploaded file. Raises UnreadableFileError saying what to do with it."""
    decoded = decode_file(content)
    options = ImportOptions(
        file_name=file_name[:200],
        delimiter=find_delimiter(decoded.text),
        key=key,
        update_existing=update_existing,
        clear_empty=clear_empty,
    )
    opened = open_text(shape=shape, text=decoded.text, options=options)
    if not opened.rows:
        raise UnreadableFileError("The file has no rows below the first line.")
    if len(opened.rows) > MOST_ROWS:
        raise UnreadableFileError(
            f"The file has {len(opened.rows):,} rows; at most {MOST_ROWS:,} can be imported at once. Split it."
        )
    fields = tuple(column.field.api_name for column in opened.columns)
    notices = (*decoded.notices, *opened.remarks)
    return replace(opened, options=replace(options, fields=fields, notices=notices))


def open_text(*, shape: ObjectShape, text: str, options: ImportOptions) -> ImportFile:
    """Find the field of each column of a file's text.

    Raises UnreadableFileError, and ChangedConfigurationError if the columns meant other fields when it was uploaded.
    """
    header = next(read_rows(text=text, delimiter=options.delimiter))
    key = get_match_key(shape=shape, name=options.key)
    columns, remarks = match_columns(shape=shape, headers=header.cells, key=key)
    if options.fields and tuple(options.fields) != tuple(column.field.api_name for column in columns):
        raise ChangedConfigurationError(
            f"An admin changed the fields of {shape.vault_object.plural_label} since the file was uploaded. Upload it "
            "again."
        )
    return ImportFile(
        text=text,
        options=options,
        key=key,
        columns=tuple(columns),
        headers=len(header.cells),
        remarks=tuple(remarks),
    )


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
