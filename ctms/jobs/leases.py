"""Leases with fencing numbers: who holds one may write, and proves it in the same transaction as every write."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Exists, F

from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.jobs.cancellation import RunCancelledError, describe_cancellation
from ctms.jobs.models import JobRun, Lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class LeaseLostError(VaultError):
    """Another run took over; whatever this one was about to write must not be written."""


class LeaseHandle:
    """A lease that this process holds."""

    def __init__(self, *, key: str, token: int, ttl: timedelta, run_id: int | None = None) -> None:
        self.key = key
        self.token = token
        self._ttl = ttl
        self._run_id = run_id
        self.renewed_at: datetime = get_now()
        # The progress that was written last: {part: counts}, of which `total` (or `rows`) and `done` (or `selected`)
        # become the progress bar.
        self.progress: dict[str, Any] = {}
        self.is_cancelled = False
        # Told of progress as it is written; the command line shows it.
        self.listener: Callable[[dict[str, Any]], None] | None = None

    def renew(self, *, progress: dict[str, Any] | None = None) -> None:
        """Extend the lease and show progress, in the transaction that it protects; and learn of a cancellation.

        A cancellation is only noted: what this transaction writes is done and has to be kept. See `stop_if_cancelled`.
        Raises LeaseLostError if another run holds the lease, also if it did and let go again.
        """
        now = get_now()
        values: dict[str, Any] = {"expires_at": now + self._ttl}
        if progress is not None:
            values["progress"] = progress
        # One statement as long as nobody has cancelled; token and key stay conditions of the row itself, which the
        # database looks at again if another transaction changed it meanwhile.
        held = Lease.objects.filter(key=self.key, token=self.token)
        asked = JobRun.objects.filter(pk=self._run_id or 0, cancel_requested_at__isnull=False)
        if self.is_cancelled or not held.filter(~Exists(asked)).update(**values):
            if not held.update(**values):
                raise LeaseLostError(f"Another run has taken over {self.key}; this one stops without writing.")
            self.is_cancelled = True
        self.renewed_at = now
        if progress is not None:
            self.progress = progress
            if self.listener is not None:
                self.listener(progress)

    def renew_if_old(self) -> None:
        """Renew once a third of the time has gone by; cheap enough to call while waiting."""
        if get_now() - self.renewed_at > self._ttl / 3:
            self.renew()

    def stop_if_run_out(self) -> None:
        """To be called before what the database cannot fence, from any thread. Raises LeaseLostError.

        Asks the clock alone. A process that was stopped for a while finds here that another may have taken over.
        """
        if get_now() - self.renewed_at >= self._ttl:
            raise LeaseLostError(f"The lease of {self.key} ran out, so another run may be at work; this one stops.")

    def stop_if_cancelled(self) -> None:
        """To be called between batches. Raises RunCancelledError if somebody cancelled the run; else asks nothing."""
        if self.is_cancelled and self._run_id is not None:
            run = JobRun.objects.select_related("cancel_requested_by").get(pk=self._run_id)
            raise RunCancelledError(describe_cancellation(run))

    def release(self) -> None:
        """Let go. Nothing happens if another run holds the lease by now."""
        Lease.objects.filter(key=self.key, token=self.token).update(expires_at=get_now(), run=None)


def acquire_lease(*, key: str, run: JobRun | None) -> LeaseHandle | None:
    """Take the lease if it is free or has run out; None if another run holds it."""
    now = get_now()
    ttl = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    Lease.objects.get_or_create(key=key, defaults={"expires_at": now})
    taken = Lease.objects.filter(key=key, expires_at__lte=now).update(
        token=F("token") + 1, run=run, expires_at=now + ttl, progress={}
    )
    if not taken:
        return None
    token = Lease.objects.values_list("token", flat=True).get(key=key)
    return LeaseHandle(key=key, token=token, ttl=ttl, run_id=run.pk if run is not None else None)
