"""How long is kept which reports and digests were e-mailed to whom."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef

from ctms.jobs.retention import OldRows, RetentionRule, register_retention
from ctms.reports.choices import DeliveryState, MailState
from ctms.reports.models import DigestMail, FlashDelivery, FlashMail

_SETTING = "REPORT_MAIL_RETENTION_DAYS"


def register_retention_rules() -> None:
    """Register the kinds of rows; called once, when the app is ready."""
    register_retention(
        RetentionRule(
            key="flash_deliveries",
            name="Deliveries of flash reports",
            models=(FlashDelivery, FlashMail),
            find=_find_deliveries,
            setting=_SETTING,
            keeps="The newest of each report, and those that are still to be sent.",
            position=410,
        )
    )
    register_retention(
        RetentionRule(
            key="digests",
            name="Daily digests",
            models=(DigestMail,),
            find=lambda before: [
                OldRows(rows=DigestMail.objects.filter(day__lt=before.date()).exclude(state=MailState.SENDING))
            ],
            setting=_SETTING,
            keeps="Those that are still to be sent.",
            position=420,
        )
    )


def _find_deliveries(before: datetime) -> list[OldRows]:
    later = FlashDelivery.objects.filter(flash=OuterRef("flash"), moment__gt=OuterRef("moment"))
    ended = FlashDelivery.objects.exclude(state=DeliveryState.SENDING)
    # By its moment the next delivery of the report counts what was missed.
    return [OldRows(rows=ended.filter(Exists(later), moment__lt=before, next_try_at=None))]
