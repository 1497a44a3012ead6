"""New records of requests: of which type they are, and with which uid."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ctms.configuration.fields import OBJECT_TYPE
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.api.serializers import UID
from ctms.records.writing.services import build_record


def require_create(access: ObjectAccess) -> None:
    """Raise AccessRefusedError with the reason if the user can create no record of the object."""
    if not access.can_create():
        raise AccessRefusedError(access.explain_create(next(iter(access.shape.types))))


def begin_record(*, access: ObjectAccess, values: dict[str, Any]) -> Any:
    """Build the unsaved record that these values, as a serializer read them, are for; take its uid out of them.

    Raises AccessRefusedError, and ValidationError if there is a choice of types and none is given.
    """
    require_create(access)
    uid = values.pop(UID, None)
    record = build_record(access=access, object_type=_choose_type(access=access, values=values))
    record.uid = uid or record.uid
    return record


def _choose_type(*, access: ObjectAccess, values: dict[str, Any]) -> str:
    """Return the given object type, or the only one that the user can create."""
    if OBJECT_TYPE in values or not access.vault_object.object_types:
        return str(values.get(OBJECT_TYPE, ""))
    names = [each.api_name for each in access.list_creatable_types()]
    if len(names) > 1:
        raise ValidationError({OBJECT_TYPE: f"This field is required. Choose one of {', '.join(names)}."})
    return names[0]
