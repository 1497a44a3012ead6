"""The job that verifies the audit trail, and sends the head of its chain to where nobody can change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from ctms.accounts.mail import MailError, send_mail
from ctms.audit.verification import get_verified_head, verify_trail
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job

if TYPE_CHECKING:
    from ctms.audit.chain import Head
    from ctms.audit.verification import Verification

VERIFICATION_JOB_KEY = "audit_trail_verification"
_HOUR = 4
_ENTRIES = "entries"  # key in the run's result
_TOLD = 5  # findings in the message of the run; its log has up to a thousand


def register_verification_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=VERIFICATION_JOB_KEY,
            name="Verify Audit Trail",
            list_units=lambda: [JobUnit(key="all", label="")],
            execute=verify_audit_trail,
            frequency=Frequency.DAILY,
            hour=_HOUR,
            about="Verifies that no entry of the audit trail was changed, removed, inserted or dated back, and that "
            "the database still refuses it. Fails if anything does not hold. The end of the chain is sent to "
            "AUDIT_ANCHOR_RECIPIENTS, so that it is kept where the database's administrators cannot change it. With "
            "AUDIT_VERIFIED_UP_TO, only what follows that place is verified.",
            part_labels={_ENTRIES: "Audit trail entries"},
        )
    )


def verify_audit_trail(context: RunContext) -> RunOutcome:
    """Verify the audit trail and tell the recipients. Raises the errors of its lease."""

    def report_progress(done: int) -> None:
        context.lease.stop_if_cancelled()
        with transaction.atomic():
            context.lease.renew(progress={_ENTRIES: {"verified": done}})

    since = get_verified_head()
    result = verify_trail(since=since, report_progress=report_progress)
    context.lease.stop_if_run_out()
    message = _describe(result, since=since)
    state = RunState.SUCCEEDED if result.holds else RunState.FAILED
    if settings.AUDIT_ANCHOR_RECIPIENTS:
        try:
            send_mail(
                subject="Audit trail verified" if result.holds else "The audit trail does not hold",
                text=f"{message}\n\nKeep this: manage.py verify_audit_trail --expect {result.head}\n",
                to=settings.AUDIT_ANCHOR_RECIPIENTS,
            )
        except MailError as error:
            state, message = RunState.FAILED, f"{message} {error}"
    return RunOutcome(
        state=state,
        message=message,
        result={_ENTRIES: {"verified": result.verified, "not_sealed_yet": result.unsealed, "findings": result.found}},
        log="\n".join([f"Head: {result.head}", *result.findings]),
    )


def _describe(result: Verification, *, since: Head | None) -> str:
    if result.holds:
        after = f" after position {since.position} (AUDIT_VERIFIED_UP_TO)" if since else ""
        return f"{result.verified:,} entries{after} were verified up to position {result.head.position}; all holds."
    told = " ".join(result.findings[:_TOLD])
    more = f" {result.found - _TOLD:,} more: see the log." if result.found > _TOLD else ""
    return f"The audit trail does not hold: {told}{more}"
