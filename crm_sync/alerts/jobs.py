"""Registers the job that tells of changes of connections."""

from __future__ import annotations

from crm_sync.alerts.sending import PART, list_alert_units, send_alerts
from ctms.jobs.choices import Frequency
from ctms.jobs.registry import JobHandler, register_job

ALERT_JOB_KEY = "crm_connection_alerts"


def register_alert_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=ALERT_JOB_KEY,
            name="Connection Alerts",
            list_units=list_alert_units,
            execute=send_alerts,
            leaves=True,
            frequency=Frequency.CRON,
            cron="* * * * *",
            is_active=True,
            about="Tells the contacts and the owner of a connection, by e-mail, in the Vault and by webhook, when it "
            "begins to fail, falls silent, or works again: once for each change. The connection's action Alerts says "
            "from when on, and whom.",
            idle="no connection changed",
            part_labels={PART: "E-mails"},
        )
    )
