"""The defaults of custom fields, for new records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import ObjectShape, load_configuration


def put_defaults(*, record: Any, shape: ObjectShape) -> None:
    """Give a new record the defaults of the custom fields that its type has, where it has no value."""
    defaults = {
        each.api_name: each.default
        for each in shape.list_type_fields(getattr(record, "object_type", ""))
        if each.is_custom and each.default is not None
    }
    if defaults:
        record.custom_fields = {**defaults, **(record.custom_fields or {})}


def put_all_defaults(records: Sequence[Any]) -> None:
    """Give new records of one model their defaults, where no user is asked. Takes one statement."""
    vault_object = get_object_of_model(type(records[0])) if records else None
    if vault_object is not None and not vault_object.is_setup:
        shape = load_configuration().get(vault_object.api_name)
        for record in records:
            put_defaults(record=record, shape=shape)
