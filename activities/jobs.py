"""Register the job Generate Clinical Activities."""

from __future__ import annotations

from activities.generator import generate_activities
from ctms.jobs.registry import JobHandler, JobUnit, register_job

GENERATE_JOB_KEY = "generate_clinical_activities"
_UNIT = JobUnit(key="all", label="")


def register_generate_job() -> None:
    """Register the job; called once, when the app is ready.

    It has one unit, because both kinds of source generate activities of the same people.
    """
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
