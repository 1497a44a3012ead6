"""Find out, in the Vault alone, whether a connection has something to send, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.choices import LinkState
from crm_sync.engine.outbound.candidates import Candidates, PendingRecords, find_candidates
from crm_sync.engine.outbound.selection import select_deletions, select_records
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.run import list_integrations
from crm_sync.models import LiveProgress, TransferLink
from ctms.audit.bookmarks import Bookmark, read_bookmark
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from connections.models import Connection, Integration
    from crm_sync.engine.rules.compiled import CompiledIntegration

MOST: Final = 2_000
"""More records than this are the work of a regular run, so that no other connection waits behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The integrations that have something to do now. What `is_large` is left to a regular run."""

    kinds: tuple[IntegrationKind, ...] = ()
    is_large: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.kinds) or self.is_large


def find_work(connection: Connection) -> Work:
    """Return what a connection has to do now.

    What failed before, and has not changed since, is no work: the regular runs try it again. The integrations after
    the first one with work are part of it, because their records may wait for its records.
    """
    kinds: list[IntegrationKind] = []
    fetches = LiveProgress.objects.filter(connection=connection, is_fetch_due=True).exists()
    for integration in list_integrations(connection):
        if integration.is_inbound:
            if fetches:
                kinds.append(IntegrationKind(integration.kind))
            continue
        records = _count_records(integration)
        if records is None or records > MOST:
            return Work(is_large=True)
        if records or kinds:
            kinds.append(IntegrationKind(integration.kind))
    return Work(kinds=tuple(kinds))


def _count_records(integration: Integration) -> int | None:
    """Return how many records differ from what the CRM has; None if all have to be compared to know it."""
    progress = IntegrationProgress.objects.get(integration=integration)
    if progress.outcome_unknown:
        return 1  # a run died, or ended, before it knew what the CRM did: the next one looks
    since = Bookmark.parse(progress.bookmark)
    try:
        plan = compile_integration(integration=integration)
    except VaultError:
        return 1  # the run says what is wrong
    if since is None or progress.rules_digest != plan.digest or not since.is_before(read_bookmark()):
        return None
    candidates = find_candidates(plan=plan, since=since, pending=PendingRecords.NONE)
    return _count_differing(plan=plan, candidates=candidates) if candidates is not None else None


def _count_differing(*, plan: CompiledIntegration, candidates: Candidates) -> int:
    if not candidates.keys and not candidates.uids:
        return 0
    selection = select_records(plan=plan, candidates=candidates, rules_changed=False)
    deleted = select_deletions(plan=plan, candidates=candidates)
    restored = TransferLink.objects.filter(
        integration=plan.integration, state=LinkState.DELETED_IN_VAULT, record_uid__in=candidates.uids
    )
    is_restored = restored.filter(
        record_uid__in=plan.vault_object.model._base_manager.filter(uid__in=candidates.uids).values("uid")
    ).exists()
    return len(selection.in_crm) + len(selection.new) + len(deleted) + is_restored
