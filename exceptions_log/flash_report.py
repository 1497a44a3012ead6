"""The daily e-mail of user exceptions: the delivered report as a flash report, and what took its place before."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from connections.permissions import MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS
from ctms.accounts.models import SecurityProfile, User
from ctms.audit.actors import Actor
from ctms.audit.services import create_records, delete_record, save_record
from ctms.configuration.steps import NotApplicableError
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import Frequency
from ctms.jobs.models import JobDefinition
from ctms.reports.choices import FlashFrequency, FlashPreference, ShareRole
from ctms.reports.delivered import find_delivered_report
from ctms.reports.flash.services import save_schedule
from ctms.reports.models import FlashReport, Report, ReportShare
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.reports import USER_EXCEPTIONS

# The job that sent such an e-mail before there were flash reports.
OLD_JOB_KEY = "user_exception_report"
_FREQUENCIES = {Frequency.WEEKLY.value: FlashFrequency.WEEKLY}


def list_flash_reports() -> list[FlashReport]:
    """Return the schedules of reports on user exceptions with their items, whoever built them, Active ones first."""
    found = (
        FlashReport.objects.filter(
            report__status=RecordStatus.ACTIVE, report__report_type__primary_object=ExceptionMessage.object_name
        )
        .select_related("report__report_type", "report__owner__security_profile")
        .order_by("status", "report__name", "pk")
    )
    related = f"{ExceptionItem.object_name}."
    return [
        each for each in found if any(str(name).startswith(related) for name in each.report.report_type.related_objects)
    ]


def schedule_daily(*, actor: Actor) -> None:
    """Send the delivered report daily at 06:00 UTC, only with records, to all who look after integrations.

    Raises NotApplicableError if an admin deleted the delivered report.
    """
    report = find_delivered_report(USER_EXCEPTIONS)
    if report is None:
        raise NotApplicableError(
            "The delivered report User Exceptions was deleted. Build a report of the type User Exception Message with "
            "User Exception Item, and schedule it."
        )
    flash = FlashReport.objects.filter(report=report).first() or FlashReport(report=report)
    flash.status, flash.frequency, flash.preference = (
        RecordStatus.ACTIVE,
        FlashFrequency.DAILY,
        FlashPreference.WITH_RECORDS,
    )
    _activate(report, actor=actor)
    save_schedule(flash=flash, actor=actor)
    _share_with_keepers(report, actor=actor)


def take_place_of_old_job(*, actor: Actor) -> None:
    """Schedule the delivered report as the job was, if an installed Vault has it Active, and let the job be.

    Its owner becomes that of the report; without one, the report is shared with those who got its e-mails.
    """
    old = JobDefinition.objects.filter(key=OLD_JOB_KEY).first()
    if old is None:
        return
    with transaction.atomic():
        report = find_delivered_report(USER_EXCEPTIONS)
        if old.status == RecordStatus.ACTIVE and report is not None:
            _schedule_as(old, report=report, actor=actor)
        if old.runs.exists():
            if old.status == RecordStatus.ACTIVE:
                old.status = RecordStatus.INACTIVE
                save_record(record=old, actor=actor, reason=_REASON)
        else:
            delete_record(record=old, actor=actor, reason=_REASON)


_REASON = "The flash report User Exceptions takes its place"


def _schedule_as(old: JobDefinition, *, report: Report, actor: Actor) -> None:
    if old.owner is not None and old.owner.is_active:
        report.owner = old.owner
        save_record(record=report, actor=actor, reason=_REASON)
    else:
        _share_with_keepers(report, actor=actor)
    if FlashReport.objects.filter(report=report).exists():
        return
    flash = FlashReport(
        report=report,
        frequency=_FREQUENCIES.get(old.frequency, FlashFrequency.DAILY),
        weekday=old.weekday,
        time=dt.time(old.hour, old.minute),
    )
    save_schedule(flash=flash, actor=actor)


def _activate(report: Report, *, actor: Actor) -> None:
    for each in (report.report_type, report):
        if each.status != RecordStatus.ACTIVE:
            each.status = RecordStatus.ACTIVE
            save_record(record=each, actor=actor)


def _share_with_keepers(report: Report, *, actor: Actor) -> None:
    """Share the report with the profiles that hold Manage Integrations, and with superusers of other profiles."""
    shares = ReportShare.objects.filter(report=report)
    shared = set(shares.exclude(profile=None).values_list("profile", flat=True))
    profiles = [
        each
        for each in SecurityProfile.objects.filter(status=RecordStatus.ACTIVE).order_by("pk")
        if {MANAGE_INTEGRATIONS, MANAGE_CONNECTIONS} & set(each.permissions)
    ]
    has_it = {each.pk for each in profiles} | shared
    users = User.objects.filter(is_active=True, is_superuser=True)
    known = set(shares.exclude(user=None).values_list("user", flat=True)) | {report.owner_id}
    create_records(
        records=[
            ReportShare(report=report, profile=each, role=ShareRole.VIEWER)
            for each in profiles
            if each.pk not in shared
        ],
        actor=actor,
    )
    create_records(
        records=[
            ReportShare(report=report, user=each, role=ShareRole.VIEWER)
            for each in users.order_by("pk")
            if each.pk not in known and each.security_profile_id not in has_it
        ],
        actor=actor,
    )
