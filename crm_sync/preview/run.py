"""Preview the transfer of one connection: a dry run of each integration, whose rows are kept until the next preview.

Nothing but the preview is written. As a job it holds the lease of the connection's transfer, so that it sees no
half-done work of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.crm.errors import CrmError
from crm_sync.engine.dry_run import begin_dry_run
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.run import ENDS_RUN, describe_failure, list_integrations, open_session, run_integration
from crm_sync.engine.run_session import Counts, IntegrationSession
from crm_sync.models import PreviewRow, TransferPreview
from crm_sync.preview.rows import RowMaker
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.registry import RunContext, RunOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connections.models import Integration
    from crm_sync.engine.run_session import RunSession

    Store = Callable[[list[PreviewRow]], None]


_SEVERAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationPreview:
    """What a transfer of one integration would do, and the error that would end it, if one would."""

    integration: Integration
    counts: Counts
    error: CrmError | None
    seconds: float


def preview_transfer(connection: Connection, *, store: Store | None = None) -> list[IntegrationPreview]:
    """Return what a transfer would do now, by integration, and pass its rows to `store`. Nothing at all is written.

    Raises CrmError if the connection cannot run at all.
    """
    with open_session(connection=connection, lease=None, dry_run=begin_dry_run(connection)) as session:
        return list(preview_integrations(connection=connection, session=session, store=store or _forget))


def preview_integrations(*, connection: Connection, session: RunSession, store: Store) -> Iterator[IntegrationPreview]:
    """Yield what a transfer would do, by integration; an error that would end the run of the connection is the last."""
    for integration in list_integrations(connection):
        session.stop_if_cancelled()
        begun, calls_before = get_now(), session.crm.api_calls
        counts, failure = Counts(), None
        rows: RowMaker | None = None
        try:
            plan = compile_integration(integration=integration)
            rows = RowMaker(plan=plan, crm=session.crm, store=store)
            run_integration(
                session=IntegrationSession(run=session, plan=plan, recorder=None, observer=rows, counts=counts)
            )
        except Exception as error:  # noqa: BLE001  as in a run: one integration fails and leaves word; the others go on
            failure = describe_failure(integration=integration, error=error)
        if rows is not None:
            rows.flush()
        counts.api_calls = session.crm.api_calls - calls_before
        seconds = (get_now() - begun).total_seconds()
        yield IntegrationPreview(integration=integration, counts=counts, error=failure, seconds=seconds)
        if isinstance(failure, ENDS_RUN):
            return


def run_preview(context: RunContext) -> RunOutcome:
    """Preview the connection that the run's unit names. This is the handler of the job."""
    connection = Connection.objects.select_related("authorization").filter(uid=context.run.unit_key).first()
    if connection is None:
        message = f"The connection {context.run.unit_label} was deleted before the run began."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    if connection.status != RecordStatus.ACTIVE and context.run.trigger == RunTrigger.SCHEDULE:
        message = f"{connection.name} was made Inactive before the run began, so nothing was previewed."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    return _Run(connection=connection, context=context).execute()


class _Run:
    """One preview of one connection as a job."""

    def __init__(self, *, connection: Connection, context: RunContext) -> None:
        self._connection = connection
        self._run = context.run
        self._lease = context.lease
        with transaction.atomic():
            self._lease.renew()
            # Those of runs that died.
            TransferPreview.objects.filter(connection=connection, finished_at=None).delete()
            self._preview = TransferPreview.objects.create(connection=connection, run=context.run, started_at=get_now())

    def execute(self) -> RunOutcome:
        connection = self._connection
        try:
            with open_session(
                connection=connection, lease=self._lease, run=self._run, dry_run=begin_dry_run(connection)
            ) as session:
                store = partial(self._store, session)
                for found in preview_integrations(connection=connection, session=session, store=store):
                    self._preview.counts[found.integration.kind] = found.counts.as_dict()
                    if found.error is not None:
                        self._preview.errors[found.integration.kind] = str(found.error)
        except CrmError as error:
            self._preview.errors = {"": str(error)}
        self._finish()
        return self._build_outcome()

    def _store(self, session: RunSession, rows: list[PreviewRow]) -> None:
        with transaction.atomic():
            session.renew_lease()
            for row in rows:
                row.preview = self._preview
            PreviewRow.objects.bulk_create(rows)

    def _finish(self) -> None:
        """Publish the preview; earlier ones of the connection go."""
        with transaction.atomic():
            self._lease.renew()
            TransferPreview.objects.filter(connection=self._connection).exclude(pk=self._preview.pk).delete()
            self._preview.finished_at = get_now()
            self._preview.save()

    def _build_outcome(self) -> RunOutcome:
        labels = dict(IntegrationKind.choices)
        errors = [f"{labels[kind]}: {text}" if kind else text for kind, text in self._preview.errors.items()]
        number = self._preview.rows.count()
        message = f"{number:,} records would not stay as they are."
        if number < _SEVERAL:
            message = "1 record would not stay as it is." if number else "The next transfer would change nothing."
        state = RunState.SUCCEEDED
        if errors:
            message = f"Not everything could be previewed. {errors[0]}"
            state = RunState.WITH_EXCEPTIONS if self._preview.counts else RunState.FAILED
        return RunOutcome(state=state, message=message, result=dict(self._preview.counts), log="\n".join(errors))


def _forget(_rows: list[PreviewRow]) -> None:
    """Leave the rows, for callers that want counts alone."""
