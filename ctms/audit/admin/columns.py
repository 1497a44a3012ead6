"""Values of lists."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.html import format_html


def clamp(text: str) -> str:
    """Return a text as two lines of a list at most; its whole is on the record's page, and under the pointer."""
    return format_html("<span class='vault-clamp' title='{}'>{}</span>", text, text) if text else "–"


def show_moment(moment: datetime) -> str:
    """Return a time in UTC as all lists show it, e.g. `1 Dec 2026, 03:37`."""
    return date_format(moment.astimezone(UTC), "DATETIME_FORMAT")
