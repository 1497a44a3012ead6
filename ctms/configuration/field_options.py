"""What the properties of a custom field may be, by its kind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol

from ctms.configuration.kinds import FieldKind, find_custom_kind, list_kinds

MOST_DECIMALS = 6
LONGEST_UNIQUE = 255
# Properties that only some kinds have, in the words of a refusal.
OPTIONS = {
    "max_length": "a length",
    "decimals": "decimals",
    "least": "a smallest value",
    "greatest": "a largest value",
    "reference_object": "an object that it refers to",
}


class HasOptions(Protocol):
    """A custom field."""

    kind: str
    is_required: bool
    is_unique: bool
    default_value: Any
    max_length: int | None
    least: Decimal | None
    greatest: Decimal | None
    reference_object: str


def list_option_problems(field: HasOptions) -> dict[str, str]:
    """Return what is wrong with the properties of a custom field, by attribute."""
    kind = find_custom_kind(field.kind)
    problems = {
        name: f"A {kind.label.lower()} field has no such property; {_name_kinds(name)} has {words}. Leave it empty."
        for name, words in OPTIONS.items()
        if getattr(field, name) not in (None, "") and name not in kind.options
    }
    if field.is_required and kind.always_has_value:
        problems["is_required"] = f"A {kind.label} field always has a value. Untick Required."
    if field.is_unique and not kind.can_be_unique:
        problems["is_unique"] = f"A {kind.label.lower()} field cannot be unique. Untick Unique."
    if field.is_unique and field.default_value is not None:
        problems["default_value"] = "Values are unique, so that only one record could have it. Leave it empty."
    if not problems:
        problems |= _list_size_problems(field, kind)
    return problems


def _list_size_problems(field: HasOptions, kind: FieldKind) -> dict[str, str]:
    problems = {}
    longest = kind.custom_max_length
    if field.max_length is not None and longest is not None and not 1 <= field.max_length <= longest:
        problems["max_length"] = f"Enter a number from 1 to {longest:,}."
    if field.is_unique and (field.max_length or longest or 0) > LONGEST_UNIQUE:
        problems["max_length"] = f"Unique values have at most {LONGEST_UNIQUE} characters. Enter that, or less."
    if field.least is not None and field.greatest is not None and field.least > field.greatest:
        problems["greatest"] = "This is less than the smallest value. Enter a larger one."
    if "reference_object" in kind.options and not field.reference_object:
        problems["reference_object"] = "Choose the object whose records can be chosen."
    return problems


def _name_kinds(option: str) -> str:
    return " or ".join(f"a {kind.label.lower()}" for kind in list_kinds() if option in kind.options)
