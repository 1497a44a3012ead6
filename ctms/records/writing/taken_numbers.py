"""Names the record that has a unique value or a number already, to users who see it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import UniqueConstraint

from ctms.configuration.unique_values import VALUE_TAKEN
from ctms.core.models import NUMBER_TAKEN
from ctms.records.access import ObjectAccess
from ctms.records.fields.references import describe_choice


def name_taken(*, access: ObjectAccess, record: Any, error: ValidationError) -> ValidationError:
    """Return the error with the name of the record that has a unique value, or with the other spelling of a number.

    Of a record that the user does not see, nothing is said but that the value is taken.
    """
    error = _name_owners(access=access, error=error)
    found = error.error_dict.get(NON_FIELD_ERRORS, []) if hasattr(error, "error_dict") else []
    if not any(each.code == NUMBER_TAKEN for each in found):
        return error
    other = find_same_number(access=access, record=record)
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


def _name_owners(*, access: ObjectAccess, error: ValidationError) -> ValidationError:
    if not hasattr(error, "error_dict"):
        return error
    errors = {
        name: [_name_owner(access=access, name=name, error=each) for each in found]
        for name, found in error.error_dict.items()
    }
    return ValidationError(errors)


def _name_owner(*, access: ObjectAccess, name: str, error: ValidationError) -> ValidationError:
    owner = (error.params or {}).get("owner") if error.code == VALUE_TAKEN else None
    other = access.list_records().filter(uid=owner).first() if owner is not None else None
    if other is None:
        return error
    field = access.shape.fields.get(name)
    label = field.label if field else name
    return ValidationError(
        f"{describe_choice(other)} has this {label}; only one may. Enter another value.", code=VALUE_TAKEN
    )


def find_same_number(*, access: ObjectAccess, record: Any) -> Any:
    """Return another record that has the record's number in any spelling, if the user sees it; else None."""
    for constraint in record._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.violation_error_code == NUMBER_TAKEN:
            same = {name: getattr(record, name) for name in constraint.fields}
            return access.list_records().filter(**same).exclude(pk=record.pk).first()
    return None
