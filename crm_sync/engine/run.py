"""Run the transfer of one connection: send studies, sites and activities, then receive calls.

An integration that fails does not stop the others. A failure of the whole connection (log-in, network, limit) ends the
run, with one exception item.
"""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from connections.certificates import retire_previous_certificate
from connections.choices import IntegrationKind
from connections.models import Connection, Integration, IntegrationProgress
from crm_sync.choices import IntegrationRunState
from crm_sync.crm.call_times import store_times
from crm_sync.crm.errors import AuthenticationError, ConnectivityError, CrmError, LimitError
from crm_sync.dialects import open_dialect
from crm_sync.engine.call_figures import note_calls
from crm_sync.engine.concurrency import Pipeline, RunAbortedError
from crm_sync.engine.exception_items import build_integration_failure, describe_unexpected
from crm_sync.engine.field_lengths import learn_lengths
from crm_sync.engine.identity.changes import refresh_identities
from crm_sync.engine.identity.organisation import claim_organisation, refuse_other_organisation
from crm_sync.engine.inbound.run import InboundRun
from crm_sync.engine.outbound.run import OutboundRun
from crm_sync.engine.pace import note_end
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.rules.identifiers import get_identifier_mapping
from crm_sync.engine.run_session import Counts, IntegrationSession, RunSession
from crm_sync.models import IntegrationRun, TransferLink
from ctms.audit.actors import build_system_actor
from ctms.audit.bookmarks import Bookmark, read_bookmark
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.core.outages import find_outage_remedy
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import LeaseLostError, RunCancelledError, WorkerStoppingError
from ctms.jobs.registry import RunContext, RunOutcome
from exceptions_log.services import ExceptionRecorder, resolve_outlived

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterator

    from django.db.models import QuerySet

    from crm_sync.crm.dialect import CrmDialect
    from crm_sync.engine.dry_run import DryRun
    from ctms.jobs.leases import LeaseHandle
    from ctms.jobs.models import JobRun
    from exceptions_log.models import ExceptionItem

log = structlog.get_logger(__name__)

# Parents are sent before children; the inbound integration comes last.
ORDER = (
    IntegrationKind.STUDY_OUTBOUND,
    IntegrationKind.SITE_OUTBOUND,
    IntegrationKind.CALL_OUTBOUND,
    IntegrationKind.CALL_INBOUND,
)
# These errors end the run of the connection; others end one integration.
ENDS_RUN = (AuthenticationError, ConnectivityError, LimitError)
# What is no failure of an integration but ends the run, which is taken up again or was cancelled.
_ENDS_ALL = (LeaseLostError, RunAbortedError, RunCancelledError, SoftTimeLimitExceeded)


def run_transfer(context: RunContext) -> RunOutcome:
    """Transfer the connection that the run's unit names. This is the handler of the job."""
    connection = Connection.objects.select_related("authorization").filter(uid=context.run.unit_key).first()
    if connection is None:
        message = f"The connection {context.run.unit_label} was deleted before the run began."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    if connection.status != RecordStatus.ACTIVE and context.run.trigger != RunTrigger.COMMAND:
        message = f"{connection.name} was made Inactive before the run began, so nothing was transferred."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    if connection.paused_at is not None:
        message = f"{connection.name} is paused, so nothing was transferred: {connection.pause_reason}"
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    return Transfer(connection=connection, run=context.run, lease=context.lease).execute()


class Transfer:
    """One run of the transfer of one connection: of all that is to be done, or right after a change of a part of it."""

    def __init__(
        self,
        *,
        connection: Connection,
        run: JobRun,
        lease: LeaseHandle,
        only: Collection[IntegrationKind] | None = None,
    ) -> None:
        """Run all active integrations, or `only` some of them: these leave what failed before to the regular runs."""
        self._connection = connection
        self._run = run
        self._lease = lease
        self._only = only
        self._crm: CrmDialect | None = None
        self._log: list[str] = []
        self._parts: list[IntegrationRun] = []

    def execute(self) -> RunOutcome:
        at_work = list_integrations(self._connection)
        integrations = [each for each in at_work if self._only is None or each.kind in self._only]
        if not integrations:
            return RunOutcome(
                state=RunState.SUCCEEDED, message="Every integration of the connection is inactive.", result={}
            )
        self._close_interrupted_parts()
        failure: CrmError | None = None
        try:
            with open_session(connection=self._connection, lease=self._lease, run=self._run) as session:
                session.is_live, self._crm = self._only is not None, session.crm
                # Identifiers in the CRM are followed where calls are fetched: at least every minute.
                session.has_fresh_identities = session.is_live and not any(each.is_inbound for each in integrations)
                for integration in integrations:
                    error = self._execute_integration(integration=integration, session=session)
                    if isinstance(error, ENDS_RUN):
                        failure = error
                        break
        except CrmError as error:
            failure = error
            self._record_connection_failure(integrations=integrations, error=error)
        except (RunCancelledError, WorkerStoppingError) as end:
            end.log = "\n".join(self._log)
            raise
        if failure is None:
            self._close_outlived_messages(at_work)
        self._note_end(failure)
        return self._build_outcome(failure)

    def _note_end(self, failure: CrmError | None) -> None:
        """Note what decides when the connection is tried again, if it transfers as it happens."""
        broken = [part.integration.name for part in self._parts if part.state == IntegrationRunState.FAILED]
        error = str(failure) if failure is not None else f"{' and '.join(broken)} failed." if broken else ""
        with transaction.atomic():
            self._lease.renew()
            note_end(
                connection=self._connection,
                usage=self._crm.usage if self._crm is not None else None,
                error=error,
                is_limit=isinstance(failure, LimitError),
                has_fetched=any(part.integration.is_inbound for part in self._parts) or failure is not None,
            )
            if self._crm is not None:
                calls = sum(part.api_calls for part in self._parts)
                note_calls(connection=self._connection, crm=self._crm, calls=calls)

    def _close_outlived_messages(self, at_work: list[Integration]) -> None:
        """Close failures of the connection that are filed under an integration which is inactive now."""
        with transaction.atomic():
            self._lease.renew()
            resolve_outlived(connection=self._connection, at_work=at_work, run=self._run)

    def _close_interrupted_parts(self) -> None:
        """Close unfinished parts of earlier runs; this run holds the lease, so no other run is working on them."""
        left = IntegrationRun.objects.filter(
            integration__connection=self._connection, state=IntegrationRunState.RUNNING
        )
        with transaction.atomic():
            self._lease.renew()
            left.update(state=IntegrationRunState.INTERRUPTED, finished_at=get_now())

    def _execute_integration(self, *, integration: Integration, session: RunSession) -> CrmError | None:
        """Run one integration and record how it ended; return the error that ended it, if any."""
        self._lease.stop_if_cancelled()
        calls_before, times_before = session.crm.api_calls, session.crm.call_times
        recorder = ExceptionRecorder(integration=integration, run=self._run, renew_lease=session.renew_lease)
        with transaction.atomic():
            session.renew_lease()
            part = IntegrationRun.objects.create(run=self._run, integration=integration, started_at=get_now())
        self._parts.append(part)
        counts, failure, digest = Counts(), None, ""
        try:
            plan = compile_integration(integration=integration)
            digest = plan.digest
            work = IntegrationSession(run=session, plan=plan, recorder=recorder, counts=counts)
            run_integration(session=work)
            counts.check()
        except RunCancelledError:
            self._interrupt_part(part=part, counts=counts, why="the run was cancelled")
            raise
        except WorkerStoppingError:
            self._interrupt_part(part=part, counts=counts, why="the worker was stopped")
            raise
        except Exception as error:  # noqa: BLE001  one integration fails and leaves word; the others run
            failure = describe_failure(integration=integration, error=error)
            if isinstance(error, ArithmeticError):
                counts = Counts()  # counts that do not add up are not stored
            recorder.add(build_integration_failure(integration=integration, error=failure))
        counts.api_calls = session.crm.api_calls - calls_before
        part.state = judge_part(failure=failure, counts=counts)
        fill_part(part, counts=counts, times=session.crm.call_times - times_before)
        with transaction.atomic():
            session.renew_lease()
            if session.is_live and not recorder.count:
                recorder.go_on(still_pending=_list_pending(integration, recorder))
            else:
                is_complete = failure is None and not session.is_live
                recorder.publish(
                    still_pending=None if is_complete else _list_pending(integration, recorder), is_complete=is_complete
                )
            part.save()
            if failure is None:
                IntegrationProgress.objects.filter(integration=integration).update(
                    last_successful_run_at=session.started_at,
                    bookmark=str(session.bookmark),
                    rules_digest=digest,
                    outcome_unknown=False,
                )
        self._log.append(f"{integration.name}: {_describe(counts)}" + (f" {failure}" if failure else ""))
        return failure

    def _interrupt_part(self, *, part: IntegrationRun, counts: Counts, why: str) -> None:
        """Record the counts of an integration whose run ends here; the next one goes on as after a worker that died."""
        with transaction.atomic():
            self._lease.renew()
            part.state, part.finished_at = IntegrationRunState.INTERRUPTED, get_now()
            for column, value in counts.as_dict().items():
                setattr(part, column, value)
            part.save()
        self._log.append(f"{part.integration.name}: {_describe(counts)} Then {why}.")

    def _record_connection_failure(self, *, integrations: list[Integration], error: CrmError) -> None:
        """Record one exception item for the whole connection, under its first integration."""
        integration = min(integrations, key=lambda i: list(IntegrationKind).index(IntegrationKind(i.kind)))
        recorder = ExceptionRecorder(integration=integration, run=self._run, renew_lease=self._lease.renew)
        recorder.add(build_integration_failure(integration=integration, error=error))
        with transaction.atomic():
            self._lease.renew()
            recorder.publish(still_pending=recorder.list_open(), is_complete=False)
        self._log.append(str(error))

    def _build_outcome(self, failure: CrmError | None) -> RunOutcome:
        failed = sum(part.failed for part in self._parts)
        result = {part.integration.kind: _read_counts(part).as_dict() for part in self._parts}
        if failure is not None:
            state, message = RunState.FAILED, str(failure)
        elif broken := [part.integration.name for part in self._parts if part.state == IntegrationRunState.FAILED]:
            records = f", and {failed} records" if failed else ""
            message = f"{' and '.join(broken)} failed{records}; see User Exceptions."
            state = RunState.WITH_EXCEPTIONS
        elif failed:
            state, message = RunState.WITH_EXCEPTIONS, f"{failed} records failed; see User Exceptions."
        else:
            moved = sum(part.sent + part.received for part in self._parts)
            state, message = RunState.SUCCEEDED, f"{moved} records transferred."
        return RunOutcome(state=state, message=message, result=result, log="\n".join(self._log))


@contextmanager
def open_session(
    *,
    connection: Connection,
    lease: LeaseHandle | None,
    run: JobRun | None = None,
    dry_run: DryRun | None = None,
    **bounds: Any,
) -> Iterator[RunSession]:
    """Log in and open the session that the integrations of a run share. Raises CrmError if that is impossible.

    Only a dry run may have no lease. `bounds` are those of `open_dialect`.
    """
    get_identifier_mapping(connection)
    with (
        Pipeline(
            width=connection.concurrency,
            keep_alive=lease.renew_if_old if lease is not None else _do_nothing,
            stop_if_cancelled=lease.stop_if_cancelled if lease is not None else _do_nothing,
        ) as pipeline,
        open_dialect(connection=connection, on_wait=partial(_stop_if_over, pipeline, lease), **bounds) as crm,
    ):
        started_at, bookmark = get_now(), read_bookmark()
        pipeline.call(crm.log_in)
        if lease is None or dry_run is not None:
            refuse_other_organisation(connection=connection, organisation_id=crm.organisation_id)
        else:
            claim_organisation(connection=connection, organisation_id=crm.organisation_id, renew_lease=lease.renew)
        actor = build_system_actor(
            source="job", reference=f"run {run.pk}" if run else "preview", connection_uid=connection.uid
        )
        if dry_run is None and connection.authorization is not None:
            retire_previous_certificate(
                authorization=connection.authorization, proven=crm.proven_certificate, actor=actor
            )
        yield RunSession(
            crm=crm,
            pipeline=pipeline,
            lease=lease,
            run=run,
            actor=actor,
            started_at=started_at,
            bookmark=bookmark,
            dry_run=dry_run,
        )


def run_integration(*, session: IntegrationSession) -> None:
    """Run one integration. Raises the errors of `crm_sync.crm.errors` that end an integration or a run."""
    plan = session.plan
    progress = IntegrationProgress.objects.get(integration=session.integration)
    rules_changed = progress.rules_digest != plan.digest
    refresh_identities(session)
    if session.integration.is_inbound:
        if rules_changed and not session.run.dry_run:
            # New rules read everything again. The watermark restarts now, so that an interrupted run can go on from it.
            with transaction.atomic():
                session.run.renew_lease()
                IntegrationProgress.objects.filter(pk=progress.pk).update(watermark=None, rules_digest=plan.digest)
        InboundRun(session=session, watermark=None if rules_changed else progress.watermark).execute()
        return
    if not session.run.dry_run:
        with transaction.atomic():
            session.run.renew_lease()
            IntegrationProgress.objects.filter(pk=progress.pk).update(outcome_unknown=True)
        if rules_changed and session.run.only is None:
            learn_lengths(session)
    since = Bookmark.parse(progress.bookmark)
    if rules_changed or (since is not None and not since.is_before(session.run.bookmark)):
        since = None
    OutboundRun(session=session, since=since, rules_changed=rules_changed).execute(
        outcome_unknown=progress.outcome_unknown
    )


def list_integrations(connection: Connection) -> list[Integration]:
    """Return the active integrations in the order in which they run."""
    active = connection.integrations.filter(
        status=RecordStatus.ACTIVE, rule__status=RecordStatus.ACTIVE
    ).select_related("rule", "connection")
    return sorted(active, key=lambda integration: ORDER.index(IntegrationKind(integration.kind)))


def _list_pending(integration: Integration, recorder: ExceptionRecorder) -> QuerySet[ExceptionItem]:
    """Return earlier exception items whose records are still to be transferred."""
    pending = TransferLink.objects.filter(integration=integration, pending=True)
    of_vault = pending.filter(record_uid=OuterRef("record_uid"))
    of_crm = pending.filter(crm_id=OuterRef("crm_id"))
    return recorder.list_open().filter(Exists(of_vault) | Q(Exists(of_crm), record_uid=None) & ~Q(crm_id=""))


def fill_part(part: IntegrationRun, *, counts: Counts, times: Counter[int]) -> None:
    """Put counts and times of calls into an integration's part of a run, which ends now; the caller saves it."""
    part.finished_at, part.call_times = get_now(), store_times(times)
    for column, value in counts.as_dict().items():
        setattr(part, column, value)


def judge_part(*, failure: CrmError | None, counts: Counts) -> IntegrationRunState:
    """Return how an integration's part of a run ended."""
    if isinstance(failure, LimitError):
        return IntegrationRunState.STOPPED
    if failure is not None:
        return IntegrationRunState.FAILED
    return IntegrationRunState.WITH_EXCEPTIONS if counts.failed else IntegrationRunState.SUCCEEDED


def _read_counts(part: IntegrationRun) -> Counts:
    return Counts(**{column: getattr(part, column) for column in Counts().as_dict()})


def _describe(counts: Counts) -> str:
    shown = [f"{value} {column.replace('_', ' ')}" for column, value in counts.as_dict().items() if value]
    return ", ".join(shown) + "." if shown else "nothing to do."


def describe_failure(*, integration: Integration, error: Exception) -> CrmError:
    """Describe what ended an integration; unexpected errors by type and place only, because their texts hold values.

    Raises the error itself if it is no failure of the integration but ends the run as a whole.
    """
    if isinstance(error, _ENDS_ALL) or find_outage_remedy(error):
        raise error
    if isinstance(error, CrmError):
        return error
    if isinstance(error, VaultError):
        return CrmError(str(error), remedy="The next run tries again.")
    log.error(
        "integration_failed",
        integration=str(integration),
        error=type(error).__name__,
        trace="".join(traceback.format_tb(error.__traceback__)),
    )
    return describe_unexpected(error)


def _stop_if_over(pipeline: Pipeline, lease: LeaseHandle | None) -> None:
    """Raise RunAbortedError or LeaseLostError if the run is over; the dialect calls this while it waits for a retry."""
    pipeline.stop_if_aborted()
    if lease is not None:
        lease.stop_if_run_out()


def _do_nothing() -> None:
    """Do nothing, in place of renewing the lease that a dry run does not have."""
