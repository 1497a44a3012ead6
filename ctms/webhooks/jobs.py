"""Registers the job that delivers events to webhooks."""

from __future__ import annotations

from ctms.jobs.choices import Frequency
from ctms.jobs.registry import JobHandler, register_job
from ctms.webhooks.delivery import PART, deliver_events, list_due_units

WEBHOOK_JOB_KEY = "webhooks"


def register_webhook_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=WEBHOOK_JOB_KEY,
            name="Webhooks",
            list_units=list_due_units,
            execute=deliver_events,
            leaves=True,
            frequency=Frequency.CRON,
            cron="* * * * *",
            is_active=True,
            about="Sends events, signed, to the webhooks that wait for them. What a receiver did not accept is tried "
            "again after 1, 5, 15 minutes and so on, twelve times in three days.",
            idle="no event is due",
            part_labels={PART: "Events"},
        )
    )
