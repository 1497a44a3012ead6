"""Finds units of a job of which no run has ended for longer than the schedule allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Min, Q

from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_database_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.newest_runs import find_newest_runs
from ctms.jobs.selectors import GRACE, is_due_since, list_timers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ctms.jobs.models import JobClock
    from ctms.jobs.registry import JobUnit

ENDED = (RunState.SUCCEEDED, RunState.WITH_EXCEPTIONS, RunState.FAILED, RunState.INTERRUPTED)
# Runs that did nothing: they wait for a worker, or ended before they began.
_IDLE = (RunState.QUEUED, RunState.SKIPPED, RunState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A unit of which nothing has been heard. `since` is None if no run of it has ever ended."""

    since: datetime | None
    sentence: str


def find_silences(*, key: str, units: Sequence[JobUnit]) -> dict[str, Silence]:
    """Return by key those of these units whose last run ended longer ago than the schedule allows.

    As for overdue jobs, this is one interval and fifteen minutes, and there is a due time that was missed. A run that
    failed has ended. Units of an Inactive job, which is never due, are silent once the interval has passed. Takes five
    statements at most for up to a hundred units.
    """
    definition = JobDefinition.objects.select_related("clock").filter(key=key).first()
    if definition is None or not units:
        return {}
    now = get_database_now()
    clock: JobClock | None = getattr(definition, "clock", None)
    timers = list_timers(clocks=[clock], units={definition.pk: units}) if clock else {}
    newest = find_newest_runs(units=((definition.pk, unit.key) for unit in units), states=ENDED)
    ends = {unit_key: run for (_, unit_key), run in newest.items()}
    is_active = definition.status == RecordStatus.ACTIVE
    late: dict[str, datetime] = {}
    for unit in units:
        timer, end = timers.get((definition.pk, unit.key)), ends.get(unit.key)
        # The clock may have been set back since a run ended: then only what ended later counts.
        counts = end is not None and (timer is None or end.pk > timer.counted_after)
        moments = [end.at] if end is not None and counts else []
        if timer is not None:
            moments.append(timer.counted_from)
        if moments and is_due_since(schedule=unit.schedule or definition, at=max(moments), now=now):
            late[unit.key] = max(moments)
    missed = _find_missed(definition=definition, late=late, until=now - GRACE) if is_active else {}
    found = {}
    for unit_key in late:
        timer = timers.get((definition.pk, unit_key))
        is_stuck = timer is not None and timer.next_run_at < now - GRACE
        reason = _explain(
            definition, missed=missed.get(unit_key), stuck=timer.next_run_at if timer and is_stuck else None
        )
        last = ends[unit_key].at if unit_key in ends else None
        if reason and (is_active or last):
            said = f"No run has ended since {format_time(last)}" if last else "No run has ended yet"
            found[unit_key] = Silence(since=last, sentence=f"{said}{reason}")
    return found


def _explain(definition: JobDefinition, *, missed: datetime | None, stuck: datetime | None) -> str:
    """Return the end of a sentence that says what keeps runs from ending; empty if nothing is missed."""
    if definition.status != RecordStatus.ACTIVE:
        return f": the job {definition} is Inactive, so that nothing runs by itself."
    if missed is not None:
        return f", though one was due at {format_time(missed)}. See that a worker runs."
    if stuck is not None:
        return f", and nobody started the one due at {format_time(stuck)}. See that the scheduler (celery beat) runs."
    return ""


def _find_missed(*, definition: JobDefinition, late: dict[str, datetime], until: datetime) -> dict[str, datetime]:
    """Return the first due time since `late`, before `until`, that has a run which did nothing."""
    condition = Q(pk__in=())
    for unit_key, since in late.items():
        condition |= Q(unit_key=unit_key, slot__gt=since)
    rows = (
        JobRun.objects.filter(condition, definition=definition, state__in=_IDLE)
        .order_by()
        .values_list("unit_key")
        .annotate(first=Min("slot"))
    )
    return {unit_key: first for unit_key, first in rows if first < until}
