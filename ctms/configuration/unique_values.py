"""Keeps the values of unique custom fields apart: one row for each, which the database lets nobody write twice.

The audited writer asks before it writes records, and tells what it has written, whichever way a change came in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models.fields.json import KeyTransform

from ctms.audit.change_listeners import Change, register_change_listener
from ctms.configuration.fields import ObjectField
from ctms.configuration.models import CustomField, UniqueValue
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import load_configuration
from ctms.core.models import VaultRecord

VALUE_TAKEN = "custom_value_taken"
_ROWS_PER_STATEMENT = 1000
_MOST_NAMED = 5


def register_unique_values() -> None:
    """Check and keep unique values of all records. Called once, from `AppConfig.ready()`."""
    VaultRecord.checks_values = check_values
    register_change_listener(VaultRecord, keep_values)


def list_unique_fields(model: type[models.Model]) -> list[ObjectField]:
    """Return the unique custom fields of a model, inactive ones too. Takes one statement."""
    vault_object = get_object_of_model(model)
    if vault_object is None or vault_object.is_setup:
        return []
    return [each for each in load_configuration().list_custom_fields(vault_object.api_name) if each.is_unique]


def build_key(stored: Any) -> str:
    """Return what values are compared by: the JSON of a record, as text, in the case in which it is written."""
    return str(stored)


def check_values(model: type[models.Model], changes: Sequence[tuple[Any, Any]]) -> None:
    """Raise ValidationError by API name if a record is to get a value that another record has, or gets with it."""
    changed = [
        (record, record.custom_fields or {}, (stored.custom_fields if stored is not None else None) or {})
        for record, stored in changes
    ]
    changed = [(record, after, before) for record, after, before in changed if after != before]
    fields = list_unique_fields(model) if changed else []
    for field in fields:
        name = field.api_name
        keys = {
            record.uid: build_key(after[name])
            for record, after, before in changed
            if after.get(name) not in (None, "") and after.get(name) != before.get(name)
        }
        if not keys:
            continue
        owners = find_owners(field=field, model=model, keys=keys.values())
        # A record that loses a value in the same write makes room for another one.
        losing = {record.uid for record, after, before in changed if after.get(name) != before.get(name)}
        counts = Counter(keys.values())
        for key in keys.values():
            owner = owners.get(key)
            if (owner is not None and owner not in losing) or counts[key] > 1:
                raise ValidationError({name: build_error(model=model, field=field, owner=owner)})


def build_error(*, model: type[models.Model], field: ObjectField, owner: UUID | None) -> ValidationError:
    """Return the refusal of a value that the record `owner` has; None if several records of one write get it."""
    message = f"Another {model._meta.verbose_name} has this {field.label}; only one may. Enter another value."
    return ValidationError(
        message.replace("%", "%%"),
        code=VALUE_TAKEN,
        params={"owner": owner},
    )


def find_owners(*, field: ObjectField, model: type[models.Model], keys: Iterable[str]) -> dict[str, UUID]:
    """Return for each value that a record has already the uid of that record."""
    vault_object = get_object_of_model(model)
    found = UniqueValue.objects.filter(
        field__of_object=vault_object.api_name if vault_object else "", field__api_name=field.api_name
    )
    return dict(found.filter(value__in=set(keys)).values_list("value", "record_uid"))


def keep_values(changes: Sequence[Change]) -> None:
    """Keep the unique values of records that were written; the listener of the audited writer.

    Raises IntegrityError if another transaction wrote one of them since `check_values` looked.
    """
    changed = [(record, *_read_sides(pairs)) for record, pairs in changes if "custom_fields" in pairs]
    fields = list_unique_fields(type(changed[0][0])) if changed else []
    if not fields:
        return
    rows = {
        row.api_name: row
        for row in CustomField.objects.filter(
            of_object=changed[0][0].object_name, api_name__in=[each.api_name for each in fields]
        )
    }
    for name, row in rows.items():
        moved = [(record, after.get(name)) for record, before, after in changed if before.get(name) != after.get(name)]
        if moved:
            UniqueValue.objects.filter(field=row, record_uid__in=[record.uid for record, _ in moved]).delete()
            new = ((record.uid, value) for record, value in moved if value not in (None, ""))
            _create_rows(row, new)


def _read_sides(pairs: dict[str, list[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    before, after = pairs["custom_fields"]
    return before or {}, after or {}


def _create_rows(field: CustomField, values: Iterable[tuple[UUID, Any]]) -> None:
    rows: Iterator[UniqueValue] = (
        UniqueValue(field=field, value=build_key(value), record_uid=uid) for uid, value in values
    )
    UniqueValue.objects.bulk_create(rows, batch_size=_ROWS_PER_STATEMENT)


# -- Switching it on and off ----------------------------------------------------------------------------------------
def hold_writes(model: type[models.Model]) -> None:
    """Let nobody else write records of the model before the transaction ends. SQLite has one writer at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {connection.ops.quote_name(model._meta.db_table)} IN SHARE ROW EXCLUSIVE MODE")


def make_unique(*, field: CustomField, model: type[models.Model]) -> None:
    """Keep the values that records have. Raises ValidationError naming values that several records have.

    The caller has saved the field, in the same transaction: whoever waits for it sees that the field is unique.
    """
    hold_writes(model)
    transform = KeyTransform(field.api_name, "custom_fields")
    stored = model._base_manager.filter(custom_fields__has_key=field.api_name).annotate(kept=transform).order_by()
    repeated = list(
        stored.values("kept").annotate(number=models.Count("pk")).filter(number__gt=1).order_by("-number")[:_MOST_NAMED]
    )
    if repeated:
        named = []
        for each in repeated:
            names = [str(record) for record in stored.filter(kept=each["kept"]).order_by("pk")[:2]]
            others = each["number"] - len(names)
            named.append(f"{each['kept']} ({', '.join(names)}{f' and {others:,} more' if others else ''})")
        raise ValidationError({"is_unique": f"Several records have the same value: {'; '.join(named)}. Correct them."})
    _create_rows(field, stored.values_list("uid", "kept").iterator(chunk_size=_ROWS_PER_STATEMENT))


def end_unique(field: CustomField) -> None:
    """Forget the values of a field that is not unique any more."""
    UniqueValue.objects.filter(field=field).delete()
