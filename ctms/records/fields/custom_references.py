"""Custom fields that refer to records, and how many records name one in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db import models

from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import VaultObject, list_record_objects
from ctms.configuration.snapshot import Configuration
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.expressions import name_value


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomReferences:
    """How many records of an object refer to a record in custom fields, and how many of them the user sees."""

    vault_object: VaultObject
    number: int = 0
    seen: int = 0


def list_custom_references(
    *, configuration: Configuration, model: type[models.Model]
) -> list[tuple[VaultObject, ObjectField]]:
    """Return each custom field that refers to records of the model, with its object.

    Inactive ones are among them: records keep their values until the field is active again.
    """
    return [
        (other, field)
        for other in list_record_objects()
        for field in configuration.list_custom_fields(other.api_name)
        if field.reference is model
    ]


def count_custom_references(*, access: ObjectAccess, record: Any) -> list[CustomReferences]:
    """Count by object the records that refer to this one in custom fields, which have no foreign key.

    Runs a statement for each field, and another where some do.
    """
    counts: dict[str, CustomReferences] = {}
    for other, field in list_custom_references(configuration=access.configuration, model=type(record)):
        number = _count_naming(other.model._base_manager.all(), field=field, record=record)
        if number:
            opened = open_related(access=access, object_name=other.api_name)
            seen = 0 if opened is None else _count_naming(opened.list_records(), field=field, record=record)
            before = counts.get(other.api_name, CustomReferences(vault_object=other))
            counts[other.api_name] = replace(before, number=before.number + number, seen=before.seen + seen)
    return list(counts.values())


def _count_naming(rows: models.QuerySet[Any], *, field: ObjectField, record: Any) -> int:
    records, name = name_value(records=rows, field=field)
    naming = records.filter(**{name: str(record.uid)})
    return (naming.exclude(pk=record.pk) if rows.model is type(record) else naming).count()
