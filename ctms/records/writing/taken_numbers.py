"""Names the record that has a number already, to users who see it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import UniqueConstraint

from ctms.core.models import NUMBER_TAKEN
from ctms.records.access import ObjectAccess


def name_taken(*, access: ObjectAccess, record: Any, error: ValidationError) -> ValidationError:
    """Return the error with the other record's spelling, if a number is taken that is spelled differently there.

    Of a record that the user does not see, nothing is said but that the number is taken.
    """
    found = error.error_dict.get(NON_FIELD_ERRORS, []) if hasattr(error, "error_dict") else []
    if not any(each.code == NUMBER_TAKEN for each in found):
        return error
    other = _find_other(access=access, record=record)
    if other is None or other.name == record.name:
        return error
    errors: dict[str, list[ValidationError]] = dict(error.error_dict)
    errors[NON_FIELD_ERRORS] = [
        ValidationError(f"{each.messages[0]} It is spelled “{other.name}” there.", code=NUMBER_TAKEN)
        if each.code == NUMBER_TAKEN
        else each
        for each in found
    ]
    return ValidationError(errors)


def _find_other(*, access: ObjectAccess, record: Any) -> Any:
    for constraint in record._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.violation_error_code == NUMBER_TAKEN:
            same = {name: getattr(record, name) for name in constraint.fields}
            return access.list_records().filter(**same).exclude(pk=record.pk).first()
    return None
