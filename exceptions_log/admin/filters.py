"""Filters of the lists of user exceptions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from unfold.contrib.filters.admin import DropdownFilter

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.models import IN_FORCE

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_ALL = "all"
_SHOWN = {
    "": Q(message__status=RecordStatus.ACTIVE, dismissed_at=None),
    "dismissed": IN_FORCE,
    "earlier": (~Q(message__status=RecordStatus.ACTIVE) | Q(dismissed_at__isnull=False)) & ~IN_FORCE,
    _ALL: Q(),
}


class ShownFilter(DropdownFilter):
    """What still fails, unless something else is asked for."""

    title = "state"
    parameter_name = "shown"
    all_option: Any = ("", "Failing now")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [
            ("dismissed", "Dismissed, left alone until the record changes"),
            ("earlier", "Of earlier runs"),
            (_ALL, "All"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002  Django's signature
        return queryset.filter(_SHOWN.get(self.value() or "", _SHOWN[""]))


class AgeFilter(DropdownFilter):
    """By when an item failed last."""

    title = "last failed"
    parameter_name = "age"
    all_option: Any = ("", "At any time")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [
            ("today", "Today (UTC)"),
            ("week", "In the last 7 days"),
            ("month", "In the last 30 days"),
            ("older-week", "More than 7 days ago"),
            ("older-month", "More than 30 days ago"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002  Django's signature
        now = get_now()
        week, month = now - timedelta(days=7), now - timedelta(days=30)
        chosen = {
            "today": Q(last_failed_at__gte=now.replace(hour=0, minute=0, second=0, microsecond=0)),
            "week": Q(last_failed_at__gte=week),
            "month": Q(last_failed_at__gte=month),
            "older-week": Q(last_failed_at__lt=week),
            "older-month": Q(last_failed_at__lt=month),
        }.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)
