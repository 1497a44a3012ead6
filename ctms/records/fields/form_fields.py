"""Form fields of any object's fields. They read what people type in a page, a file or a bulk edit.

`clean()` returns the value that `services.write_values` takes: references as records, empty as None or "".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.kinds.base import Asked, kind_of


def build_form_field(
    *,
    access: ObjectAccess,
    field: ObjectField,
    object_type: str = "",
    chosen: Mapping[str, Any] | None = None,
    present: Any = None,
) -> forms.Field:
    """Build the form field of an object's field.

    `chosen` maps other references to uids, which limit the choices. `present` is the record's value from `read_value`,
    which may stay even if it could not be chosen now.
    """
    required = field.is_required or field.api_name in access.shape.get_type(object_type).required
    asked = Asked(access=access, field=field, chosen=chosen, present=present)
    return kind_of(field).build_form_field(asked, label=field.label, help_text=field.help_text, required=required)


def build_edit_field(
    *, access: ObjectAccess, field: ObjectField, chosen: Mapping[str, Any] | None = None
) -> forms.Field:
    """Build the form field of a new value for many records. It may be left empty, which says nothing."""
    asked = Asked(access=access, field=field, chosen=chosen)
    made = kind_of(field).build_edit_field(asked, label=field.label, required=False)
    made.widget.attrs["aria-label"] = f"New value of {field.label}"
    return made
