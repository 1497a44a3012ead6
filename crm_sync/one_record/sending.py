"""Send one record: a run of its own, under the lease of the connection's transfer, narrowed to that record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef

from connections.models import Integration, IntegrationProgress
from crm_sync.engine.call_figures import note_calls
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.run import describe_failure, fill_part, judge_part, open_session, run_integration
from crm_sync.engine.run_session import Counts, IntegrationSession
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.one_record.findings import Finding, RecordWatcher, tell_outcome
from crm_sync.one_record.looking import limit_waiting
from crm_sync.units import ONE_RECORD_JOB_KEY, build_unit
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.jobs.services import create_run, execute_run
from exceptions_log.services import ExceptionRecorder

if TYPE_CHECKING:
    from uuid import UUID

    from connections.models import Connection
    from crm_sync.crm.exchanges import Exchange
    from ctms.audit.actors import Actor


class RecordNotSentError(VaultError):
    """The record was not sent, and no run began; the message says why and what to do."""


@dataclass(slots=True, kw_only=True)
class Sent:
    """A run that sent one record. `error` says what ended it, if something did; `finding` is None then."""

    run: JobRun
    finding: Finding | None = None
    error: str = ""
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def writes(self) -> list[Exchange]:
        """The calls that wrote, each with its answer."""
        return [each for each in self.exchanges if each.is_write]


def explain_no_sending(*, connection: Connection, integration: Integration) -> str:
    """Return why no record of this integration is sent now, and the remedy; empty if it may be sent."""
    if connection.paused_at is not None:
        return f"{connection} is paused ({connection.pause_reason}), so nothing is sent. Resume it first."
    if connection.status != RecordStatus.ACTIVE:
        return f"{connection} is Inactive, so nothing is sent. Activate it first."
    if RecordStatus.INACTIVE in (integration.status, integration.rule.status):
        return f"{integration.name} is Inactive, so nothing of it is sent. Activate the integration and its rule first."
    return ""


def send_record(*, integration: Integration, uid: UUID, name: str, actor: Actor) -> Sent:
    """Send one record of an outbound integration now and return what the CRM answered.

    Raises RecordNotSentError if the connection must not send, or if a run of it is at work.
    """
    connection = integration.connection
    if refusal := explain_no_sending(connection=connection, integration=integration):
        raise RecordNotSentError(refusal)
    busy = RecordNotSentError(
        f"A transfer, preview or reconciliation of {connection} is running, and the record was not sent. Send it when "
        "Job Status shows that run in the history."
    )
    try:
        run = create_run(
            definition=JobDefinition.objects.get(key=ONE_RECORD_JOB_KEY),
            unit=build_unit(connection),
            user=actor.user,
            trigger=RunTrigger.START_NOW,
        )
    except JobAlreadyRunningError:
        raise busy from None
    sending = _Sending(sent=Sent(run=run), integration_id=integration.pk, uid=uid, name=name)
    finished = execute_run(run.pk, execute=sending.execute)
    if finished is None:  # it would wait for the run that holds the lease, and a page does not
        JobRun.objects.filter(pk=run.pk, state=RunState.QUEUED).delete()
        raise busy
    sent = sending.sent
    sent.run = finished
    if sent.finding is None and not sent.error:  # it was cancelled, or lost its lease
        sent.error = finished.message or "The run was interrupted; the next transfer finds out what the CRM has."
    record_event(
        actor=actor,
        action=AuditAction.EVENT,
        object_name=connection.object_name,
        record=connection,
        reason=f"Test of one record with {integration.name}, run {finished.pk}: {finished.message}"[:500],
    )
    return sent


def report_interrupted(context: RunContext) -> RunOutcome:
    """Say that nothing more is sent. This is the handler of the job: workers meet only runs whose page is gone."""
    message = (
        f"The page that sent one record of {context.run.unit_label} was interrupted. The next transfer finds out "
        "whether the CRM has the record."
    )
    return RunOutcome(state=RunState.SKIPPED, message=message, result={})


class _Sending:
    """What is done while the run holds the lease."""

    def __init__(self, *, sent: Sent, integration_id: int, uid: UUID, name: str) -> None:
        self.sent = sent
        self._integration_id = integration_id
        self._uid = uid
        self._name = name

    def execute(self, context: RunContext) -> RunOutcome:
        """Send the record, and write what became of it. Raises the errors that end a run."""
        # Read again, since somebody may have paused it before this run got the lease.
        integration = Integration.objects.select_related("rule", "connection__authorization").get(
            pk=self._integration_id
        )
        connection = integration.connection
        if refusal := explain_no_sending(connection=connection, integration=integration):
            self.sent.error = refusal
            return RunOutcome(state=RunState.SKIPPED, message=refusal, result={})
        counts = Counts()
        try:
            plan = compile_integration(integration=integration)
            with open_session(
                connection=connection,
                lease=context.lease,
                run=context.run,
                watch=self.sent.exchanges.append,
                **limit_waiting(connection),
            ) as session:
                session.only, session.has_fresh_identities = self._uid, True
                watcher = RecordWatcher(plan=plan, crm=session.crm)
                recorder = ExceptionRecorder(integration=integration, run=context.run, renew_lease=session.renew_lease)
                work = IntegrationSession(run=session, plan=plan, recorder=recorder, observer=watcher, counts=counts)
                self._transfer(work=work, context=context)
        except Exception as error:  # noqa: BLE001  told as a run tells it; what ends a worker is raised again
            self.sent.error = str(describe_failure(integration=integration, error=error))
            result = {integration.kind: counts.as_dict()}
            return RunOutcome(state=RunState.FAILED, message=f"{self._name}: {self.sent.error}", result=result)
        self.sent.finding = finding = tell_outcome(watcher=watcher, plan=plan, uid=self._uid, is_done=True)
        return RunOutcome(
            state=RunState.WITH_EXCEPTIONS if counts.failed else RunState.SUCCEEDED,
            message=f"{self._name}: {finding.sentence}",
            result={integration.kind: counts.as_dict()},
        )

    def _transfer(self, *, work: IntegrationSession, context: RunContext) -> None:
        """Run the integration for the one record, and write its part of the run whether it works or not."""
        session = work.run
        calls_before, times_before = session.crm.api_calls, session.crm.call_times
        with transaction.atomic():
            session.renew_lease()
            part = IntegrationRun.objects.create(run=context.run, integration=work.integration, started_at=get_now())
        was_unknown = IntegrationProgress.objects.get(integration=work.integration).outcome_unknown
        failure = None
        try:
            run_integration(session=work)
            work.counts.check()
        except Exception as error:  # noqa: BLE001  raised again below, once it is written
            failure = describe_failure(integration=work.integration, error=error)
        work.counts.api_calls = session.crm.api_calls - calls_before
        part.state = judge_part(failure=failure, counts=work.counts)
        fill_part(part, counts=work.counts, times=session.crm.call_times - times_before)
        with transaction.atomic():
            session.renew_lease()
            part.save()
            note_calls(connection=work.integration.connection, crm=session.crm, calls=work.counts.api_calls)
            if failure is None:
                _publish(work=work, uid=self._uid)
                # What was unconfirmed of other records before remains so.
                IntegrationProgress.objects.filter(integration=work.integration).update(outcome_unknown=was_unknown)
        if failure is not None:
            raise failure


def _publish(*, work: IntegrationSession, uid: UUID) -> None:
    """Write the failure of the record among the exceptions, or resolve it; those of all others go on."""
    recorder = work.recorder
    if recorder is None:
        return
    settled = TransferLink.objects.filter(
        integration=work.integration, record_uid=OuterRef("record_uid"), pending=False
    )
    others = recorder.list_open().exclude(Exists(settled), record_uid=uid)
    if recorder.count:
        recorder.publish(still_pending=others, is_complete=False)
    else:
        recorder.go_on(still_pending=others)
