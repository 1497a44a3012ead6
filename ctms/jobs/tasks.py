"""The Celery tasks of jobs, which call `ctms.jobs.services`."""

from __future__ import annotations

import structlog
from celery import shared_task

from ctms.core.outages import find_outage_remedy
from ctms.jobs import services
from ctms.jobs.queue import EXECUTE_RUN
from ctms.jobs.signs import TICKS, give_sign

log = structlog.get_logger(__name__)


@shared_task(name="jobs.dispatch_due", ignore_result=True, soft_time_limit=50, time_limit=58)
def dispatch_due() -> None:
    """Dispatch due jobs; beat sends this task every minute."""
    try:
        give_sign(TICKS)
        services.dispatch_due()
    except Exception as error:
        if remedy := find_outage_remedy(error):
            log.exception("tick_failed", remedy=remedy)
        raise


@shared_task(name=EXECUTE_RUN, ignore_result=True)
def execute_job_run(run_id: int) -> None:
    """Execute one queued run."""
    services.execute_run(run_id)
