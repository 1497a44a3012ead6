"""The configuration step that a job is Active, and those of the jobs that verify the audit trail and keep house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from ctms.configuration.step_kinds import StepText
from ctms.configuration.steps import ConfigurationStep, StepState, StepStatus, register_step
from ctms.core.choices import RecordStatus
from ctms.jobs.housekeeping import HOUSEKEEPING_JOB_KEY
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import set_job_status
from ctms.jobs.trail_verification import VERIFICATION_JOB_KEY

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


def register_verification_step() -> None:
    """Register the step of *Verify Audit Trail*; called once, when the app is ready."""
    register_step(
        build_job_step(
            text=StepText(
                key="audit_trail_verification",
                title="Audit trail verified daily",
                why="Inspectors ask how you would notice that somebody changed the audit trail. The job verifies "
                "every entry each day, and fails, which Job Status shows, if one was changed, removed or inserted.",
                section="Inspections",
                position=600,
                is_optional=True,
            ),
            job_key=VERIFICATION_JOB_KEY,
        )
    )


def register_housekeeping_step() -> None:
    """Register the step of *Housekeeping*; called once, when the app is ready."""
    register_step(
        build_job_step(
            text=StepText(
                key="housekeeping",
                title="Old runs, exceptions and deliveries deleted daily",
                why="They hold data of people and grow without end. The job deletes what has ended and is older than "
                "the operator decided; Kept rows, on the list of jobs, says what and for how long.",
                section="Inspections",
                position=610,
                is_optional=True,
            ),
            job_key=HOUSEKEEPING_JOB_KEY,
        )
    )


def build_job_step(*, text: StepText, job_key: str) -> ConfigurationStep:
    """Return a step that is done when the job is Active; applying it activates the job."""

    def check() -> StepState:
        definition = JobDefinition.objects.filter(key=job_key).first()
        if definition is None:
            return StepState.broken("The job was not delivered. Run manage.py migrate again.")
        if definition.status != RecordStatus.ACTIVE:
            return StepState.to_do(f"{definition.name} is Inactive.")
        return StepState.done(f"{definition.name} is Active.")

    def apply(*, actor: Actor) -> None:
        if check().status != StepStatus.DONE:  # an Active job keeps its next time
            set_job_status(key=job_key, status=RecordStatus.ACTIVE, actor=actor)

    def find_url() -> str:
        definition = JobDefinition.objects.filter(key=job_key).first()
        if definition is None:
            return reverse("admin:jobs_jobdefinition_changelist")
        return reverse("admin:jobs_jobdefinition_change", args=(definition.pk,))

    return ConfigurationStep(
        key=text.key,
        title=text.title,
        why=text.why,
        section=text.section,
        position=text.position,
        is_optional=text.is_optional,
        check=check,
        apply=apply,
        url=find_url,
        permission="admin:jobs",
    )
