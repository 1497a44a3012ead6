"""Leases with fencing numbers: a run writes only while it holds its lease, which every write checks.

The check is a renewal of the lease in the same transaction as the write. Whether a holder is dead follows from looking
at its lease several times and never seeing a renewal; no clock that somebody may set decides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from ctms.core.clock import get_database_now, get_uptime
from ctms.jobs.choices import RunState
from ctms.jobs.errors import LeaseLostError, RunCancelledError, WorkerStoppingError
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.stopping import is_stopping

if TYPE_CHECKING:
    from collections.abc import Callable

# What a lease is like that nobody has observed since its last renewal.
_UNOBSERVED: dict[str, Any] = {"observed_at": None, "silent_seconds": 0.0}
_LEASES, _RUNS = Lease._meta.db_table, JobRun._meta.db_table
_PROGRESS = Lease._meta.get_field("progress")
_NOT_CANCELLED = f"NOT EXISTS (SELECT 1 FROM {_RUNS} WHERE id = %s AND cancel_requested_at IS NOT NULL)"  # noqa: S608  names of our own


class LeaseHandle:
    """A lease that this process holds."""

    def __init__(self, *, key: str, token: int, run_id: int | None = None) -> None:
        self.key = key
        self.token = token
        self._seconds = settings.JOB_LEASE_SECONDS
        self._run_id = run_id
        self._renewed_at = get_uptime()
        # The progress that was written last: {part: counts}. The progress bar shows `done` (or `selected`) of `total`
        # (or `rows`).
        self.progress: dict[str, Any] = {}
        self.is_cancelled = False
        # Called with the progress when it is written; the command line shows it.
        self.listener: Callable[[dict[str, Any]], None] | None = None

    def renew(self, *, progress: dict[str, Any] | None = None) -> None:
        """Give a sign of life and store progress; call it in the transaction that the lease protects.

        If the run was cancelled, only `is_cancelled` is set, so that the work of this transaction is kept; see
        `stop_if_cancelled`. Raises LeaseLostError if another run holds the lease, or has held it meanwhile.
        """
        begun = get_uptime()
        # One statement as long as nobody has cancelled.
        if self.is_cancelled or not self._mark_renewed(progress=progress, unless_cancelled=True):
            if not self._mark_renewed(progress=progress, unless_cancelled=False):
                raise LeaseLostError(f"Another run has taken over {self.key}; this one stops without writing.")
            self.is_cancelled = True
        self._renewed_at = begun
        if progress is not None:
            self.progress = progress
            if self.listener is not None:
                self.listener(progress)

    def _mark_renewed(self, *, progress: dict[str, Any] | None, unless_cancelled: bool) -> bool:
        """Return whether the lease is this process's own and was marked.

        In SQL, since every transaction of a run begins with it: putting it together from models takes longer than
        executing it. Key and token are conditions on the row itself, so that the database checks them again if another
        transaction changed the row meanwhile.
        """
        changes, conditions = "observed_at = NULL, silent_seconds = 0", "key = %s AND token = %s AND is_held"
        parameters: list[Any] = [self.key, self.token]
        if progress is not None:
            changes += ", progress = %s"
            parameters.insert(0, _PROGRESS.get_db_prep_save(progress, connection))
        if unless_cancelled:
            conditions += f" AND {_NOT_CANCELLED}"
            parameters.append(self._run_id or 0)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {_LEASES} SET {changes} WHERE {conditions}", parameters)  # noqa: S608  names of our own
            return bool(cursor.rowcount)

    def renew_if_old(self) -> None:
        """Renew if a third of the lease's time has passed. Reads a counter alone before that, so call it often."""
        if get_uptime() - self._renewed_at > self._seconds / 3:
            self.renew()

    def stop_if_run_out(self) -> None:
        """Raise LeaseLostError if the lease was not renewed in its time.

        Call it, from any thread, before e.g. a call to a CRM, which the database cannot undo. Only a counter is
        read; a process that was suspended for a while learns here that another may have taken over.
        """
        if get_uptime() - self._renewed_at >= self._seconds:
            raise LeaseLostError(f"The lease of {self.key} ran out, so another run may be at work; this one stops.")

    def stop_if_cancelled(self) -> None:
        """Raise the error that ends a run between two batches; call it there.

        RunCancelledError if the last renewal found the run cancelled, WorkerStoppingError if the worker is to end.
        """
        if self._run_id is None:
            return
        if self.is_cancelled:
            run = JobRun.objects.select_related("cancel_requested_by").get(pk=self._run_id)
            raise RunCancelledError(run.describe_cancellation())
        if is_stopping():
            raise WorkerStoppingError("The worker was stopped; another run goes on from here.")

    def release(self) -> None:
        """Give the lease back, so that it is free at once; does nothing if another run holds it by now."""
        Lease.objects.filter(key=self.key, token=self.token).update(is_held=False, run=None)


def acquire_lease(*, key: str, run: JobRun | None) -> LeaseHandle | None:
    """Take the lease if it is free; return None if another holds it.

    A lease whose holder is dead is free, unless its run is still Running: `ctms.jobs.queue` ends that first.
    """
    Lease.objects.get_or_create(key=key)
    if not _take(key=key, run=run):
        left = find_dead_leases(Lease.objects.filter(key=key).exclude(run__state=RunState.RUNNING))
        if not any(fence_dead(lease) for lease in left) or not _take(key=key, run=run):
            return None
    token = Lease.objects.values_list("token", flat=True).get(key=key)
    return LeaseHandle(key=key, token=token, run_id=run.pk if run is not None else None)


def find_dead_leases(leases: QuerySet[Lease]) -> list[Lease]:
    """Observe those of the leases that are held, and return those whose holder is dead.

    A holder is dead when observations without a renewal between them add up to JOB_LEASE_SECONDS. Each counts the
    seconds since the one before by the database's clock, but never less than none and never more than half of
    JOB_LEASE_SECONDS: a clock that is set back postpones nothing, and one that is set forward kills nobody. A lease
    whose row is locked is left out, since its holder is just writing.
    """
    with transaction.atomic():
        held = list(
            leases.filter(is_held=True)
            .select_related("run__definition")
            .select_for_update(of=("self",), skip_locked=True)
            .order_by("pk")
        )
        now = get_database_now()
        for lease in held:
            if lease.observed_at is not None:
                since = (now - lease.observed_at).total_seconds()
                lease.silent_seconds += min(max(since, 0.0), settings.JOB_LEASE_SECONDS / 2)
            lease.observed_at = now
            lease.save(update_fields=["observed_at", "silent_seconds"])
    return [lease for lease in held if lease.silent_seconds >= settings.JOB_LEASE_SECONDS]


def fence_dead(lease: Lease) -> bool:
    """Take a lease from its dead holder; False if it was renewed, released or taken meanwhile.

    Its token is raised, so that the holder can write no more if it is slow and not dead.
    """
    dead = Lease.objects.filter(
        pk=lease.pk, token=lease.token, is_held=True, silent_seconds__gte=settings.JOB_LEASE_SECONDS
    )
    return bool(dead.update(token=F("token") + 1, is_held=False, run=None))


def _take(*, key: str, run: JobRun | None) -> bool:
    free = Lease.objects.filter(key=key, is_held=False)
    return bool(free.update(token=F("token") + 1, is_held=True, run=run, progress={}, **_UNOBSERVED))
