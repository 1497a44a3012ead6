"""Filters of the lists of user exceptions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from unfold.contrib.filters.admin import DropdownFilter

from ctms.accounts.policies import list_visible
from ctms.audit.admin.writing import get_user
from ctms.clinical.models import StudySite
from ctms.core.clock import get_now
from ctms.core.text.whole_numbers import read_whole_number
from ctms.core.uuids import read_uid
from exceptions_log.at_sites import list_open_at_sites
from exceptions_log.models import DISMISSED, OPEN, RESOLVED, ExceptionItem
from exceptions_log.problems import list_items_of_problem

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_ALL = "all"
_SHOWN = {
    "": OPEN,
    "dismissed": DISMISSED,
    "resolved": RESOLVED,
    _ALL: Q(),
}


class ShownFilter(DropdownFilter):
    """Filters items by state; by default it shows those that fail now."""

    title = "state"
    parameter_name = "shown"
    all_option: Any = ("", "Failing now")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [
            ("dismissed", "Dismissed, left alone until the record changes"),
            ("resolved", "Resolved"),
            (_ALL, "All"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002  Django's signature
        return queryset.filter(_SHOWN.get(self.value() or "", _SHOWN[""]))


class AgeFilter(DropdownFilter):
    """Filters items by the time of their last failure."""

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


class ProblemFilter(DropdownFilter):
    """Filters items by a problem, which one of its items stands for; shown only while it is in use."""

    title = "problem"
    parameter_name = "problem"
    all_option: Any = ("", "All")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        item = self._find_item(request)
        return [(str(item.pk), item.cause)] if item is not None else []

    def has_output(self) -> bool:
        return bool(self.value())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        item = self._find_item(request)
        if item is None:
            return queryset.none()
        items = list_items_of_problem(item, user=get_user(request))
        return queryset.filter(pk__in=items.order_by().values("pk"))

    def _find_item(self, request: HttpRequest) -> ExceptionItem | None:
        key = read_whole_number(self.value() or "")
        items = list_visible(ExceptionItem.objects.all(), get_user(request))
        return items.filter(pk=key).first() if key is not None else None


class SiteFilter(DropdownFilter):
    """Filters items by the study site that their records belong to, named by its uid; shown only while it is in use."""

    title = "study site"
    parameter_name = "site"
    all_option: Any = ("", "All")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        site = self._find_site(request)
        return [(str(site.uid), f"{site.study} · {site}")] if site is not None else []

    def has_output(self) -> bool:
        return bool(self.value())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        site = self._find_site(request)
        if site is None:
            return queryset.none()
        items = list_open_at_sites(user=get_user(request), sites=[site.pk])
        return queryset.filter(pk__in=items.order_by().values("pk"))

    def _find_site(self, request: HttpRequest) -> StudySite | None:
        uid, user = read_uid(self.value() or ""), get_user(request)
        if uid is None:
            return None
        sites = list_visible(StudySite.objects.filter(uid=uid), user)
        return sites.select_related("study").first()
