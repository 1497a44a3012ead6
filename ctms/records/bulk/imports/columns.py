"""Matches the columns of a file with fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.bulk.imports.errors import UnreadableFileError
from ctms.records.bulk.imports.files import FileRow
from ctms.records.bulk.imports.keys import UID, MatchKey
from ctms.records.fields.headers import FieldHeaders, clean_header

_MOST_NOTICES = 10
_LONGEST_HEADER = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the file that means a field: one to import, or part of the match key."""

    position: int
    header: str
    field: ObjectField


def list_import_fields(shape: ObjectShape) -> list[ObjectField]:
    """Return the fields that an import can set, the object type first."""
    found = [each for name, each in shape.fields.items() if not each.is_read_only or name == OBJECT_TYPE]
    return sorted(found, key=lambda each: each.api_name != OBJECT_TYPE)


def name_columns(shape: ObjectShape) -> list[str]:
    """Return a header for each field that can be imported: its label, or its API name where that is not enough."""
    headers = FieldHeaders(shape.fields.values())
    return [headers.write(each) for each in list_import_fields(shape)]


def list_named_fields(*, shape: ObjectShape, headers: Sequence[str]) -> dict[int, ObjectField]:
    """Return the fields that the headers name, by position. Raises UnreadableFileError if one could mean several."""
    fields = FieldHeaders(shape.fields.values())
    found = {position: _find_field(fields, header) for position, header in enumerate(headers)}
    return {position: field for position, field in found.items() if field is not None}


def match_columns(*, shape: ObjectShape, headers: Sequence[str], key: MatchKey) -> tuple[list[Column], list[str]]:
    """Return the columns of the file that mean a field, and a notice for each of the others.

    Raises UnreadableFileError if a field is named twice, if the key's fields are missing, or if nothing is left.
    """
    allowed = {each.api_name for each in list_import_fields(shape)} | set(key.fields)
    fields = FieldHeaders(shape.fields.values())
    columns: list[Column] = []
    notices: list[str] = []
    for position, header in enumerate(map(clean_header, headers)):
        if not header:
            continue
        field = _find_field(fields, header)
        if field is None:
            notices.append(
                f"The column {_quote(header)} is no field of {shape.vault_object.plural_label}; it is left out."
            )
        elif field.api_name not in allowed:
            notices.append(f"The column {_quote(header)} is filled by the Vault; it is left out.")
        else:
            columns.append(Column(position=position, header=header, field=field))
    _check_columns(shape=shape, columns=columns, key=key)
    return columns, _shorten(notices)


def read_texts(*, columns: Sequence[Column], row: FileRow) -> dict[str, str]:
    """Return the cells of a row by API name; empty for cells that a short row does not have."""
    return {
        column.field.api_name: row.cells[column.position] if column.position < len(row.cells) else ""
        for column in columns
    }


def _find_field(headers: FieldHeaders, header: str) -> ObjectField | None:
    """Return the field that a header means. Raises UnreadableFileError if it could mean several."""
    meant = headers.list_meant(header)
    if len(meant) > 1:
        names = " or ".join(each.api_name for each in meant)
        raise UnreadableFileError(f"The column “{header}” could mean several fields. Name it {names}.")
    return meant[0] if meant else None


def _quote(header: str) -> str:
    return f"“{header}”" if len(header) <= _LONGEST_HEADER else f"“{header[:_LONGEST_HEADER]}…”"


def _shorten(notices: list[str]) -> list[str]:
    more = len(notices) - _MOST_NOTICES
    if more <= 1:
        return notices
    return [*notices[:_MOST_NOTICES], f"{more} other columns are left out, too."]


def _check_columns(*, shape: ObjectShape, columns: list[Column], key: MatchKey) -> None:
    by_field: dict[str, str] = {}
    for column in columns:
        if column.field.api_name in by_field:
            other = by_field[column.field.api_name]
            raise UnreadableFileError(
                f"The columns “{other}” and “{column.header}” mean the same field, {column.field.label}. Remove one."
            )
        by_field[column.field.api_name] = column.header
    missing = [shape.fields[name].label for name in key.fields if name not in by_field]
    if missing:
        raise UnreadableFileError(
            f"To find records by {key.label} the file needs the column {' and '.join(missing)}. Add it, or choose "
            "another way to find them."
        )
    if not any(column.field.api_name != UID for column in columns):
        raise UnreadableFileError(
            f"None of the columns can be imported. The first line has to name fields: {', '.join(name_columns(shape))}."
        )
