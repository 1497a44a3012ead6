"""Register the configuration steps of user exceptions."""

from __future__ import annotations

from dataclasses import replace

from ctms.configuration.layouts import RelatedSection
from ctms.configuration.step_kinds import StepText, build_related_section_step
from ctms.configuration.steps import StepState, StepStatus, register_step
from ctms.jobs.models import JobDefinition
from ctms.jobs.steps import build_job_step
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.report import NOBODY, REPORT_JOB_KEY, list_recipients
from exceptions_log.retention import RETENTION_JOB_KEY


def register_exception_steps() -> None:
    """Register the steps; called once, when the app is ready."""
    register_step(
        build_related_section_step(
            text=StepText(
                key="user_exception_layout",
                title="User Exception Items on the User Exception page",
                why="Whoever looks after the transfer sees what could not go, and why, in one table.",
                section="Connection setup: enablement",
                position=500,
            ),
            object_name=ExceptionMessage.object_name,
            wanted=RelatedSection(
                title="User Exception Items",
                related_object=ExceptionItem.object_name,
                related_field="exception_message__sys",
                # In the order of the requirement documents.
                columns=("name__v", "error_type__sys", "error_message__sys", "item__sys", "item_data__sys"),
                prevent_creation=True,
            ),
            is_exact=True,
        )
    )
    _register_report_step()
    register_step(
        build_job_step(
            text=StepText(
                key="user_exception_retention",
                title="Resolved user exceptions deleted daily",
                why="They hold data of people, so they are kept for as long as the operator decided, and no longer.",
                section="Connection setup: enablement",
                position=520,
                is_optional=True,
            ),
            job_key=RETENTION_JOB_KEY,
        )
    )


def _register_report_step() -> None:
    """Register the step of the report, which is done once the job is Active and has recipients."""
    step = build_job_step(
        text=StepText(
            key="user_exception_report",
            title="User Exception Report, sent daily",
            why="One e-mail a day says what fails, to whoever looks after the transfer; none where nothing does.",
            section="Connection setup: enablement",
            position=510,
            is_optional=True,
        ),
        job_key=REPORT_JOB_KEY,
    )

    def check() -> StepState:
        state = step.check()
        if state.status != StepStatus.DONE:
            return state
        recipients = list_recipients(JobDefinition.objects.get(key=REPORT_JOB_KEY))
        if not recipients:
            return StepState.broken(f"{state.reason} {NOBODY}")
        return StepState.done(f"{state.reason} It goes to {', '.join(user.email for user in recipients)}.")

    register_step(replace(step, check=check))
