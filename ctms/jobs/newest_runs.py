"""The newest run of each of many units, found by index, however many runs there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from ctms.jobs.models import JobRun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from ctms.jobs.choices import RunState

UnitKey = tuple[int, str]  # the key of a job definition, and that of the unit
_MOST = 400  # of a statement
_WANTED = "(CAST(%s AS bigint), CAST(%s AS text), CAST(%s AS text))"
# Written here, because the ORM takes longer to put so many subqueries together than databases to answer them.
_NEWEST = """
    WITH wanted (definition_id, unit_key, state) AS (VALUES {wanted})
    SELECT definition_id, unit_key, (
        SELECT id FROM jobs_jobrun AS run
        WHERE run.definition_id = wanted.definition_id AND run.unit_key = wanted.unit_key
            AND run.state = wanted.state AND finished_at IS NOT NULL
        ORDER BY finished_at DESC LIMIT 1
    )
    FROM wanted
"""


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
    """Return the units by the keys of the newest runs of their states, in one statement."""
    values = [value for (definition_id, unit_key), state in pairs for value in (definition_id, unit_key, state)]
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST.format(wanted=", ".join([_WANTED] * len(pairs))), values)
        return {pk: (definition_id, unit_key) for definition_id, unit_key, pk in cursor.fetchall() if pk is not None}
