"""Reconcile one connection: compare every integration with the CRM, and store counts and differences.

Only the stored result is written, never a record or a link. The run holds the lease of the connection's transfer, so
that neither sees the other's half-done work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.choices import RecordWord
from crm_sync.crm.errors import (
    AuthenticationError,
    ConnectivityError,
    CrmError,
    LimitError,
    QueryLocatorExpired,
)
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.run import list_integrations, open_session
from crm_sync.engine.run_session import IntegrationSession, RunSession
from crm_sync.models import Difference, Reconciliation
from crm_sync.reconciliation.descriptions import refresh_descriptions
from crm_sync.reconciliation.inbound import InboundComparison
from crm_sync.reconciliation.outbound import OutboundComparison
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.registry import RunContext, RunOutcome

if TYPE_CHECKING:
    from collections import Counter

    from connections.models import Integration

_RESTARTS = 5
_ENDS_RUN = (AuthenticationError, ConnectivityError, LimitError)


def run_reconciliation(context: RunContext) -> RunOutcome:
    """Reconcile the connection that the run's unit names. This is the handler of the job."""
    connection = Connection.objects.select_related("authorization").filter(uid=context.run.unit_key).first()
    if connection is None:
        message = f"The connection {context.run.unit_label} was deleted before the run began."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    if connection.status != RecordStatus.ACTIVE and context.run.trigger != RunTrigger.COMMAND:
        message = f"{connection.name} was made Inactive before the run began, so nothing was compared."
        return RunOutcome(state=RunState.SKIPPED, message=message, result={})
    return _Run(connection=connection, context=context).execute()


class _Run:
    """One reconciliation of one connection."""

    def __init__(self, *, connection: Connection, context: RunContext) -> None:
        self._connection = connection
        self._lease = context.lease
        with transaction.atomic():
            self._lease.renew()
            # Those of runs that died.
            Reconciliation.objects.filter(connection=connection, finished_at=None).delete()
            self._stored = Reconciliation.objects.create(connection=connection, run=context.run, started_at=get_now())

    def execute(self) -> RunOutcome:
        try:
            with open_session(connection=self._connection, lease=self._lease) as session:
                for integration in list_integrations(self._connection):
                    error = self._compare_integration(integration=integration, session=session)
                    self._stored.api_calls = session.crm.api_calls
                    if isinstance(error, _ENDS_RUN):
                        break
                else:
                    refresh_descriptions(session=session, connection=self._connection)
                    self._stored.api_calls = session.crm.api_calls
        except CrmError as error:
            self._stored.errors = {"": str(error)}
        self._finish()
        return self._build_outcome()

    def _compare_integration(self, *, integration: Integration, session: RunSession) -> CrmError | None:
        try:
            plan = compile_integration(integration=integration)
            work = IntegrationSession(run=session, plan=plan, recorder=None)
            words = self._compare(work)
        except CrmError as error:
            with transaction.atomic():
                self._lease.renew()
                self._stored.differences.filter(integration=integration).delete()
            self._stored.errors[integration.kind] = str(error)
            return error
        self._stored.counts[integration.kind] = {word: words[word] for word in RecordWord if words[word]}
        return None

    def _compare(self, session: IntegrationSession) -> Counter[RecordWord]:
        """Compare one integration; begin again when the CRM has forgotten the place in its rows."""
        comparison = InboundComparison if session.integration.is_inbound else OutboundComparison
        for _ in range(_RESTARTS):
            try:
                return comparison(session=session).execute(store=self._store)
            except QueryLocatorExpired:
                session.counts.selected = 0
        return comparison(session=session).execute(store=self._store)

    def _store(self, differences: list[Difference]) -> None:
        with transaction.atomic():
            self._lease.renew()
            for difference in differences:
                difference.reconciliation = self._stored
            Difference.objects.bulk_create(differences)
        self._stored.unexplained += len(differences)

    def _finish(self) -> None:
        """Publish the result; the differences of earlier reconciliations go."""
        with transaction.atomic():
            self._lease.renew()
            earlier = Difference.objects.filter(reconciliation__connection=self._connection)
            earlier.exclude(reconciliation=self._stored).delete()
            self._stored.unexplained = self._stored.differences.count()
            self._stored.finished_at = get_now()
            self._stored.save()

    def _build_outcome(self) -> RunOutcome:
        labels = dict(IntegrationKind.choices)
        errors = [f"{labels[kind]}: {text}" if kind else text for kind, text in self._stored.errors.items()]
        message = f"{self._stored.unexplained:,} unexplained."
        state = RunState.SUCCEEDED if self._stored.is_proof else RunState.WITH_EXCEPTIONS
        if errors:
            message = f"Not everything could be compared. {errors[0]}"
            state = RunState.WITH_EXCEPTIONS if self._stored.counts else RunState.FAILED
        return RunOutcome(state=state, message=message, result=dict(self._stored.counts), log="\n".join(errors))
