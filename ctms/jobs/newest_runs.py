"""The newest run of each of many units, found by index, however many runs there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Subquery

from ctms.jobs.models import JobDefinition, JobRun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from ctms.jobs.choices import RunState

UnitKey = tuple[int, str]  # the key of a job definition, and that of the unit
# Subqueries of a statement: databases allow more columns than this.
_MOST = 400


@dataclass(frozen=True, slots=True)
class NewestRun:
    """The run of a unit that ended last: its key, and when."""

    pk: int
    at: datetime


def find_newest_runs(*, units: Iterable[UnitKey], states: Collection[RunState]) -> dict[UnitKey, NewestRun]:
    """Return of each unit the run that ended last in one of these states; units without such a run are left out.

    Each run is looked up in the index by unit and state: to group the runs would read them all. Takes two statements
    for up to 400 pairs of unit and state.
    """
    pairs = [(unit, state) for unit in dict.fromkeys(units) for state in states]
    keys: dict[int, UnitKey] = {}
    for start in range(0, len(pairs), _MOST):
        keys |= _look_up(pairs[start : start + _MOST])
    found: dict[UnitKey, NewestRun] = {}
    for pk, at in JobRun.objects.filter(pk__in=keys).order_by("pk").values_list("pk", "finished_at") if keys else ():
        if at is not None:
            unit = keys[pk]
            # Of different states; the runs of one unit never overlap, so that the newest ended last.
            found[unit] = NewestRun(pk, at)
    return found


def _look_up(pairs: list[tuple[UnitKey, RunState]]) -> dict[int, UnitKey]:
    """Return the units by the keys of the newest runs of their states, in one row of one statement."""
    columns = {
        f"run_{number}": Subquery(
            JobRun.objects.filter(
                definition_id=definition_id, unit_key=unit_key, state=state, finished_at__isnull=False
            )
            .order_by("-finished_at")
            .values("pk")[:1]
        )
        for number, ((definition_id, unit_key), state) in enumerate(pairs)
    }
    (definition_id, _), _ = pairs[0]
    row = JobDefinition.objects.filter(pk=definition_id).order_by().values_list(*columns.values()).first()
    return {pk: unit for pk, (unit, _) in zip(row or (), pairs, strict=False) if pk is not None}
