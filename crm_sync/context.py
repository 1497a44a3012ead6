"""What the parts of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crm_sync.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from connections.models import Integration
    from crm_sync.client import CrmClient
    from crm_sync.pipeline import Pipeline
    from crm_sync.plans import IntegrationPlan
    from ctms.audit.actors import Actor
    from ctms.jobs.leases import LeaseHandle
    from exceptions_log.services import ExceptionRecorder, Failure


@dataclass(slots=True, kw_only=True)
class RunSession:
    """One run over one connection. In a dry run there is no lease, and nothing is written on either side."""

    client: CrmClient
    pipeline: Pipeline
    lease: LeaseHandle | None
    actor: Actor
    started_at: datetime
    progress: dict[str, dict[str, int]] = field(default_factory=dict)
    # In a dry run: records that would have been sent, so that their children are not counted as blocked.
    would_send: set[UUID] = field(default_factory=set)

    @property
    def dry_run(self) -> bool:
        return self.lease is None

    def renew_lease(self) -> None:
        """To be called in every transaction that writes. Raises LeaseLostError."""
        if self.lease is not None:
            self.lease.renew(progress=self.progress)

    def stop_if_lease_ran_out(self) -> None:
        """To be called, from any thread, before each call that writes. Raises LeaseLostError."""
        if self.lease is not None:
            self.lease.stop_if_run_out()

    def stop_if_cancelled(self) -> None:
        """To be called between batches. Raises RunCancelledError."""
        if self.lease is not None:
            self.lease.stop_if_cancelled()

    def query(self, soql: str, *, include_deleted: bool = False) -> list[list[dict[str, Any]]]:
        """All pages of a short query, read in the pipeline while the lease is kept alive."""

        def read_all() -> list[list[dict[str, Any]]]:
            return list(self.client.query(soql, include_deleted=include_deleted))

        return self.pipeline.call(read_all)


@dataclass(slots=True, kw_only=True)
class IntegrationSession:
    """One integration within a run."""

    run: RunSession
    plan: IntegrationPlan
    recorder: ExceptionRecorder | None
    counts: Counts = field(default_factory=Counts)
    # How many records there are to look at, as far as known; for the progress bar.
    total: int = 0

    @property
    def integration(self) -> Integration:
        return self.plan.integration

    def fail(self, failure: Failure) -> None:
        """Count one record as failed and keep it for the exception message."""
        self.counts.selected += 1
        self.counts.failed += 1
        if self.recorder is not None:
            self.recorder.add(failure)

    def keep_dismissed(self, items: Iterable[int]) -> None:
        """Dismissed exception items (primary keys) whose records this run leaves alone."""
        if self.recorder is not None:
            self.recorder.keep_dismissed(items)

    def show_progress(self) -> None:
        """Put the present counts where Job Status reads them; written with the next renewal of the lease.

        A `total` of 0 means that it is not known.
        """
        self.run.progress[self.integration.kind] = self.counts.as_dict() | {
            "total": max(self.total, self.counts.selected) if self.total else 0
        }
