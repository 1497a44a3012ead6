"""A record's values as the audit trail keeps and compares them."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from ctms.core.fields import EncryptedTextField, Secret

_EMPTY: tuple[Any, ...] = (None, "", {}, [])


def read_values(record: models.Model) -> dict[str, Any]:
    """Every value of a record by field: as it will be read back, references by id, secrets masked."""
    bookkeeping = getattr(record, "bookkeeping_fields", frozenset({"id"}))
    return {
        field.name: _read_value(record=record, field=field)
        for field in record._meta.concrete_fields
        if field.name not in bookkeeping
    }


def list_changes(*, before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """Field → [value before, value after], as JSON can hold them, of the fields that differ.

    With nothing before or nothing after (a record created or deleted), of the fields that had a value.
    """
    changes: dict[str, list[Any]] = {}
    for name in after or before:
        old, new = before.get(name), after.get(name)
        differs = old != new if before and after else _export(old) not in _EMPTY or _export(new) not in _EMPTY
        if differs:
            changes[name] = [_export(old), _export(new)]
    return changes


class _Masked:
    """Stands for a secret: equal only to the same ciphertext, written into the trail as the word *set*."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Masked) and other.secret == self.secret

    def __hash__(self) -> int:
        return hash(self.secret)


def _read_value(*, record: models.Model, field: models.Field[Any, Any]) -> Any:
    value = getattr(record, field.attname)
    if isinstance(field, EncryptedTextField):
        return _Masked(value)
    if isinstance(field, models.JSONField):
        return json.loads(json.dumps(value, cls=field.encoder), cls=field.decoder) if value else value
    # What was assigned as text and is stored as a date is no change.
    return field.to_python(value)


def _export(value: Any) -> Any:
    if isinstance(value, _Masked):
        return "set" if value.secret else ""
    return value
