"""Registers the job that sends flash reports."""

from __future__ import annotations

from ctms.jobs.choices import Frequency
from ctms.jobs.registry import JobHandler, register_job
from ctms.reports.flash.delivery import PART, deliver_flash
from ctms.reports.flash.units import FLASH_JOB_KEY, list_due_units


def register_flash_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=FLASH_JOB_KEY,
            name="Flash Reports",
            list_units=list_due_units,
            execute=deliver_flash,
            leaves=True,
            frequency=Frequency.CRON,
            cron="*/5 * * * *",
            is_active=True,
            about="Sends each report that is scheduled, at its time, as an e-mail to its owner and the users that it "
            "is shared with. What could not be sent is tried again; the report's page Schedule says how each went.",
            idle="no flash report is due",
            part_labels={PART: "Recipients"},
        )
    )
