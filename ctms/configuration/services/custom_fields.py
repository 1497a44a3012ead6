"""Creates and changes custom fields."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.audit.services import save_record
from ctms.configuration.drafts import Sections, place_item
from ctms.configuration.fields import CUSTOM_SUFFIX
from ctms.configuration.models import CustomField
from ctms.configuration.selectors import list_custom_field_objects
from ctms.configuration.services.layouts import change_layouts

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

_LONGEST_NAME = 60  # without the suffix; the model allows 61 characters before it
# Values are stored by object, name and kind; after a change they could not be found or read.
_FIXED = ("of_object", "api_name", "kind")


def create_custom_field(*, field: CustomField, actor: Actor, add_to_layouts: bool = False) -> None:
    """Add a field to an object. An empty API name is made from the label.

    With `add_to_layouts`, the field is added at the end of the first section of fields of each page layout of the
    object. Raises ValidationError naming what is wrong.
    """
    field.api_name = field.api_name or build_api_name(field.label)
    if field.of_object not in [each.api_name for each in list_custom_field_objects()]:
        raise ValidationError(
            {"of_object": f"{field.of_object or 'No object'} takes no custom fields. Choose another."}
        )
    with transaction.atomic():
        save_record(record=field, actor=actor)
        if add_to_layouts:
            change_layouts(
                object_name=field.of_object, change=lambda sections: _append(sections, field.api_name), actor=actor
            )


def update_custom_field(*, field: CustomField, actor: Actor, expected_version: int | None = None) -> bool:
    """Change the label, the picklist values or the status of a custom field; True if anything was written.

    An inactive field is on no page; its place in the layouts and its values stay. Raises ValidationError naming what is
    wrong or cannot be changed.
    """
    stored = CustomField.objects.filter(pk=field.pk).first()
    changed = [name for name in _FIXED if stored is not None and getattr(stored, name) != getattr(field, name)]
    if changed:
        raise ValidationError(dict.fromkeys(changed, "This cannot be changed: values are stored under it."))
    return save_record(record=field, actor=actor, expected_version=expected_version)


def build_api_name(label: str) -> str:
    """Make an API name from a label: `Favourite colour` → `favourite_colour__c`; empty if it has no letter."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    words = re.sub(r"^[0-9_]+", "", words)[:_LONGEST_NAME].rstrip("_")
    return f"{words}{CUSTOM_SUFFIX}" if words else ""


def _append(sections: Sections, name: str) -> Sections:
    first = next((each for each in sections if not each.is_related), None)
    return sections if first is None else place_item(sections, name, to=first.key)
