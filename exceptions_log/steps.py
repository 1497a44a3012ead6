"""Register the configuration steps of user exceptions."""

from __future__ import annotations

from django.urls import reverse

from ctms.configuration.layouts import RelatedSection
from ctms.configuration.step_kinds import StepText, build_related_section_step
from ctms.configuration.steps import ConfigurationStep, StepState, register_step
from ctms.core.choices import RecordStatus
from ctms.reports.delivered import find_delivered_report
from ctms.reports.flash.addresses import get_schedule_path
from ctms.reports.flash.recipients import NOBODY, list_recipients
from ctms.reports.flash.schedule import describe_schedule
from ctms.reports.flash.services import is_job_active
from exceptions_log.flash_report import list_flash_reports, schedule_daily
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.reports import USER_EXCEPTIONS


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


def _register_report_step() -> None:
    """Register the step of the report: done once one on user exceptions is scheduled, whoever built it, and sent."""
    register_step(
        ConfigurationStep(
            key="user_exception_report",
            title="User Exception Report, sent daily",
            why="One e-mail a day says what fails, to whoever looks after the transfer; none where nothing does.",
            section="Connection setup: enablement",
            position=510,
            is_optional=True,
            check=_check_report,
            apply=schedule_daily,
            url=_find_report_page,
            permission="report__sys:edit",
        )
    )


def _check_report() -> StepState:
    flash = next(iter(list_flash_reports()), None)
    if flash is None:
        return StepState.to_do("No report on user exceptions is scheduled.")
    name = flash.report.name
    if flash.status != RecordStatus.ACTIVE:
        return StepState.to_do(f"The schedule of the report {name} is Inactive.")
    if not is_job_active():
        return StepState.broken("The job Flash Reports is Inactive, so that no report is sent. Make it Active.")
    recipients = list_recipients(flash)
    without = " ".join(f"Not to {each.user}: {each.reason}" for each in recipients.left_out)
    if not recipients.mailed:
        return StepState.broken(f"{name} is scheduled. {NOBODY} {without}".strip())
    readers = ", ".join(each.user.email for each in recipients.mailed)
    return StepState.done(f"{name}: {describe_schedule(flash)}. It goes to {readers}. {without}".strip())


def _find_report_page() -> str:
    flash = next(iter(list_flash_reports()), None)
    report = flash.report if flash is not None else find_delivered_report(USER_EXCEPTIONS)
    return get_schedule_path(report) if report is not None else reverse("admin:reports_report_changelist")
