"""Problems: open items of one integration or job that have their type of error and their cause in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Min, Q

from connections.choices import IntegrationKind
from ctms.accounts.policies import list_visible
from exceptions_log.choices import ErrorType
from exceptions_log.models import INTEGRATION_KEY, ExceptionItem
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from ctms.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Equal failures: how many items there are, since when, and the oldest of them (`item_id`), which stands for all.

    What concerns a whole integration may not be dismissed.
    """

    scope: str
    error_type: ErrorType
    cause: str
    count: int
    first_failed_at: datetime
    item_id: int
    may_be_dismissed: bool


def list_problems(items: QuerySet[ExceptionItem]) -> list[Problem]:
    """Return the problems of these open items, those with most items first, in one statement."""
    rows = (
        items.order_by()
        .values(
            "message__connection__name", "integration__kind", "job__name", "error_type", "cause", "integration", "job"
        )
        .annotate(count=Count("pk"), first=Min("first_failed_at"), item=Min("pk"))
        .annotate(whole=Count("pk", filter=Q(key__startswith=INTEGRATION_KEY)))
        .order_by("-count", "item")
    )
    return [
        Problem(
            scope=f"{row['message__connection__name']}: {IntegrationKind(row['integration__kind']).label}"
            if row["integration__kind"]
            else row["job__name"],
            error_type=ErrorType(row["error_type"]),
            cause=row["cause"],
            count=row["count"],
            first_failed_at=row["first"],
            item_id=row["item"],
            may_be_dismissed=not row["whole"],
        )
        for row in rows
    ]


def list_items_of_problem(item: ExceptionItem, *, user: User) -> QuerySet[ExceptionItem]:
    """Return the open items of the problem of which this item is one, as far as the user sees them."""
    items = list_open_items().filter(
        integration=item.integration_id, job=item.job_id, error_type=item.error_type, cause=item.cause
    )
    return list_visible(items, user)
