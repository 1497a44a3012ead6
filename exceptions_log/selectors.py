"""Read user exception items: open ones, dismissed ones, and the problems that they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exceptions_log.models import DISMISSED, OPEN, ExceptionItem

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from connections.models import Integration


def list_open_items() -> QuerySet[ExceptionItem]:
    """Return the items that still fail and are not dismissed."""
    return ExceptionItem.objects.filter(OPEN)


def list_dismissed_items() -> QuerySet[ExceptionItem]:
    """Return the items whose dismissal is in force."""
    return ExceptionItem.objects.filter(DISMISSED)


def list_unresolved_items() -> QuerySet[ExceptionItem]:
    """Return the items that are open, and those whose dismissal is in force."""
    return ExceptionItem.objects.filter(resolved_at=None)


def list_dismissals(integration: Integration) -> QuerySet[ExceptionItem]:
    """Return the items of one integration whose dismissal is in force, so that the transfer skips their records."""
    return list_dismissed_items().filter(integration=integration)
