"""How long user exceptions are kept that were resolved, and messages of which nothing is left."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef

from ctms.core.choices import RecordStatus
from ctms.jobs.retention import OldRows, RetentionRule, register_retention
from exceptions_log.models import ExceptionItem, ExceptionMessage

_SETTING = "EXCEPTION_RETENTION_DAYS"


def register_retention_rules() -> None:
    """Register the kinds of rows; called once, when the app is ready."""
    register_retention(
        RetentionRule(
            key="items",
            name="Resolved exception items",
            models=(ExceptionItem,),
            find=lambda before: [OldRows(rows=ExceptionItem.objects.filter(resolved_at__lt=before))],
            setting=_SETTING,
            keeps="What fails, or is dismissed, however old.",
            position=200,
        )
    )
    register_retention(
        RetentionRule(
            key="messages",
            name="Empty exception messages",
            models=(ExceptionMessage,),
            find=_find_empty_messages,
            setting=_SETTING,
            keeps="The Active message of each integration or job, and messages with items.",
            position=210,
        )
    )


def _find_empty_messages(before: datetime) -> list[OldRows]:
    left = ExceptionItem.objects.filter(message=OuterRef("pk"))
    empty = ExceptionMessage.objects.filter(~Exists(left), status=RecordStatus.INACTIVE, created_at__lt=before)
    return [OldRows(rows=empty)]
