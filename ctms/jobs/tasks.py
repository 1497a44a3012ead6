"""Celery's door to jobs: ids only, the work is in services."""

from __future__ import annotations

from celery import shared_task

from ctms.jobs import services


@shared_task(name="jobs.dispatch_due", ignore_result=True, soft_time_limit=50, time_limit=58)
def dispatch_due() -> None:
    """The one-minute tick."""
    services.dispatch_due()


@shared_task(name="jobs.execute_run", ignore_result=True)
def execute_job_run(run_id: int) -> None:
    """Run one row of the job queue."""
    services.execute_run(run_id)
