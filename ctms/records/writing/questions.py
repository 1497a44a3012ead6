"""Questions about values that are possible but seldom meant, such as a date of 2099. A yes lets them be saved.

Every date is asked about by its year; an object declares further questions as `VaultObject.questions`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import formats, timezone

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.moments import to_zone

# Earlier dates are refused: they are no dates of a trial, and most come from a year typed with two digits.
FIRST_YEAR = 1900
# The first day of the clock of many computers is what is left of a date that was lost.
_LAST_ASKED = dt.date(1970, 1, 1)
_MOST_YEARS_AHEAD = 25
_TWO_DIGITS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedValue:
    """A question about the value of a field. A yes to `key` holds for this value alone, a yes to the field for any."""

    field: ObjectField
    text: str

    @property
    def key(self) -> str:
        return f"{self.field.api_name}:{hashlib.sha256(self.text.encode()).hexdigest()[:16]}"

    def is_confirmed(self, confirmed: Collection[str]) -> bool:
        """Whether the question, or any about its field, was answered with yes."""
        return self.key in confirmed or self.field.api_name in confirmed


class UnconfirmedError(ValidationError):
    """Values that somebody has to confirm before they are saved. It reads like any error of fields, by API name."""

    def __init__(self, asked: Sequence[AskedValue]) -> None:
        self.asked = tuple(asked)
        errors: dict[str, list[ValidationError]] = {}
        for each in asked:
            errors.setdefault(each.field.api_name, []).append(ValidationError(each.text, code="unconfirmed"))
        super().__init__(errors)


def list_asked(*, shape: ObjectShape, record: Any, changed: Iterable[tuple[ObjectField, Any]]) -> list[AskedValue]:
    """Return the questions about a record that holds the changed values already, one for each field at most."""
    asked: dict[str, AskedValue] = {}
    given = dict[str, ObjectField]()
    for field, value in changed:
        given[field.api_name] = field
        if isinstance(value, dt.date) and (text := _ask_year(value)):
            asked[field.api_name] = AskedValue(field=field, text=text)
    for question in shape.vault_object.questions:
        name = question.fields[0]
        if given.keys() & set(question.fields) and name in shape.fields and name not in asked:
            text = question.ask(record)
            if text:
                asked[name] = AskedValue(field=shape.fields[name], text=text)
    return list(asked.values())


def explain_year(value: Any) -> str:
    """Return why a date or moment is of no possible year; empty if it is, or is no date."""
    if not isinstance(value, dt.date) or value.year >= FIRST_YEAR:
        return ""
    if value.year < _TWO_DIGITS:
        return f"The year is {value.year:04}. Type it with four digits, such as {2000 + value.year}."
    return f"The year is {value.year}. Enter a date from {FIRST_YEAR} on."


def _ask_year(value: dt.date) -> str:
    day = to_zone(value).date() if isinstance(value, dt.datetime) else value
    if day > _LAST_ASKED and day.year <= timezone.localdate().year + _MOST_YEARS_AHEAD:
        return ""
    return f"{formats.date_format(day)} is a long time from now. Is it right?"
