"""The fields of the last and the next contact, which study sites and study people have, and their delivered views."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.utils import formats, timezone

from ctms.configuration.registry import DeliveredView

LAST, NEXT, OVERDUE, DAYS = "last_contact__v", "next_contact__v", "overdue_since__v", "days_since_contact__v"
CONTACT_FIELDS: Mapping[str, str] = {
    LAST: "last_contact",
    NEXT: "next_contact",
    OVERDUE: "overdue_since",
    DAYS: "days_since_contact",
}
# What the view *Not contacted for 60 days* asks; it is asked for by links, too.
NOT_CONTACTED: Mapping[str, str] = {f"{LAST}__not_within": "last_60_days"}
# The dates go by the day in UTC: where it is a day later already, what was planned for yesterday is overdue.
_IS_OVERDUE: Mapping[str, str] = {NEXT: "next_contact", OVERDUE: "overdue_since"}


def _describe(record: Any, attribute: str) -> tuple[str, str]:
    """Return tone and text of the badge of a date: overdue if the day has passed by the time zone of whoever looks."""
    day: dt.date | None = getattr(record, attribute)
    if day is None:
        return "", ""
    return "overdue" if day < timezone.localdate() else "", formats.date_format(day)


def _build_badge(attribute: str) -> Callable[[Any], tuple[str, str]]:
    return lambda record: _describe(record, attribute)


CONTACT_BADGES: Mapping[str, Callable[[Any], tuple[str, str]]] = {
    name: _build_badge(attribute) for name, attribute in _IS_OVERDUE.items()
}


def build_contact_views(mine: str) -> tuple[DeliveredView, ...]:
    """Return the views of what is to be seen to at my sites; `mine` is the parameter that limits the list to these."""
    at_mine = f"{mine}&status__v=active__v"
    return (
        DeliveredView(
            name="Not contacted for 60 days, my sites",
            parameters=f"{urlencode(NOT_CONTACTED)}&{at_mine}&sort={LAST}",
        ),
        DeliveredView(name="Overdue, my sites", parameters=f"{OVERDUE}__empty=false&{at_mine}&sort={OVERDUE}"),
    )
