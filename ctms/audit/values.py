"""Values of a record in the form in which the audit trail holds and compares them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.hashers import is_password_usable
from django.db import models

from ctms.core.fields import EncryptedTextField, Secret

_EMPTY: tuple[Any, ...] = (None, "", {}, [])


def read_values(record: models.Model) -> dict[str, Any]:
    """Return a record's values by field as they will be read back: references as ids, secrets masked."""
    bookkeeping = getattr(record, "bookkeeping_fields", frozenset({"id"}))
    return {
        field.name: _read_value(record=record, field=field)
        for field in record._meta.concrete_fields
        if field.name not in bookkeeping
    }


def list_changes(*, before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """Return field → [value before, value after], as JSON can hold them, for the fields that differ.

    `before` is empty for a created record and `after` for a deleted one; then these are the fields that have a value.
    """
    changes: dict[str, list[Any]] = {}
    for name in after or before:
        old, new = before.get(name), after.get(name)
        differs = old != new if before and after else _export(old) not in _EMPTY or _export(new) not in _EMPTY
        if differs:
            changes[name] = [_export(old), _export(new)]
    return changes


class _Masked:
    """A secret to be compared: equal only to the same ciphertext or hash, and in the trail as the word *set*."""

    def __init__(self, secret: Secret | str) -> None:
        self.secret = secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Masked) and other.secret == self.secret

    def __hash__(self) -> int:
        return hash(self.secret)


def _read_value(*, record: models.Model, field: models.Field[Any, Any]) -> Any:
    value = getattr(record, field.attname)
    if isinstance(field, EncryptedTextField):
        return _Masked(value)
    if field.name in getattr(record, "secret_fields", ()):
        return _Masked(value if is_password_usable(value) else "")
    if isinstance(field, models.JSONField):
        return json.loads(json.dumps(value, cls=field.encoder), cls=field.decoder) if value else value
    # A date that was assigned as text must not look like a change.
    return field.to_python(value)


def _export(value: Any) -> Any:
    if isinstance(value, _Masked):
        return "set" if value.secret else ""
    return value
