"""Sets, changes and removes the schedule of a report, takes reports over, and tries failed deliveries again."""

from __future__ import annotations

from django.db import transaction

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, delete_records, save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.core.errors import VaultError
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import start_unit
from ctms.reports.access import administers_reports
from ctms.reports.choices import DeliveryState, MailState
from ctms.reports.flash.recipients import has_left
from ctms.reports.flash.units import FLASH_JOB_KEY, build_unit
from ctms.reports.models import FlashDelivery, FlashReport, Report
from ctms.reports.services import transfer_report

_TIMING = ("status", "frequency", "weekday", "day", "time", "time_zone")


class NotTakenOverError(VaultError):
    """The report cannot be taken over: its owner has not left, or the user does not look after such reports."""


def save_schedule(*, flash: FlashReport, actor: Actor, expected_version: int | None = None) -> bool:
    """Create or change a schedule; True if anything was written.

    If the planned times change, those before now are not delivered any more. Raises what `save_record` raises.
    """
    stored = FlashReport.objects.filter(pk=flash.pk).first()
    if stored is None or any(getattr(stored, name) != getattr(flash, name) for name in _TIMING):
        flash.counted_from = get_database_now()
    return save_record(record=flash, actor=actor, expected_version=expected_version)


def remove_schedule(*, report: Report, actor: Actor) -> None:
    """Remove the schedule of a report, if it has one, with its history. Called before the report is deleted."""
    flash = FlashReport.objects.filter(report=report).first()
    if flash is None:
        return
    with transaction.atomic():
        delete_records(records=list(flash.unsubscriptions.all()), actor=actor)
        delete_record(record=flash, actor=actor)


def take_over(*, report: Report, actor: Actor) -> None:
    """Make the actor's user the owner of a report whose owner has left; its readers get their own rows from then on.

    Raises NotTakenOverError.
    """
    with transaction.atomic():
        current = Report.objects.select_for_update(of=("self",)).select_related("owner").get(pk=report.pk)
        if not has_left(current):
            raise NotTakenOverError(f"{current.owner} owns this report; there is nothing to take over.")
        if not administers_reports(actor.user):
            raise NotTakenOverError("Your security profile does not allow you to look after reports of others.")
        reason = f"Taken over from {current.owner}, who has left"
        transfer_report(report=current, owner=actor.user, actor=actor, reason=reason)


def retry_delivery(*, delivery: FlashDelivery, user: User) -> bool:
    """Try a failed delivery again now, also e-mails that were perhaps sent; False if it did not fail.

    The job does it, Active or not.
    """
    with transaction.atomic():
        waiting = FlashDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.FAILED)
        if not waiting.update(next_try_at=get_database_now(), attempts=0):
            return False
        delivery.mails.filter(state=MailState.UNCLEAR).update(state=MailState.FAILED)
        definition = JobDefinition.objects.get(key=FLASH_JOB_KEY)
        try:
            start_unit(definition=definition, unit=build_unit(delivery.flash), user=user)
        except JobAlreadyRunningError:  # the run at work, or the next one, does it
            return True
    return True


def is_job_active() -> bool:
    """Whether the job that sends flash reports is Active."""
    return JobDefinition.objects.filter(key=FLASH_JOB_KEY, status=RecordStatus.ACTIVE).exists()
