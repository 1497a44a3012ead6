"""The job that delivers a flash report: to each recipient once, whoever else tries, and whatever fails.

An e-mail has a row before it is handed over. A row that is found *Being sent* is of a worker that died, so that the
e-mail may have gone out: nobody sends it again unless a user asks for it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction

from ctms.accounts.mail import MailError, send_mail
from ctms.accounts.models import User
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import get_database_now
from ctms.core.outages import find_outage_remedy
from ctms.jobs.choices import RunState
from ctms.jobs.errors import LeaseLostError, RunCancelledError
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.reports.choices import DeliveryState, FlashPreference, MailState
from ctms.reports.errors import ReportError
from ctms.reports.flash.letters import Content, Occasion, read_content, write_letter
from ctms.reports.flash.recipients import NOBODY, Recipient, list_keepers, list_recipients
from ctms.reports.flash.units import begin_due, list_waiting
from ctms.reports.models import FlashDelivery, FlashMail, FlashReport, Report

log = structlog.get_logger(__name__)

PART = "recipients"  # key in the run's result
# How long a delivery that failed waits before it is tried again; after the last, only a user tries it again.
WAITS = tuple(dt.timedelta(minutes=minutes) for minutes in (5, 15, 45, 120, 360))
_DONE = (MailState.SENT, MailState.NOTHING, MailState.UNCLEAR)
_PERHAPS = "The worker stopped, or the mail server fell silent, while it was being sent: it may have arrived."


@dataclass(slots=True, kw_only=True)
class Delivering:
    """One try of a delivery."""

    context: RunContext
    flash: FlashReport
    delivery: FlashDelivery
    # What was read for recipients who see the same rows by the same clock, because it runs as its owner.
    contents: dict[tuple[int, str], Content] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        return build_system_actor(source="job", reference=f"run {self.context.run.pk}")


def deliver_flash(context: RunContext) -> RunOutcome:
    """Deliver what is due of one flash report, the unit of the run."""
    flash = (
        FlashReport.objects.select_related("report__report_type", "report__owner__security_profile")
        .filter(uid=context.run.unit_key)
        .first()
    )
    if flash is None:
        return RunOutcome(state=RunState.SUCCEEDED, message="The schedule was removed.", result={})
    with transaction.atomic():
        context.lease.renew()
        now = get_database_now()
        begin_due(flash, now=now)
    waiting = list(list_waiting(now=now).filter(flash=flash).order_by("moment"))
    newest = flash.deliveries.values_list("moment", flat=True).first()
    for delivery in waiting:
        work = Delivering(context=context, flash=flash, delivery=delivery)
        if delivery.state == DeliveryState.SENDING and delivery.moment != newest:
            _supersede(work)
        else:
            _try(work)
    return _build_outcome(waiting)


def _try(work: Delivering) -> None:
    """Try a delivery. What it waits for next, if anything, is in its row."""
    delivery = work.delivery
    if delivery.attempts > len(WAITS):
        _finish(work, state=DeliveryState.FAILED, message=delivery.message or "Its workers stopped again and again.")
        return
    delivery.attempts += 1
    delivery.state, delivery.next_try_at = DeliveryState.SENDING, None
    _write(work)
    found = list_recipients(work.flash)
    _drop_others(work, recipients=[each.user for each in found.mailed])
    if not found.mailed:
        _tell_keepers(work)
        _fail(work, message=NOBODY)
        return
    try:
        for recipient in found.mailed:
            work.context.lease.stop_if_cancelled()
            _send_to(work, recipient)
    except RunCancelledError as error:
        _finish(work, state=DeliveryState.FAILED, message=str(error))
        raise
    _conclude(work)


def _supersede(work: Delivering) -> None:
    """End a delivery whose worker died so long ago that a later one is due."""
    for mail in work.delivery.mails.filter(state=MailState.SENDING).select_related("user"):
        _note(work, mail=mail, state=MailState.UNCLEAR, reason=_PERHAPS)
    message = "Its worker stopped, and nothing ran until the next one was due, which was sent instead."
    _finish(work, state=DeliveryState.FAILED, message=message)


def _send_to(work: Delivering, recipient: Recipient) -> None:
    """Send the e-mail to one recipient, unless it went already. What fails is noted in their row."""
    mail = work.delivery.mails.filter(user=recipient.user).first()
    if mail is not None and mail.state == MailState.SENDING:
        _note(work, mail=mail, state=MailState.UNCLEAR, reason=_PERHAPS)
    if mail is not None and mail.state in _DONE:
        return
    try:
        content = _read(work, recipient)
    except ReportError as error:
        _claim(work, recipient=recipient, mail=mail, state=MailState.FAILED, reason=str(error))
        return
    except (LeaseLostError, SoftTimeLimitExceeded):
        raise
    except Exception as error:  # an error with the rows of one must not keep the report from the others
        if find_outage_remedy(error):
            raise
        log.exception("flash_report_not_read", flash=work.flash.pk, user=recipient.user.pk)
        reason = f"An unexpected {type(error).__name__} stopped it; the worker's log has the details."
        _claim(work, recipient=recipient, mail=mail, state=MailState.FAILED, reason=reason)
        return
    if not content.count and work.flash.preference == FlashPreference.WITH_RECORDS:
        _claim(work, recipient=recipient, mail=mail, state=MailState.NOTHING)
        return
    claimed = _claim(work, recipient=recipient, mail=mail, state=MailState.SENDING, rows=content.count)
    if claimed is not None:
        _hand_over(work, recipient=recipient, mail=claimed, content=content)


def _hand_over(work: Delivering, *, recipient: Recipient, mail: FlashMail, content: Content) -> None:
    delivery = work.delivery
    occasion = Occasion(
        now=get_database_now(),
        moment=delivery.moment,
        missed=delivery.missed,
        identity=f"{delivery.uid}.{recipient.user.uid}",
    )
    letter = write_letter(flash=work.flash, recipient=recipient, occasion=occasion, content=content)
    # Raises if another worker has taken over: it finds the row, and says that the e-mail may have gone out.
    work.context.lease.stop_if_run_out()
    try:
        send_mail(
            subject=letter.subject,
            text=letter.text,
            to=[recipient.user.email],
            html=letter.html,
            attachments=letter.attachments,
            headers=letter.headers,
        )
    except MailError as error:
        state = MailState.UNCLEAR if error.is_unclear else MailState.FAILED
        _note(work, mail=mail, state=state, reason=str(error))
        return
    _note(work, mail=mail, state=MailState.SENT)


def _read(work: Delivering, recipient: Recipient) -> Content:
    key = (recipient.runner.pk, recipient.user.time_zone)
    if key in work.contents:
        return work.contents[key]
    content = read_content(flash=work.flash, recipient=recipient, renew=work.context.lease.renew)
    if recipient.gets_rows_of_other:
        work.contents[key] = content
    return content


def _claim(
    work: Delivering,
    *,
    recipient: Recipient,
    mail: FlashMail | None,
    state: MailState,
    rows: int = 0,
    reason: str = "",
) -> FlashMail | None:
    """Write the recipient's row; None if another worker did so meanwhile, which then has the e-mail in hand."""
    values: dict[str, Any] = {
        "state": state,
        "rows": rows,
        "reason": reason,
        "changed_at": get_database_now(),
        "seen_at": None,
    }
    try:
        with transaction.atomic():
            work.context.lease.renew()
            if mail is None:
                return FlashMail.objects.create(delivery=work.delivery, user=recipient.user, **values)
            waiting = FlashMail.objects.filter(pk=mail.pk, state=MailState.FAILED)
            return mail if waiting.update(**values) else None
    except IntegrityError:
        return None


def _note(work: Delivering, *, mail: FlashMail, state: MailState, reason: str = "") -> None:
    """Note how an e-mail went; one that went, or may have gone, is an export in the audit trail."""
    mail.state, mail.reason = state, reason
    with transaction.atomic():
        FlashMail.objects.filter(pk=mail.pk).update(state=state, reason=reason, changed_at=get_database_now())
        if state != MailState.FAILED:
            record_sending(report=work.flash.report, user=mail.user, rows=mail.rows, actor=work.actor, note=reason)


def record_sending(*, report: Report, user: User, rows: int, actor: Actor, note: str = "") -> None:
    """Write to the audit trail that a report was e-mailed to a user."""
    record_event(
        actor=actor,
        action=AuditAction.EXPORTED,
        object_name=Report.object_name,
        record=report,
        changes={"format": [None, "e-mail"], "recipient": [None, user.display_contact], "records": [None, rows]},
        reason=f"Flash report. {note}".strip(),
    )


def _drop_others(work: Delivering, *, recipients: list[User]) -> None:
    """Try no more to send it to users who are no recipients any more."""
    failed = work.delivery.mails.filter(state=MailState.FAILED).exclude(user__in=recipients)
    failed.update(state=MailState.NOTHING, reason="No recipient any more.", changed_at=get_database_now())


def _tell_keepers(work: Delivering) -> None:
    """Tell the owner, or those who look after reports without one, in the Vault, that nobody gets the report."""
    owner = work.flash.report.owner
    told = [owner] if owner.is_active and not owner.has_ended else list_keepers()
    now = get_database_now()
    for user in told:
        FlashMail.objects.update_or_create(
            delivery=work.delivery,
            user=user,
            defaults={"state": MailState.FAILED, "reason": NOBODY, "changed_at": now, "seen_at": None},
        )


def _conclude(work: Delivering) -> None:
    """Write into the delivery what became of its e-mails."""
    mails = list(work.delivery.mails.all())
    by_state = {state: [each for each in mails if each.state == state] for state in MailState}
    failed, unclear, sent = (by_state[each] for each in (MailState.FAILED, MailState.UNCLEAR, MailState.SENT))
    work.delivery.recipients = len(sent)
    work.delivery.rows = max((each.rows for each in sent), default=0)
    if failed:
        reasons = " ".join(dict.fromkeys(each.reason for each in failed))
        _fail(work, message=f"{_count(len(failed), 'e-mail')} of {len(mails):,} could not be sent. {reasons}")
    elif unclear:
        message = f"{_count(len(unclear), 'e-mail')} of {len(mails):,} may not have arrived. Retry sends them again."
        _finish(work, state=DeliveryState.FAILED, message=message)
    elif sent:
        _finish(work, state=DeliveryState.DELIVERED, message=f"Sent to {_count(len(sent), 'recipient')}.")
    else:
        work.delivery.mails.all().delete()  # nobody has to be told
        _finish(work, state=DeliveryState.NOTHING, message="No record was returned.")


def _fail(work: Delivering, *, message: str) -> None:
    """Note that the delivery failed, and when it is tried again."""
    number = work.delivery.attempts - 1
    if number < len(WAITS):
        work.delivery.next_try_at = get_database_now() + WAITS[number]
    _finish(work, state=DeliveryState.FAILED, message=message)


def _finish(work: Delivering, *, state: DeliveryState, message: str) -> None:
    work.delivery.state, work.delivery.message = state, message
    work.delivery.finished_at = get_database_now()
    _write(work)


def _write(work: Delivering) -> None:
    with transaction.atomic():
        work.context.lease.renew()
        work.delivery.save()


def _build_outcome(deliveries: list[FlashDelivery]) -> RunOutcome:
    failed = [each for each in deliveries if each.state == DeliveryState.FAILED]
    sent = sum(each.recipients for each in deliveries)
    missed = FlashMail.objects.filter(delivery__in=failed, state=MailState.FAILED).count()
    state = RunState.SUCCEEDED if not failed else RunState.WITH_EXCEPTIONS if sent else RunState.FAILED
    return RunOutcome(
        state=state,
        message=" ".join(each.message for each in deliveries) or "Nothing is due.",
        result={PART: {"selected": sent + missed, "sent": sent, "failed": missed}} if deliveries else {},
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
