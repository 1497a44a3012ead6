"""Registers the job that tells users that their subscriptions were switched off."""

from __future__ import annotations

from ctms.jobs.choices import Frequency
from ctms.jobs.registry import JobHandler, register_job
from ctms.subscriptions.notices import PART, list_notice_units, send_notices


def register_notice_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key="subscription_notices",
            name="Subscription Notices",
            list_units=list_notice_units,
            execute=send_notices,
            leaves=True,
            frequency=Frequency.CRON,
            cron="*/5 * * * *",
            is_active=True,
            about="Tells users by e-mail that a subscription was switched off, since its receiver took nothing.",
            idle="nobody is to be told",
            part_labels={PART: "E-mails"},
        )
    )
