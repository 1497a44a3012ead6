"""Receive what the CRM does not tell by showing calls: that calls were deleted for good. See docs/decisions/0031."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Q

from crm_sync.choices import LinkState
from crm_sync.crm.errors import ConfigurationError
from crm_sync.models import TransferLink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from django.db.models import QuerySet

    from crm_sync.crm.dialect import Deletions
    from crm_sync.engine.inbound.applying import CallApplier
    from crm_sync.engine.inbound.place import Place
    from crm_sync.engine.inbound.reading import CallReader
    from crm_sync.engine.run_session import IntegrationSession

_CHUNK = 1000


class DeletionCheck:
    """Makes the records of calls Inactive that the CRM has deleted, even if they are gone from its recycle bin.

    The CRM's list of deletions names purged calls too. Where it does not reach back to the last run,
    every received call is looked up by its id; one that is not shown then counts as deleted.
    """

    def __init__(self, *, session: IntegrationSession, place: Place, reader: CallReader, applier: CallApplier) -> None:
        self._session = session
        self._plan = session.plan
        self._place = place
        self._reader = reader
        self._applier = applier

    def receive(self, *, hidden: Collection[str]) -> set[str]:
        """Apply deletions, and return the `hidden` calls which are deleted: the CRM was asked for them and showed none.

        A call that was undeleted meanwhile is received as it is. Raises ConfigurationError if the CRM user may not read
        the list of deletions.
        """
        if self._place.now is None or not self._may_be_deleted():
            self._place.finish_deletions(None)
            return set()
        deletions = self._list_deletions()
        gone: set[str] = set()
        chunks = self._find_listed(deletions.crm_ids) if deletions else self._list_received()
        for crm_ids in chunks:
            gone |= self._apply(crm_ids, hidden=hidden)
        if deletions is None:
            rest = set(hidden) - gone
            self._applier.apply_gone(sorted(rest))
            gone |= rest
        self._place.finish_deletions(deletions.known_until if deletions else None)
        return gone

    def _list_links(self) -> QuerySet[TransferLink]:
        """Return the links of calls whose deletion would change something."""
        links = TransferLink.objects.filter(integration=self._session.integration)
        return links.filter(Q(state=LinkState.LIVE) | Q(pending=True))

    def _may_be_deleted(self) -> bool:
        """Whether there is a link of a call whose deletion would change something, after what this run received."""
        dry_run = self._session.run.dry_run
        if dry_run is None:
            return self._list_links().exists()
        crm_ids = self._list_links().values_list("crm_id", flat=True).iterator(chunk_size=_CHUNK)
        return any(crm_id not in dry_run.gone for crm_id in crm_ids)

    def _list_deletions(self) -> Deletions | None:
        """Return the CRM's list; None if it does not know every deletion since the last run."""
        place = self._place
        if place.now is None or not place.knows_deletions:
            return None
        run = self._session.run
        ask = partial(run.crm.deleted_since, object_name=self._plan.crm_object, start=place.deletions_since)
        try:
            deletions = run.pipeline.call(ask)
        except ConfigurationError as error:
            message = f"Calls were received, but not which calls were deleted for good: {error.message}"
            raise ConfigurationError(message, code=error.code, remedy=error.remedy) from None
        return deletions if deletions is not None and self._is_complete(deletions) else None

    def _is_complete(self, deletions: Deletions) -> bool:
        known_since, last = deletions.known_since, self._place.deletions_until
        return known_since is None or last is None or known_since <= last

    def _find_listed(self, crm_ids: list[str]) -> Iterator[list[str]]:
        """Yield the listed calls that were received and are not known to be deleted."""
        dry_run = self._session.run.dry_run
        gone = dry_run.gone if dry_run else ()
        for start in range(0, len(crm_ids), _CHUNK):
            links = self._list_links().filter(crm_id__in=crm_ids[start : start + _CHUNK])
            if found := sorted(crm_id for crm_id in links.values_list("crm_id", flat=True) if crm_id not in gone):
                yield found

    def _list_received(self) -> Iterator[list[str]]:
        """Yield all calls that were received, those too that counted as deleted: they may have been undeleted."""
        links = TransferLink.objects.filter(integration=self._session.integration, record_uid__isnull=False)
        links = links.exclude(state=LinkState.DELETED_IN_VAULT).exclude(crm_id="").order_by("pk")
        if self._place.last_link is not None:
            links = links.filter(pk__lte=self._place.last_link)
        last = 0
        while rows := list(links.filter(pk__gt=last).values_list("pk", "crm_id")[:_CHUNK]):
            last = rows[-1][0]
            yield [crm_id for _, crm_id in rows]

    def _apply(self, crm_ids: Collection[str], *, hidden: Collection[str]) -> set[str]:
        gone = set(crm_ids) & set(hidden)
        for ids, calls in self._reader.read_by_id(sorted(set(crm_ids) - gone)):
            self._applier.apply(calls)
            gone |= set(ids) - {call.crm_id for call in calls}
        self._applier.apply_gone(sorted(gone))
        return gone
