"""Fields of objects, built from the custom fields that admins have added."""

from __future__ import annotations

from django.db import models

from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import find_custom_kind
from ctms.configuration.models import CustomField
from ctms.configuration.picklists import read_picklist
from ctms.configuration.registry import UnknownObjectError, get_object


def read_field(row: CustomField) -> ObjectField:
    """Return the field that a row describes, as records have it."""
    kind = find_custom_kind(row.kind)
    values = read_picklist(row.picklist_values)
    return ObjectField(
        api_name=row.api_name,
        attribute=f"custom_fields__{row.api_name}",
        label=row.label,
        kind=kind.name,
        reference=_find_model(row.reference_object) if kind.refers_to_records else None,
        choices=tuple((each.api_name, each.label) for each in values),
        retired=frozenset(each.api_name for each in values if not each.is_active),
        is_required=row.is_required,
        is_custom=True,
        max_length=row.max_length or kind.custom_max_length,
        is_whole=row.decimals == 0,
        help_text=row.help_text,
        is_unique=row.is_unique,
        default=row.default_value,
        decimals=row.decimals,
        least=row.least,
        greatest=row.greatest,
    )


def _find_model(object_name: str) -> type[models.Model] | None:
    try:
        return get_object(object_name).model
    except UnknownObjectError:
        return None
