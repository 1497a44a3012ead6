"""Finds the existing records that the rows of a file update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from ctms.configuration.fields import ObjectField
from ctms.core.models import NumberedRecord
from ctms.core.text.numbers import build_number_key
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.cells import CellReader
from ctms.records.bulk.imports.columns import UID, MatchKey
from ctms.records.bulk.imports.references import ReferenceFinder
from ctms.records.writing.bulk_write import load_for_writing

Key = tuple[Any, ...]


class UnmatchedRowError(Exception):
    """The row cannot be matched. `field` is the one to correct; the message says how."""

    def __init__(self, message: str, *, field: ObjectField) -> None:
        super().__init__(message)
        self.field = field


@dataclass(slots=True, kw_only=True)
class RecordMatcher:
    """Reads the key of each row and finds the visible records that have it, with one statement for many rows."""

    access: ObjectAccess
    key: MatchKey
    reader: CellReader
    finders: Mapping[str, ReferenceFinder]
    lines: dict[Key, int] = field(default_factory=dict)  # the line on which each key was first seen

    def read_key(self, texts: Mapping[str, str]) -> Key | None:
        """Return the values of the key's fields; None if one is empty, so that the row is a new record.

        Raises UnmatchedRowError.
        """
        values: list[Any] = []
        for name in self.key.fields:
            text = texts.get(name, "")
            if not text:
                return None
            values.append(self._read(field=self.access.shape.fields[name], text=text))
        return tuple(values) or None

    def note_line(self, *, key: Key, line: int) -> None:
        """Remember the line of the key. Raises UnmatchedRowError if another line has the same key."""
        first = self.lines.setdefault(key, line)
        if first != line:
            raise UnmatchedRowError(
                f"Line {first} is about the same record ({self.key.label}). Leave one of the two.",
                field=self.access.shape.fields[self.key.fields[-1]],
            )

    def find_records(self, keys: Sequence[Key]) -> dict[Key, list[Any]]:
        """Return the visible records of each key, with the relations that validation needs."""
        if not keys:
            return {}
        attributes = [self._get_attribute(self.access.shape.fields[name]) for name in self.key.fields]
        records = load_for_writing(self.access.list_records())
        for position, attribute in enumerate(attributes):
            records = records.filter(**{f"{attribute}__in": {key[position] for key in keys}})
        found: dict[Key, list[Any]] = {key: [] for key in keys}
        for record in records:
            key = tuple(getattr(record, attribute) for attribute in attributes)
            if key in found:
                found[key].append(record)
        return found

    def choose(self, *, key: Key, found: Sequence[Any]) -> Any:
        """Return the one record found for a key, or None for a new one. Raises UnmatchedRowError."""
        field_in_charge = self.access.shape.fields[self.key.fields[-1]]
        if len(found) > 1:
            raise UnmatchedRowError(
                f"{len(found)} {self.access.vault_object.plural_label} have this {self.key.label}. Find them by "
                "external ID or UID instead.",
                field=field_in_charge,
            )
        if not found and self.key.name == UID:
            raise UnmatchedRowError(
                f"There is no {self.access.vault_object.label} {key[0]} that you can see. Leave the cell empty to "
                "create one.",
                field=field_in_charge,
            )
        return found[0] if found else None

    def _read(self, *, field: ObjectField, text: str) -> Any:
        if field.reference is None:
            try:
                value = self.reader.read(field=field, text=text)
                return build_number_key(value) if self._is_number(field) else value
            except ValidationError as error:
                raise UnmatchedRowError(" ".join(error.messages), field=field) from error
        found = self.finders[field.api_name].list_found(text)
        if len(found) == 1:
            return found[0].pk
        # Perhaps exactly one of them is active; if not, the finder's error says what to do.
        try:
            return self.finders[field.api_name].find(text, chosen={}).pk
        except ValidationError as error:
            raise UnmatchedRowError(" ".join(error.messages), field=field) from error

    def _get_attribute(self, field: ObjectField) -> str:
        if self._is_number(field):
            return "number_key"
        return f"{field.attribute}_id" if field.reference is not None else field.attribute

    def _is_number(self, field: ObjectField) -> bool:
        return field.attribute == "name" and issubclass(self.access.vault_object.model, NumberedRecord)
