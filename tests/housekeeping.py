"""Runs Housekeeping as a worker would, for tests of what it deletes."""

from __future__ import annotations

from ctms.jobs.housekeeping import HOUSEKEEPING_JOB_KEY
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import JobUnit
from ctms.jobs.services import create_run, execute_run


def keep_house() -> JobRun:
    """Run the job once, Active or not, and return the run."""
    definition = JobDefinition.objects.get(key=HOUSEKEEPING_JOB_KEY)
    run = create_run(definition=definition, unit=JobUnit(key="all", label=""), user=None)
    finished = execute_run(run.pk)
    assert finished is not None
    return finished
