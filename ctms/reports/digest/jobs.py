"""Registers the job that sends daily digests."""

from __future__ import annotations

from ctms.jobs.choices import Frequency
from ctms.jobs.registry import JobHandler, register_job
from ctms.reports.digest.delivery import PART, deliver_digests
from ctms.reports.digest.units import DIGEST_JOB_KEY, list_due_units


def register_digest_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=DIGEST_JOB_KEY,
            name="Daily Digest",
            list_units=list_due_units,
            execute=deliver_digests,
            leaves=True,
            frequency=Frequency.CRON,
            cron="*/5 * * * *",
            is_active=True,
            about="Sends each user one e-mail in the morning of their time zone with what is due, overdue and not "
            "transferred of theirs, and none if there is nothing. Users choose the hour on their profile page.",
            idle="nobody's digest is due",
            part_labels={PART: "Users"},
        )
    )
