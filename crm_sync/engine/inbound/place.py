"""How far the inbound integration has come, by the CRM's own clock. See docs/decisions/0031.

The watermark is the stamp up to which everything was received: it moves only when the CRM has sent a query to its end.
`received_until` is how far an unfinished query came. As nothing proves that its pages were in order, the next query
reads up to there again, this time to its end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from connections.models import IntegrationProgress
from crm_sync.models import TransferLink

if TYPE_CHECKING:
    from datetime import datetime

    from crm_sync.engine.run_session import IntegrationSession

_CLOCK_TOLERANCE: Final = timedelta(minutes=1)


class Place:
    """The place at which a run begins, moved and kept while it goes on. A dry run keeps nothing."""

    def __init__(self, *, session: IntegrationSession, watermark: datetime | None) -> None:
        """Read the place; `watermark` is None if everything is to be read again.

        Everything is read again, too, if the CRM's clock went back since the last run: calls that changed meanwhile
        have stamps of a time that was read before.
        """
        progress = IntegrationProgress.objects.get(integration=session.integration)
        self._session = session
        self.watermark = watermark
        self.received_until = progress.received_until
        self.deletions_until = progress.deletions_until
        # The last link that an earlier run made, if calls are to be looked up by id: those of this run need not be.
        self.last_link: int | None = None
        self._clock = session.run.crm.clock
        # No stamp is believed that is later than the CRM's clock at the beginning of the run.
        self.now: datetime | None = self._clock.crm if self._clock is not None else None
        if self.now is None:
            return
        self._oldest_deletion = self.now - session.run.crm.recycle_bin
        if self.deletions_until is None and not TransferLink.objects.filter(integration=session.integration).exists():
            self.deletions_until = self.now
        shows_less = self._shows_less(progress)
        if shows_less or self._lost_time(progress):
            if shows_less:
                # What was deleted in the time that comes again is dated ahead, and listed only when the clock is there.
                self.deletions_until = None
            elif self.deletions_until is not None:
                self.deletions_until = min(self.deletions_until, self._oldest_deletion)
            self.watermark = self.received_until = None
            self._keep(watermark=None, received_until=None, deletions_until=self.deletions_until, **self._clock_columns)
        if not self.knows_deletions:
            links = TransferLink.objects.filter(integration=session.integration)
            self.last_link = links.aggregate(last=Max("pk"))["last"] or 0

    def _shows_less(self, progress: IntegrationProgress) -> bool:
        """Whether the CRM's clock shows less than it showed before."""
        shown = [moment for moment in (self.watermark, progress.crm_clock) if moment is not None]
        return self._clock is not None and bool(shown) and self._clock.crm < max(shown) - _CLOCK_TOLERANCE

    def _lost_time(self, progress: IntegrationProgress) -> bool:
        """Whether the CRM's clock has lost time against the Vault's.

        If it is the Vault's clock that gained time, everything is read again for nothing, which changes nothing.
        """
        if self._clock is None or progress.crm_clock is None or progress.crm_clock_read_at is None:
            return False
        gone_by = self._clock.vault - progress.crm_clock_read_at
        return gone_by - (self._clock.crm - progress.crm_clock) > _CLOCK_TOLERANCE

    @property
    def _clock_columns(self) -> dict[str, Any]:
        clock = self._clock
        return {"crm_clock": clock.crm, "crm_clock_read_at": clock.vault} if clock is not None else {}

    @property
    def since(self) -> datetime | None:
        """The stamp from which calls are read: before the watermark, because the CRM may show a change late."""
        if self.watermark is None:
            return None
        return self.watermark - timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)

    def note_received(self, newest: datetime | None, *, until: datetime | None) -> None:
        """Keep how far the pages of an unfinished query came; `until` is where the query ends."""
        reached = self._limit(newest)
        if reached is None or (until is not None and reached >= until) or reached == self.received_until:
            return
        if self.watermark is None or reached > self.watermark:
            self.received_until = reached
            self._keep(received_until=reached)

    def finish_query(self, newest: datetime | None, *, until: datetime | None) -> None:
        """Move the watermark after a query that the CRM sent to its end, and keep the CRM's clock."""
        reached = until or self._limit(newest)
        if reached is not None and (self.watermark is None or reached > self.watermark):
            self.watermark = reached
        self.received_until = None
        self._keep(watermark=self.watermark, received_until=None, **self._clock_columns)

    @property
    def knows_deletions(self) -> bool:
        """Whether the CRM can still tell of every deletion since the last run."""
        return self.deletions_until is not None and self.deletions_until >= self._oldest_deletion

    @property
    def deletions_since(self) -> datetime:
        """The time from which on deletions are asked for."""
        overlap = timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)
        since = self.deletions_until or self._oldest_deletion
        return max(since - overlap, self._oldest_deletion)

    def finish_deletions(self, known_until: datetime | None) -> None:
        """Keep the time up to which deletions were received; without one, it is the beginning of the run."""
        if self.now is not None:
            self.deletions_until = min(known_until or self.now, self.now)
            self._keep(deletions_until=self.deletions_until)

    def _limit(self, stamp: datetime | None) -> datetime | None:
        return min(stamp, self.now) if stamp is not None and self.now is not None else None

    def _keep(self, **columns: Any) -> None:
        if self._session.run.dry_run:
            return
        with transaction.atomic():
            self._session.run.renew_lease()
            IntegrationProgress.objects.filter(integration=self._session.integration).update(**columns)
