"""Custom fields that refer to records, and how many records name one in them."""

from __future__ import annotations

from typing import Any

from django.db import models

from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import VaultObject, list_record_objects
from ctms.configuration.snapshot import Configuration
from ctms.records.fields.expressions import name_value


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


def count_custom_references(*, configuration: Configuration, record: Any) -> list[tuple[VaultObject, int]]:
    """Count by object the records that refer to this one in custom fields, which have no foreign key.

    Runs one statement for each field.
    """
    counts: dict[str, tuple[VaultObject, int]] = {}
    for other, field in list_custom_references(configuration=configuration, model=type(record)):
        records, name = name_value(records=other.model._base_manager.all(), field=field)
        naming = records.filter(**{name: str(record.uid)})
        number = (naming.exclude(pk=record.pk) if other.model is type(record) else naming).count()
        if number:
            counts[other.api_name] = (other, counts.get(other.api_name, (other, 0))[1] + number)
    return list(counts.values())
