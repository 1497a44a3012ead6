"""The job that sends daily digests: to each user once a day, whoever else tries, and whatever fails.

As with flash reports, an e-mail has a row before it is handed over. A row that is found *Being sent* is of a worker
that died, so that the e-mail may have gone out: nobody sends it again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction

from ctms.accounts.mail import MailError, send_mail
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import get_database_now
from ctms.core.outages import find_outage_remedy
from ctms.jobs.choices import RunState
from ctms.jobs.errors import LeaseLostError
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.reports.choices import MailState
from ctms.reports.digest.content import DigestContent, read_content
from ctms.reports.digest.letters import write_letter
from ctms.reports.digest.units import DueDigest, list_due
from ctms.reports.flash.delivery import WAITS
from ctms.reports.models import DigestMail

log = structlog.get_logger(__name__)

PART = "users"  # key in the run's result
_PERHAPS = "The worker stopped, or the mail server fell silent, while it was being sent: it may have arrived."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """A run at work on the digest of one user."""

    context: RunContext
    due: DueDigest

    @property
    def actor(self) -> Actor:
        return build_system_actor(source="job", reference=f"run {self.context.run.pk}")


def deliver_digests(context: RunContext) -> RunOutcome:
    """Send the digests that are due now. Raises the errors of its lease, and those of an outage."""
    with transaction.atomic():
        context.lease.renew()
        due = list_due(now=get_database_now())
    ended: Counter[str] = Counter()
    for each in due:
        context.lease.stop_if_cancelled()
        state = _send(_Sending(context=context, due=each))
        ended[state] += 1
    return _build_outcome(ended)


def _send(work: _Sending) -> MailState:
    """Send one digest, unless there is nothing in it or it may have gone already; return what became of it."""
    mail = work.due.mail
    if mail is not None and mail.state == MailState.SENDING:
        return _note(work, mail=mail, state=MailState.UNCLEAR, reason=_PERHAPS)
    try:
        content = read_content(user=work.due.user, day=work.due.day)
    except (LeaseLostError, SoftTimeLimitExceeded):
        raise
    except Exception as error:  # an error with the records of one must not keep the digest from the others
        if find_outage_remedy(error):
            raise
        log.exception("digest_not_read", user=work.due.user.pk)
        reason = f"An unexpected {type(error).__name__} stopped it; the worker's log has the details."
        _claim(work, state=MailState.FAILED, reason=reason)
        return MailState.FAILED
    if not content.count:
        _claim(work, state=MailState.NOTHING)
        return MailState.NOTHING
    claimed = _claim(work, state=MailState.SENDING, rows=content.count)
    # Another worker that claimed it first says what becomes of it.
    return _hand_over(work, mail=claimed, content=content) if claimed is not None else MailState.NOTHING


def _claim(work: _Sending, *, state: MailState, rows: int = 0, reason: str = "") -> DigestMail | None:
    """Write the row of the digest; None if another worker did so meanwhile, which then has it in hand."""
    mail, now = work.due.mail, get_database_now()
    attempts = (mail.attempts if mail is not None else 0) + 1
    values: dict[str, Any] = {
        "state": state,
        "rows": rows,
        "reason": reason,
        "attempts": attempts,
        "changed_at": now,
        "next_try_at": now + WAITS[attempts - 1] if state == MailState.FAILED and attempts <= len(WAITS) else None,
    }
    try:
        with transaction.atomic():
            work.context.lease.renew()
            if mail is None:
                return DigestMail.objects.create(user=work.due.user, day=work.due.day, **values)
            waiting = DigestMail.objects.filter(pk=mail.pk, state=MailState.FAILED, attempts=mail.attempts)
            if not waiting.update(**values):
                return None
            mail.attempts, mail.rows = attempts, rows
            return mail
    except IntegrityError:
        return None


def _hand_over(work: _Sending, *, mail: DigestMail, content: DigestContent) -> MailState:
    letter = write_letter(user=work.due.user, content=content, identity=f"digest.{mail.uid}")
    # Raises if another worker has taken over: it finds the row, and says that the e-mail may have gone out.
    work.context.lease.stop_if_run_out()
    try:
        send_mail(
            subject=letter.subject,
            text=letter.text,
            to=[work.due.user.email],
            html=letter.html,
            headers=letter.headers,
        )
    except MailError as error:
        state = MailState.UNCLEAR if error.is_unclear else MailState.FAILED
        return _note(work, mail=mail, state=state, reason=str(error))
    return _note(work, mail=mail, state=MailState.SENT)


def _note(work: _Sending, *, mail: DigestMail, state: MailState, reason: str = "") -> MailState:
    """Note how the e-mail went; one that went, or may have gone, is an export in the audit trail."""
    now, user = get_database_now(), work.due.user
    again = state == MailState.FAILED and mail.attempts <= len(WAITS)
    values = {
        "state": state,
        "reason": reason,
        "changed_at": now,
        "next_try_at": now + WAITS[mail.attempts - 1] if again else None,
    }
    with transaction.atomic():
        DigestMail.objects.filter(pk=mail.pk).update(**values)
        if state != MailState.FAILED:
            record_event(
                actor=work.actor,
                action=AuditAction.EXPORTED,
                object_name=user.audit_name,
                record=user,
                changes={
                    "format": [None, "e-mail"],
                    "recipient": [None, user.display_contact],
                    "records": [None, mail.rows],
                },
                reason=f"Daily digest. {reason}".strip(),
            )
    return state


def _build_outcome(ended: Counter[str]) -> RunOutcome:
    sent, nothing = ended[MailState.SENT], ended[MailState.NOTHING]
    failed = ended[MailState.FAILED] + ended[MailState.UNCLEAR]
    state = RunState.SUCCEEDED if not failed else RunState.WITH_EXCEPTIONS if sent or nothing else RunState.FAILED
    told = [f"Sent to {sent:,} {'user' if sent == 1 else 'users'}."]
    if nothing:
        told.append(f"Nothing to send to {nothing:,}.")
    if failed:
        told.append(f"{failed:,} could not be sent, or may not have arrived: see Logs > Daily Digests.")
    return RunOutcome(
        state=state,
        message=" ".join(told),
        result={PART: {"selected": ended.total(), "sent": sent, "failed": failed}} if ended else {},
    )
