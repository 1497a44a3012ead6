"""How long answers are kept under the keys of their requests."""

from __future__ import annotations

from datetime import timedelta

from ctms.jobs.retention import OldRows, RetentionRule, register_retention
from ctms.records.models import KeptAnswer

_KEPT_FOR = timedelta(days=2)


def register_answer_retention() -> None:
    """Register the kind of rows; called once, when the app is ready."""
    register_retention(
        RetentionRule(
            key="kept_answers",
            name="Answers under an Idempotency-Key",
            models=(KeptAnswer,),
            find=lambda now: [OldRows(rows=KeptAnswer.objects.filter(created_at__lt=now - _KEPT_FOR))],
            keeps="Those of the last two days: a program that sends a request again does so by then.",
            position=450,
        )
    )
