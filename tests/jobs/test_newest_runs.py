"""The newest run of each unit is found by index, in two statements, however many units and runs there are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.core.clock import get_now
from ctms.jobs.choices import SUCCESS_STATES, RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.newest_runs import UnitKey, find_newest_runs
from tests.admin_rows import create_job_definition, create_job_run

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def add(definition: JobDefinition, unit_key: str, *, hours: int, state: RunState = RunState.SUCCEEDED) -> JobRun:
    at = get_now() - timedelta(hours=hours)
    finished_at = None if state == RunState.QUEUED else at
    return create_job_run(definition=definition, unit_key=unit_key, state=state, finished_at=finished_at)


def test_it_is_the_last_of_the_states_that_are_asked_for() -> None:
    first, second = create_job_definition(), create_job_definition()
    add(first, "north", hours=9)
    north = add(first, "north", hours=8, state=RunState.WITH_EXCEPTIONS)
    add(first, "north", hours=1, state=RunState.FAILED)
    add(first, "north", hours=0, state=RunState.QUEUED)
    other = add(second, "north", hours=3)
    add(second, "east", hours=1, state=RunState.FAILED)
    units: list[UnitKey] = [(first.pk, "north"), (second.pk, "north"), (second.pk, "east"), (second.pk, "unknown")]
    found = find_newest_runs(units=units, states=SUCCESS_STATES)
    assert {unit: (run.pk, run.at) for unit, run in found.items()} == {
        units[0]: (north.pk, north.finished_at),
        units[1]: (other.pk, other.finished_at),
    }


@pytest.mark.parametrize(("units", "runs"), [(1, 1), (1, 20), (150, 1)])
def test_the_number_of_statements_grows_with_neither(units: int, runs: int) -> None:
    definition = create_job_definition()
    for hours in range(runs):
        add(definition, "unit-0", hours=hours)
    with CaptureQueriesContext(connection) as statements:
        found = find_newest_runs(
            units=[(definition.pk, f"unit-{number}") for number in range(units)], states=SUCCESS_STATES
        )
    assert (len(found), len(statements)) == (1, 2)
    assert "GROUP BY" not in statements[0]["sql"]


def test_without_units_nothing_is_asked() -> None:
    with CaptureQueriesContext(connection) as statements:
        assert find_newest_runs(units=[], states=SUCCESS_STATES) == {}
    assert not statements
    assert JobRun.objects.count() == 0
