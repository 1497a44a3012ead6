"""State shared within a run: dialect, pipeline and lease of the whole run, rules and counts of an integration."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from crm_sync.crm.errors import QueryLocatorExpired
from crm_sync.engine.attempts import write_attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from datetime import datetime
    from uuid import UUID

    from connections.models import Integration
    from crm_sync.choices import AttemptOutcome
    from crm_sync.crm.dialect import CrmDialect, CrmRow, Pages
    from crm_sync.engine.concurrency import Pipeline
    from crm_sync.engine.dry_run import DryRun, Observer
    from crm_sync.engine.links import AnyLink
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from ctms.audit.actors import Actor
    from ctms.audit.bookmarks import Bookmark
    from ctms.jobs.leases import LeaseHandle
    from ctms.jobs.models import JobRun
    from exceptions_log.models import Failure
    from exceptions_log.services import ExceptionRecorder

ItemT = TypeVar("ItemT")

FOUND_TOGETHER: Final = 200
"""So many ids or values are looked up in the CRM at a time."""

MAX_RESTARTS: Final = 5
"""So many times a query is started again that comes no further, because the CRM forgets the place of its next page."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """Numbers of records, except `api_calls`. `sent` + `received` = `created` + `updated` + `deleted`."""

    selected: int = 0
    sent: int = 0
    received: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: int = 0
    blocked: int = 0
    api_calls: int = 0

    def check(self) -> None:
        """Raise ArithmeticError if a record was counted twice or not at all."""
        handled = self.sent + self.received + self.unchanged + self.failed + self.blocked
        moved = self.created + self.updated + self.deleted
        if self.selected != handled or self.sent + self.received != moved:
            raise ArithmeticError(f"The records of this run do not add up: {self}.")

    def recount_as_failed(self, column: str) -> None:
        """Count a record as failed that was counted in `column`: created, updated, deleted or unchanged."""
        setattr(self, column, getattr(self, column) - 1)
        self.sent -= column != "unchanged"
        self.failed += 1

    def as_dict(self) -> dict[str, int]:
        """Return the counts by column of `IntegrationRun`."""
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class RunSession:
    """One run of one connection. A dry run writes nothing in the Vault or in the CRM."""

    crm: CrmDialect
    pipeline: Pipeline
    lease: LeaseHandle | None
    run: JobRun | None
    actor: Actor
    started_at: datetime
    # Taken before anything is read: what is written later counts as not seen by this run.
    bookmark: Bookmark
    # Whether changes of identifiers were followed in this run.
    has_fresh_identities: bool = False
    progress: dict[str, dict[str, int]] = field(default_factory=dict)
    dry_run: DryRun | None = None
    # Whether the run sends what has just changed, and leaves what failed before to the regular runs.
    is_live: bool = False
    # The one record, by UID, to which a run is limited that tests how it is sent; None for all others.
    only: UUID | None = None
    # The call-back session that the run hands to the CRM, empty if there is none, and when it is time for a new one.
    callback_text: str = field(default="", repr=False)
    callback_ends: datetime | None = None

    def renew_lease(self) -> None:
        """Renew the lease; called in every transaction that writes. Raises LeaseLostError."""
        if self.lease is not None:
            self.lease.renew(progress=self.progress)

    def stop_if_lease_ran_out(self) -> None:
        """Raise LeaseLostError if the lease ran out; called from any thread before each call that writes."""
        if self.lease is not None:
            self.lease.stop_if_run_out()

    def stop_if_cancelled(self) -> None:
        """Raise RunCancelledError if the run was cancelled; called between pages."""
        if self.lease is not None:
            self.lease.stop_if_cancelled()

    def read_pages(self, pages: Pages) -> Pages:
        """Yield pages, each read in the pipeline while the lease is renewed; what is cancelled ends between two pages.

        Raises QueryLocatorExpired when the CRM has forgotten the place of the next page.
        """
        while (page := self.pipeline.call(partial(next, pages, None))) is not None:
            yield page
            self.stop_if_cancelled()

    def read_all(self, ask: Callable[[], Pages]) -> list[CrmRow]:
        """Return the rows of all pages of a short query, read in the pipeline while the lease is renewed."""
        return self.pipeline.call(partial(read_rows, ask))

    def find_by_id(
        self, *, object_name: str, fields: Collection[str], crm_ids: Iterable[str]
    ) -> Iterator[tuple[list[str], list[CrmRow]]]:
        """Yield ids, at most 200 at a time, with the rows of these ids that the CRM shows."""
        for ids in split(crm_ids, FOUND_TOGETHER):
            find = partial(self.crm.find_by_id, object_name=object_name, fields=fields, crm_ids=ids)
            yield ids, self.read_all(find)

    def find_by_external_id(
        self, *, object_name: str, fields: Collection[str], field_name: str, values: Iterable[str]
    ) -> Iterator[CrmRow]:
        """Yield the rows whose field has one of the values, of which at most 200 are looked up at a time."""
        for some in split(values, FOUND_TOGETHER):
            search = self.begin_search(object_name=object_name, fields=fields, field_name=field_name, values=some)
            yield from self.pipeline.wait_for(search)

    def begin_search(
        self, *, object_name: str, fields: Collection[str], field_name: str, values: Collection[str]
    ) -> Future[list[CrmRow]]:
        """Begin to find the rows whose field has one of these values, at most 200; `pipeline.wait_for` returns them."""
        find = partial(
            self.crm.find_by_external_id, object_name=object_name, fields=fields, field_name=field_name, values=values
        )
        return self.pipeline.begin(partial(read_rows, find))


def read_rows(ask: Callable[[], Pages]) -> list[CrmRow]:
    """Return the rows of all pages of a short query, in any thread.

    When the CRM has forgotten the place of a page, the query is made again, a few times.
    """
    for _ in range(MAX_RESTARTS):
        with suppress(QueryLocatorExpired):
            return [row for page in ask() for row in page]
    return [row for page in ask() for row in page]


@dataclass(slots=True, kw_only=True)
class IntegrationSession:
    """One integration within a run."""

    run: RunSession
    plan: CompiledIntegration
    recorder: ExceptionRecorder | None
    observer: Observer | None = None  # of a dry run, and of the test of one record
    counts: Counts = field(default_factory=Counts)
    # Number of records to look at, for the progress bar; 0 if it is not known.
    total: int = 0
    # Attempts to be written with the batch to which they belong.
    _attempts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def integration(self) -> Integration:
        return self.plan.integration

    def fail(self, failure: Failure) -> None:
        """Count one record as failed and keep it for the exception message."""
        self.counts.selected += 1
        self.counts.failed += 1
        if self.recorder is not None:
            self.recorder.add(failure)
        if self.observer is not None:
            self.observer.note_failure(failure)

    def hold_back(self, *, link: AnyLink, record: object, parent: str) -> None:
        """Count one record as blocked: it waits until its parent is sent."""
        self.counts.selected += 1
        self.counts.blocked += 1
        if self.observer is not None:
            self.observer.note_waiting(link=link, name=record, parent=parent)

    def keep_dismissed(self, items: Iterable[int]) -> None:
        """Keep the dismissals of exception items (primary keys) whose records this run leaves alone."""
        if self.recorder is not None:
            self.recorder.keep_dismissed(items)

    def show_progress(self) -> None:
        """Set the counts that Job Status shows; they are written with the next renewal of the lease."""
        self.run.progress[self.integration.kind] = self.counts.as_dict() | {
            "total": max(self.total, self.counts.selected) if self.total else 0
        }

    def note_attempt(
        self,
        *,
        link: AnyLink,
        outcome: AttemptOutcome,
        values: Mapping[str, Any],
        error_code: str = "",
        name: object = "",
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Note an attempt to transfer a record, with the values sent or received.

        The observer is told of it, with the record's name and what the other side has now, `before`, which only a dry
        run reads.
        """
        if self.observer is not None:
            self.observer.note_attempt(link=link, outcome=outcome, values=values, name=name, before=before)
        if self.run.dry_run:
            return
        self._attempts.append(
            {
                "record_uid": link.record_uid,
                "crm_id": link.crm_id[:18],  # a link with a longer one is refused
                "outcome": outcome,
                "error_code": error_code[:80],
                "values": values,
            }
        )

    def write_attempts(self) -> None:
        """Write the noted attempts in one statement; call it in the transaction that writes their links."""
        write_attempts(run=self.run.run, integration=self.integration, noted=self._attempts)

    def forget_attempts(self) -> None:
        """Begin the next batch; call it when the transaction was committed."""
        self._attempts.clear()


def split(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Yield the items in lists of `size`; the last one may be shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
