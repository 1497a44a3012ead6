"""Look at one record: a dry run of the transfer, narrowed to it, with the requests that a transfer would make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crm_sync.choices import LinkState
from crm_sync.engine.dry_run import begin_dry_run
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.run import describe_failure, open_session, run_integration
from crm_sync.engine.run_session import Counts, IntegrationSession
from crm_sync.one_record.findings import Finding, RecordWatcher, explain_nothing, tell_outcome

if TYPE_CHECKING:
    from uuid import UUID

    from connections.models import Connection, Integration
    from crm_sync.crm.exchanges import Exchange
    from crm_sync.engine.dry_run import DryRun
    from crm_sync.engine.rules.compiled import CompiledIntegration

_ATTEMPTS: Final = 2
_WAITING_SECONDS: Final = 5.0
_LONGEST_CONNECT_SECONDS: Final = 5.0
_LONGEST_READ_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a transfer would do with a record. `error` says why that cannot be known; `finding` is None then.

    `exchanges` are the calls that were made, and those that would be made to write, which were not sent.
    """

    finding: Finding | None
    error: str = ""
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def writes(self) -> list[Exchange]:
        """The calls that would write."""
        return [each for each in self.exchanges if each.is_write]


def limit_waiting(connection: Connection) -> dict[str, Any]:
    """Return bounds of a client for which a user waits before a page."""
    return {
        "max_attempts": _ATTEMPTS,
        "retry_budget_seconds": _WAITING_SECONDS,
        "connect_timeout": min(connection.connect_timeout, _LONGEST_CONNECT_SECONDS),
        "read_timeout": min(connection.read_timeout, _LONGEST_READ_SECONDS),
    }


def look_at_record(*, integration: Integration, uid: UUID) -> Look:
    """Return what a transfer of an outbound integration would do with one record now. Nothing is written."""
    exchanges: list[Exchange] = []
    connection = integration.connection
    dry_run = begin_dry_run(connection)
    dry_run.is_rehearsal = True
    try:
        plan = compile_integration(integration=integration)
        dry_run.parent_objects |= {plan.crm_object.lower()}  # so that it is known whether the CRM deleted it
        with open_session(
            connection=connection,
            lease=None,
            dry_run=dry_run,
            watch=exchanges.append,
            is_rehearsal=True,
            **limit_waiting(connection),
        ) as session:
            session.only, session.has_fresh_identities = uid, True
            watcher = RecordWatcher(plan=plan, crm=session.crm)
            run_integration(
                session=IntegrationSession(run=session, plan=plan, recorder=None, observer=watcher, counts=Counts())
            )
    except Exception as error:  # noqa: BLE001  told as a run tells it; what ends a worker is raised again
        return Look(
            finding=None, error=str(describe_failure(integration=integration, error=error)), exchanges=exchanges
        )
    finding = _tell(plan=plan, uid=uid, watcher=watcher, dry_run=dry_run)
    return Look(finding=finding, exchanges=exchanges)


def _tell(*, plan: CompiledIntegration, uid: UUID, watcher: RecordWatcher, dry_run: DryRun) -> Finding:
    is_gone = dry_run.states.get(uid) == LinkState.DELETED_IN_CRM
    if is_gone and not watcher.rows:
        return explain_nothing(plan=plan, uid=uid, is_gone=True)
    return tell_outcome(watcher=watcher, plan=plan, uid=uid, is_done=False)
