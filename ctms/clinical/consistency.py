"""Checks of clinical records, and questions about them, that do not concern references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils import formats, timezone

if TYPE_CHECKING:
    from ctms.accounts.models import User


def check_order(*, record: Any, start: str, end: str) -> None:
    """Raise ValidationError if the end lies before the start; either may be empty."""
    first, last = getattr(record, start), getattr(record, end)
    if first is not None and last is not None and last < first:
        raise ValidationError({end: f"The end ({last}) lies before the start ({first})."})


def ask_future(record: Any, *, attribute: str) -> str:
    """Ask about the day of something that was done but lies in the future, by the user's time zone."""
    day = getattr(record, attribute)
    if day is None or day <= timezone.localdate():
        return ""
    return f"{formats.date_format(day)} is still to come. Is it the day on which it was done?"


def suggest_today(_user: User) -> dict[str, Any]:
    """Suggest today, by the user's time zone, as the date of a new record of what took place."""
    return {"date__v": timezone.localdate()}
