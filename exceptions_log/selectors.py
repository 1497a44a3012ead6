"""Reading user exceptions: what still fails, and what was dismissed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from ctms.core.choices import RecordStatus
from exceptions_log.models import IN_FORCE, ExceptionItem

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from connections.models import Integration


def list_open_items() -> QuerySet[ExceptionItem]:
    """Items of the Active messages that are not dismissed: what a person should look at."""
    return ExceptionItem.objects.filter(message__status=RecordStatus.ACTIVE, dismissed_at=None)


def list_dismissed_items() -> QuerySet[ExceptionItem]:
    """Items whose dismissal is in force, in whatever message they were dismissed."""
    return ExceptionItem.objects.filter(IN_FORCE, message__is_draft=False)


def list_items_in_force() -> QuerySet[ExceptionItem]:
    """What fails now, and what was dismissed of records as they are."""
    return ExceptionItem.objects.filter(
        Q(message__status=RecordStatus.ACTIVE, dismissed_at=None) | IN_FORCE, message__is_draft=False
    )


def list_dismissals(integration: Integration) -> QuerySet[ExceptionItem]:
    """Items of one integration whose dismissal is in force: the transfer leaves their records alone."""
    return list_dismissed_items().filter(message__integration=integration)
