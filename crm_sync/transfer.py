"""The transfer of one connection: studies, sites and activities out, then calls in.

An integration that fails does not stop the others. What concerns the whole connection (log-in, network, limit) ends the
run, with one exception that says so.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, transaction

from connections.choices import GrantFlow, IntegrationKind
from connections.models import Connection, Integration, IntegrationProgress
from crm_sync.choices import IntegrationRunState
from crm_sync.client import ClientOptions, Credentials, CrmClient
from crm_sync.context import IntegrationSession, RunSession
from crm_sync.counts import Counts
from crm_sync.errors import AuthenticationError, ConfigurationError, ConnectivityError, CrmError, LimitError
from crm_sync.failures import build_integration_failure
from crm_sync.inbound import InboundRun
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.outbound import OutboundRun
from crm_sync.pipeline import Pipeline, RunAbortedError
from crm_sync.plans import compile_plan, get_identifier_mapping
from ctms.audit.actors import build_system_actor
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import EncryptionKeyError, VaultError
from ctms.jobs.cancellation import RunCancelledError
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.leases import LeaseLostError
from ctms.jobs.registry import RunContext, RunOutcome
from exceptions_log.models import INTEGRATION_KEY, ExceptionItem, ExceptionMessage
from exceptions_log.services import ExceptionRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ctms.jobs.leases import LeaseHandle
    from ctms.jobs.models import JobRun

log = structlog.get_logger(__name__)

# Parents before children, then what comes in.
ORDER = (
    IntegrationKind.STUDY_OUTBOUND,
    IntegrationKind.SITE_OUTBOUND,
    IntegrationKind.CALL_OUTBOUND,
    IntegrationKind.CALL_INBOUND,
)
# These end the run of the connection; other errors end one integration.
_ENDS_RUN = (AuthenticationError, ConnectivityError, LimitError)


def run_transfer(context: RunContext) -> RunOutcome:
    """Transfer the connection that the run's unit names; the job's handler."""
    connection = Connection.objects.select_related("authorization").filter(uid=context.run.unit_key).first()
    if connection is None:
        message = f"The connection {context.run.unit_label} was deleted before the run began."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    if connection.status != RecordStatus.ACTIVE and context.run.trigger != RunTrigger.COMMAND:
        message = f"{connection.name} was made Inactive before the run began, so nothing was transferred."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    return _Transfer(connection=connection, run=context.run, lease=context.lease).execute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a transfer of one integration would do, or why it cannot run."""

    integration: Integration
    counts: Counts
    error: CrmError | None
    seconds: float


def preview_transfer(connection: Connection) -> list[Preview]:
    """Dry run: what a transfer would do now. Nothing is written on either side.

    Raises CrmError if the connection cannot run at all.
    """
    previews: list[Preview] = []
    with _open_session(connection=connection, lease=None) as session:
        for integration in list_integrations(connection):
            counts, failure, begun = Counts(), None, get_now()
            calls_before = session.client.api_calls
            try:
                plan = compile_plan(integration=integration)
                _run_integration(session=IntegrationSession(run=session, plan=plan, recorder=None, counts=counts))
            except CrmError as error:
                failure = error
            counts.api_calls = session.client.api_calls - calls_before
            previews.append(
                Preview(
                    integration=integration,
                    counts=counts,
                    error=failure,
                    seconds=(get_now() - begun).total_seconds(),
                )
            )
    return previews


class _Transfer:
    """One run over one connection."""

    def __init__(self, *, connection: Connection, run: JobRun, lease: LeaseHandle) -> None:
        self._connection = connection
        self._run = run
        self._lease = lease
        self._log: list[str] = []
        self._parts: list[IntegrationRun] = []

    def execute(self) -> RunOutcome:
        integrations = list_integrations(self._connection)
        if not integrations:
            return RunOutcome(
                state=RunState.SUCCEEDED, message="Every integration of the connection is inactive.", result={}
            )
        self._close_interrupted_parts()
        failure: CrmError | None = None
        try:
            with _open_session(connection=self._connection, lease=self._lease, run=self._run) as session:
                for integration in integrations:
                    error = self._execute_integration(integration=integration, session=session)
                    if isinstance(error, _ENDS_RUN):
                        failure = error
                        break
        except CrmError as error:
            failure = error
            self._record_connection_failure(integrations=integrations, error=error)
        except RunCancelledError as cancelled:
            cancelled.log = "\n".join(self._log)
            raise
        if failure is None:
            self._close_outlived_messages(integrations)
        return self._build_outcome(failure)

    def _close_outlived_messages(self, at_work: list[Integration]) -> None:
        """A failure of the connection that stands with an integration switched off since then is over."""
        outlived = (
            ExceptionMessage.objects.filter(connection=self._connection, status=RecordStatus.ACTIVE)
            .exclude(integration__in=at_work)
            .exclude(items__in=ExceptionItem.objects.filter(dismissed_at=None).exclude(key__startswith=INTEGRATION_KEY))
        )
        with transaction.atomic():
            self._lease.renew()
            outlived.update(status=RecordStatus.INACTIVE)

    def _close_interrupted_parts(self) -> None:
        """What earlier runs of the connection left unfinished: this one holds the lease, so nobody is at work on it."""
        left = IntegrationRun.objects.filter(
            integration__connection=self._connection, state=IntegrationRunState.RUNNING
        )
        with transaction.atomic():
            self._lease.renew()
            left.update(state=IntegrationRunState.INTERRUPTED, finished_at=get_now())

    def _execute_integration(self, *, integration: Integration, session: RunSession) -> CrmError | None:
        """Run one integration to its end and record how it ended; returns what failed it, if anything did."""
        self._lease.stop_if_cancelled()
        calls_before = session.client.api_calls
        recorder = ExceptionRecorder(integration=integration, run=self._run, renew_lease=session.renew_lease)
        with transaction.atomic():
            session.renew_lease()
            part = IntegrationRun.objects.create(run=self._run, integration=integration, started_at=get_now())
        self._parts.append(part)
        counts, failure, digest = Counts(), None, ""
        try:
            plan = compile_plan(integration=integration)
            digest = plan.digest
            work = IntegrationSession(run=session, plan=plan, recorder=recorder, counts=counts)
            _run_integration(session=work)
        except (LeaseLostError, RunAbortedError):
            raise
        except RunCancelledError:
            self._interrupt_part(part=part, counts=counts)
            raise
        except (CrmError, VaultError, IntegrityError, DataError) as error:
            failure = error if isinstance(error, CrmError) else _describe_internal(error)
            recorder.add(build_integration_failure(integration=integration, error=failure))
        counts.api_calls = session.client.api_calls - calls_before
        counts.check()
        part.state = _judge(failure=failure, counts=counts)
        part.finished_at = get_now()
        for column, value in counts.as_dict().items():
            setattr(part, column, value)
        with transaction.atomic():
            session.renew_lease()
            recorder.publish(
                still_pending=_list_pending(integration, recorder) if failure else (), is_complete=failure is None
            )
            part.save()
            if failure is None:
                IntegrationProgress.objects.filter(integration=integration).update(
                    last_successful_run_at=session.started_at,
                    rules_digest=digest,
                    outcome_unknown=False,
                    organisation_id=session.client.organisation_id,
                )
        self._log.append(f"{integration.name}: {_describe(counts)}" + (f" {failure}" if failure else ""))
        return failure

    def _interrupt_part(self, *, part: IntegrationRun, counts: Counts) -> None:
        """Record how far a cancelled integration came; the next run goes on as after a worker that died."""
        with transaction.atomic():
            self._lease.renew()
            part.state, part.finished_at = IntegrationRunState.INTERRUPTED, get_now()
            for column, value in counts.as_dict().items():
                setattr(part, column, value)
            part.save()
        self._log.append(f"{part.integration.name}: {_describe(counts)} Then the run was cancelled.")

    def _record_connection_failure(self, *, integrations: list[Integration], error: CrmError) -> None:
        """One exception for the whole connection, kept with the integration that is listed first."""
        integration = min(integrations, key=lambda i: list(IntegrationKind).index(IntegrationKind(i.kind)))
        recorder = ExceptionRecorder(integration=integration, run=self._run, renew_lease=self._lease.renew)
        recorder.add(build_integration_failure(integration=integration, error=error))
        with transaction.atomic():
            self._lease.renew()
            recorder.publish(still_pending=recorder.list_previous_keys(), is_complete=False)
        self._log.append(str(error))

    def _build_outcome(self, failure: CrmError | None) -> RunOutcome:
        failed = sum(part.failed for part in self._parts)
        result = {part.integration.kind: _read_counts(part).as_dict() for part in self._parts}
        if failure is not None:
            state, message = RunState.FAILED, str(failure)
        elif broken := [part.integration.name for part in self._parts if part.state == IntegrationRunState.FAILED]:
            message = f"{' and '.join(broken)} failed, and {failed} records; see User Exceptions."
            state = RunState.WITH_EXCEPTIONS
        elif failed:
            state, message = RunState.WITH_EXCEPTIONS, f"{failed} records failed; see User Exceptions."
        else:
            moved = sum(part.sent + part.received for part in self._parts)
            state, message = RunState.SUCCEEDED, f"{moved} records transferred."
        return RunOutcome(state=state, message=message, result=result, log="\n".join(self._log))


def build_client(*, connection: Connection, on_wait: Callable[[], None] | None = None, **bounds: Any) -> CrmClient:
    """A client for the connection's organisation; `bounds` take the place of the options of that name.

    Raises ConfigurationError if the connection's authorization is incomplete or its URL is not allowed.
    """
    authorization = connection.authorization
    if authorization is None:
        raise ConfigurationError(
            f"{connection.name} has no Authorization.", remedy="Choose or create one on the connection."
        )
    if authorization.status != RecordStatus.ACTIVE:
        raise ConfigurationError(
            f"The Authorization {authorization.name} of {connection.name} is Inactive.",
            remedy="Make it Active, or choose another one on the connection.",
        )
    if not authorization.consumer_key or not authorization.consumer_secret:
        raise ConfigurationError(
            f"The Authorization {authorization.name} of {connection.name} has no connected app details.",
            remedy="Use its action Enter Connected App Details.",
        )
    try:
        credentials = Credentials(
            flow="password" if authorization.grant_flow == GrantFlow.PASSWORD else "client_credentials",
            username=authorization.username,
            password=authorization.password.reveal() if authorization.password else "",
            consumer_key=authorization.consumer_key.reveal(),
            consumer_secret=authorization.consumer_secret.reveal(),
        )
    except EncryptionKeyError as error:
        raise ConfigurationError(
            f"The secrets of {authorization.name} cannot be read: {error}",
            remedy="Restore the key, or enter the secrets again.",
        ) from None
    options = ClientOptions(
        api_version=settings.CRM_API_VERSION,
        connect_timeout=connection.connect_timeout,
        read_timeout=connection.read_timeout,
        max_attempts=settings.CRM_MAX_ATTEMPTS,
        retry_budget_seconds=settings.CRM_RETRY_BUDGET_SECONDS,
        backoff_base_seconds=settings.CRM_BACKOFF_BASE_SECONDS,
        quota_share=connection.quota_percent / 100,
        allowed_host_suffixes=tuple(settings.CRM_ALLOWED_HOST_SUFFIXES),
        sandbox_origins={f"https://{host}": origin for host, origin in settings.CRM_SANDBOX_ORIGINS.items()},
        pool_size=connection.concurrency,
    )
    if bounds:
        options = replace(options, **bounds)
    return CrmClient(base_url=connection.url, credentials=credentials, options=options, on_wait=on_wait)


@contextmanager
def _open_session(
    *, connection: Connection, lease: LeaseHandle | None, run: JobRun | None = None
) -> Iterator[RunSession]:
    """Log in, and hold what the integrations of one run share. Raises CrmError if the connection cannot run."""
    get_identifier_mapping(connection)
    with (
        Pipeline(
            width=connection.concurrency,
            keep_alive=lease.renew_if_old if lease is not None else _do_nothing,
            stop_if_cancelled=lease.stop_if_cancelled if lease is not None else _do_nothing,
        ) as pipeline,
        build_client(connection=connection, on_wait=partial(_stop_if_over, pipeline, lease)) as client,
    ):
        # Taken before anything is read: what changes from here on belongs to the next run.
        started_at = get_now()
        pipeline.call(client.log_in)
        refuse_other_organisation(connection=connection, organisation_id=client.organisation_id)
        yield RunSession(
            client=client,
            pipeline=pipeline,
            lease=lease,
            actor=build_system_actor(source="job", reference=f"run {run.pk}" if run else "preview"),
            started_at=started_at,
        )


def refuse_other_organisation(*, connection: Connection, organisation_id: str) -> None:
    """Raise ConfigurationError unless the organisation logged in to is this connection's, and no other's.

    A connection that has transferred goes on with its organisation. One that has not is refused an organisation that
    another connection, Active or not, has records in: a second address of it would bring every call twice.
    """
    known = set(
        IntegrationProgress.objects.filter(integration__connection=connection)
        .exclude(organisation_id="")
        .values_list("organisation_id", flat=True)
    )
    if organisation_id and known and organisation_id not in known:
        raise ConfigurationError(
            f"{connection.name} leads to the CRM organisation {organisation_id}, but its records are in "
            f"{' and '.join(sorted(known))}.",
            remedy="Correct the URL or the Authorization, or create a new connection for the other organisation.",
        )
    others = IntegrationProgress.objects.filter(organisation_id=organisation_id).exclude(
        integration__connection=connection
    )
    if organisation_id and not known and (other := others.select_related("integration__connection").first()):
        raise ConfigurationError(
            f"{connection.name} leads to the same CRM organisation as {other.integration.connection.name}, so every "
            "call would be received twice.",
            remedy="Correct the URL or the Authorization, or use the other connection; whether it is Inactive does not "
            "matter.",
        )


def _run_integration(*, session: IntegrationSession) -> None:
    plan = session.plan
    progress = IntegrationProgress.objects.get(integration=session.integration)
    rules_changed = progress.rules_digest != plan.digest
    if session.integration.is_inbound:
        if rules_changed and not session.run.dry_run:
            # Everything is read again; from here on the watermark is that of the new rules, wherever the run stops.
            with transaction.atomic():
                session.run.renew_lease()
                IntegrationProgress.objects.filter(pk=progress.pk).update(watermark=None, rules_digest=plan.digest)
        InboundRun(session=session, watermark=None if rules_changed else progress.watermark).execute()
        return
    if not session.run.dry_run:
        with transaction.atomic():
            session.run.renew_lease()
            IntegrationProgress.objects.filter(pk=progress.pk).update(outcome_unknown=True)
    since = progress.last_successful_run_at
    if since is not None:
        since -= timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)
    OutboundRun(session=session, since=since, rules_changed=rules_changed).execute(
        outcome_unknown=progress.outcome_unknown
    )


def list_integrations(connection: Connection) -> list[Integration]:
    """The active integrations in the order in which they run."""
    active = connection.integrations.filter(
        status=RecordStatus.ACTIVE, rule__status=RecordStatus.ACTIVE
    ).select_related("rule", "connection")
    return sorted(active, key=lambda integration: ORDER.index(IntegrationKind(integration.kind)))


def _list_pending(integration: Integration, recorder: ExceptionRecorder) -> list[str]:
    """Keys of earlier exception items whose records are still to be transferred."""
    keys = recorder.list_previous_keys()
    links = TransferLink.objects.filter(integration=integration, pending=True)
    pending = {str(uid) for uid in links.values_list("record_uid", flat=True)} | set(
        links.values_list("crm_id", flat=True)
    )
    return [key for key in keys if key in pending]


def _judge(*, failure: CrmError | None, counts: Counts) -> IntegrationRunState:
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


def _describe_internal(error: Exception) -> CrmError:
    """A fault on this side, in words; of the database's errors only their kind, for their text holds values."""
    if isinstance(error, VaultError):
        return CrmError(str(error), remedy="The next run tries again.")
    return CrmError(
        f"The Vault's database refused what was to be written ({type(error).__name__}).",
        remedy="The next run tries again; if it fails again, the worker's log and the integration's rules tell more.",
    )


def _stop_if_over(pipeline: Pipeline, lease: LeaseHandle | None) -> None:
    """For the client to call before it repeats a call. Raises RunAbortedError or LeaseLostError."""
    pipeline.stop_if_aborted()
    if lease is not None:
        lease.stop_if_run_out()


def _do_nothing() -> None:
    """A dry run has no lease to keep alive."""
