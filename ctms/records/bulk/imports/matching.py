"""Finds the existing records that the rows of a file update."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import EmailField
from django.db.models.functions import Lower

from ctms.configuration.fields import ObjectField
from ctms.core.models import NumberedRecord
from ctms.core.text.numbers import build_number_key
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.cells import CellReader
from ctms.records.bulk.imports.dialects.zeros import LostZerosError, ZeroAnswer, explain_lost_zeros, list_padded
from ctms.records.bulk.imports.keys import UID, MatchKey
from ctms.records.bulk.imports.references import ReferenceFinder
from ctms.records.choices import ProblemKind
from ctms.records.writing.bulk_write import load_for_writing

Key = tuple[Any, ...]


class UnmatchedRowError(Exception):
    """The row cannot be matched. `field` is the one to correct; the message says how."""

    def __init__(self, message: str, *, field: ObjectField, kind: ProblemKind = ProblemKind.ERROR) -> None:
        super().__init__(message)
        self.field, self.kind = field, kind


@dataclass(kw_only=True)
class RecordMatcher:
    """Reads the key of each row and finds the visible records that have it, with two statements for many rows."""

    access: ObjectAccess
    key: MatchKey
    reader: CellReader
    finders: Mapping[str, ReferenceFinder]
    zeros: ZeroAnswer = ZeroAnswer.OPEN
    lines: dict[Key, int] = field(default_factory=dict)  # the line on which each key was first seen
    padded: dict[Key, list[tuple[Key, Any]]] = field(default_factory=dict)  # records of the key with zeros before it

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
        found: dict[Key, list[Any]] = {key: [] for key in keys}
        for key, record in self._select(found):
            found[key].append(record)
        self._find_padded([key for key in keys if not found[key]])
        return found

    def choose(self, *, key: Key, found: Sequence[Any], line: int) -> Any:
        """Return the one record found for a key, or None for a new one. Raises UnmatchedRowError."""
        field_in_charge = self.access.shape.fields[self.key.fields[-1]]
        if not found and key in self.padded:
            found = self._choose_padded(key=key, line=line)
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

    def _select(self, keys: Collection[Key]) -> list[tuple[Key, Any]]:
        """Return the visible records that have one of the keys, each with its key."""
        if not keys:
            return []
        attributes = [self._get_attribute(self.access.shape.fields[name]) for name in self.key.fields]
        records = load_for_writing(self.access.list_records())
        for position, attribute in enumerate(attributes):
            values = {key[position] for key in keys}
            if self._ignores_case(attribute):
                records = records.annotate(**{f"lower_{attribute}": Lower(attribute)})
                records = records.filter(**{f"lower_{attribute}__in": values})
            else:
                records = records.filter(**{f"{attribute}__in": values})
        found = [(self._get_key(record, attributes), record) for record in records]
        return [(key, record) for key, record in found if key in keys]

    def _get_key(self, record: Any, attributes: Sequence[str]) -> Key:
        values = [(name, getattr(record, name)) for name in attributes]
        return tuple(value.lower() if self._ignores_case(name) else value for name, value in values)

    @cached_property
    def _addresses(self) -> frozenset[str]:
        fields = self.access.vault_object.model._meta.concrete_fields
        return frozenset(each.name for each in fields if isinstance(each, EmailField))

    def _ignores_case(self, attribute: str) -> bool:
        return attribute in self._addresses

    def _find_padded(self, keys: Sequence[Key]) -> None:
        """Find the records of keys that are numbers without their leading zeros, and remember them."""
        if self.zeros is ZeroAnswer.KEEP:
            return
        wanted = {
            (*key[:position], padded, *key[position + 1 :]): key
            for key in keys
            for position, value in enumerate(key)
            if isinstance(value, str)
            for padded in list_padded(value)
        }
        for key in keys:
            self.padded.pop(key, None)
        for key, record in self._select(wanted):
            self.padded.setdefault(wanted[key], []).append((key, record))

    def _choose_padded(self, *, key: Key, line: int) -> list[Any]:
        meant = self.padded[key]
        if self.zeros is ZeroAnswer.OPEN:
            pairs = zip(self.key.fields, key, meant[0][0], strict=True)
            name, text, padded = next(each for each in pairs if each[1] != each[2])
            raise UnmatchedRowError(
                explain_lost_zeros(text=text, meant=padded),
                field=self.access.shape.fields[name],
                kind=ProblemKind.LOST_ZEROS,
            )
        for each, _ in meant:
            self.note_line(key=each, line=line)
        return [record for _, record in meant]

    def _read(self, *, field: ObjectField, text: str) -> Any:
        if field.reference is None:
            try:
                value = self.reader.read(field=field, text=text)
            except ValidationError as error:
                raise UnmatchedRowError(" ".join(error.messages), field=field) from error
            if self._is_number(field):
                return build_number_key(value)
            return value.lower() if self._ignores_case(field.attribute) else value
        found = self.finders[field.api_name].list_found(text)
        if len(found) == 1:
            return found[0].pk
        # Perhaps exactly one of them is active; if not, the finder's error says what to do.
        try:
            return self.finders[field.api_name].find(text, chosen={}).pk
        except LostZerosError as error:
            raise UnmatchedRowError(" ".join(error.messages), field=field, kind=ProblemKind.LOST_ZEROS) from error
        except ValidationError as error:
            raise UnmatchedRowError(" ".join(error.messages), field=field) from error

    def _get_attribute(self, field: ObjectField) -> str:
        if self._is_number(field):
            return "number_key"
        return f"{field.attribute}_id" if field.reference is not None else field.attribute

    def _is_number(self, field: ObjectField) -> bool:
        return field.attribute == "name" and issubclass(self.access.vault_object.model, NumberedRecord)
