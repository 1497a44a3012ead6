"""Checks of clinical records that do not concern references."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError


def check_order(*, record: Any, start: str, end: str) -> None:
    """Raise ValidationError if the end lies before the start; either may be empty."""
    first, last = getattr(record, start), getattr(record, end)
    if first is not None and last is not None and last < first:
        raise ValidationError({end: f"The end ({last}) lies before the start ({first})."})
