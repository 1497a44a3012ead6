"""Configure Generate Clinical Activities in a test Vault, run it, and read its results."""

from __future__ import annotations

from activities.jobs import GENERATE_JOB_KEY
from activities.models import Activity
from ctms.configuration.steps import apply_step, list_steps
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import JobUnit
from ctms.jobs.services import create_run, execute_run
from exceptions_log.models import ExceptionItem
from tests.factories.base import build_admin_actor


def configure_automation() -> None:
    """Apply the configuration steps for automated Clinical Activities."""
    for step in list_steps():
        if step.key.startswith("automation."):
            apply_step(step=step, actor=build_admin_actor())


def generate() -> JobRun:
    """Run the job as a worker would."""
    definition = JobDefinition.objects.get(key=GENERATE_JOB_KEY)
    run = create_run(definition=definition, unit=JobUnit(key="all", label=""), user=None)
    finished = execute_run(run.pk)
    if finished is None:
        raise AssertionError("The run was not queued.")
    return finished


def list_generated() -> list[Activity]:
    return list(Activity.objects.filter(is_generated=True).order_by("pk"))


def list_problems() -> list[tuple[str, str]]:
    """Return item and error message of every open exception item."""
    items = ExceptionItem.objects.filter(message__status="active__v", dismissed_at=None)
    return sorted((item.item, item.error_message) for item in items)
