"""Generate Clinical Activities as a job: one unit, because its two kinds of source share their activities' people."""

from __future__ import annotations

from activities.generator import generate_activities
from ctms.jobs.registry import JobHandler, JobUnit, register_job

GENERATE_JOB_KEY = "generate_clinical_activities"
_UNIT = JobUnit(key="all", label="")


def register_generate_job() -> None:
    """Called once, when the app is ready."""
    register_job(
        JobHandler(
            key=GENERATE_JOB_KEY,
            name="Generate Clinical Activities",
            list_units=lambda: [_UNIT],
            execute=generate_activities,
            about="Writes and updates the Clinical Activities of Monitoring Events and Study Communications whose "
            "object type has Activity Update Required.",
        )
    )
