"""The process dies before or after each thing that others can see, and the end state is always the same (R2, R9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database

from activities.choices import ActivityType
from activities.models import Activity
from connections.choices import Pace
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.live.waking import start_live
from ctms.audit.services import delete_record, save_record
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, dispatch_due, execute_run, start_now
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudySiteFactory
from tests.jobs.handlers import let_leases_run_out
from tests.reliability.end_state import EXTERNAL_ID, describe_end_state
from tests.reliability.mortality import Mortal
from tests.reliability.snapshots import take_snapshot

pytestmark = pytest.mark.both_databases

FEWEST_STEPS = 60
# Every step on SQLite. On PostgreSQL, where the same is proved once more, every eleventh: an odd number, so that
# steps before and steps after something take turns.
STRIDES = {"sqlite": 1, "postgresql": 11}
Work = Callable[[World, Mortal], None]


@pytest.fixture
def busy_world(world: World) -> World:
    """Return a world with the least work of every kind for a transfer: new, changed and deleted records, both ways."""
    world.connection.concurrency = 1  # so that a step has the same number in each run
    save_record(record=world.connection, actor=build_admin_actor())
    edited, deleted = ActivityFactory.create_batch(2)
    person = edited.person
    (account,) = world.add_accounts([person])
    world.add_accounts([deleted.person])
    (call,) = world.add_calls([account])
    world.transfer()

    edited.subject = "Corrected"
    save_record(record=edited, actor=build_admin_actor())
    delete_record(record=deleted, actor=build_admin_actor())
    site = StudySiteFactory.create()
    ActivityFactory.create(person=person, site=site)
    ActivityFactory.create_batch(2, person=person)
    world.delete_in_crm("Call2_vod__c", call)
    world.add_calls([account], Call_Channel_vod__c="Video_vod")
    return world


def press_start_now(world: World, process: Mortal) -> None:
    """Queue a run as the web process does, and execute it as a worker does."""
    start_now(definition=get_definition(), user=None)
    for run_id in process.messages:
        execute_run(run_id)


def happen(world: World, process: Mortal) -> None:
    """Queue runs as a tick does on a connection that transfers as it happens, and execute them and what follows."""
    start_live()
    for run_id in process.messages:  # grows
        execute_run(run_id)


def give_the_command(world: World, process: Mortal) -> None:
    """Create and execute a run as `manage.py transfer` does."""
    execute_run(create_run(definition=get_definition(), unit=build_unit(world.connection), user=None).pk)


def do_nothing(world: World) -> None:
    """Do nothing between the death and the next tick."""


def delete_on_both_sides(world: World) -> None:
    """Delete one new activity in the Vault, and the interaction of another in the CRM, if it has been sent."""
    deleted_here, deleted_there = list_new_activities()[-2:]
    delete_record(record=deleted_here, actor=build_admin_actor())
    for row in world.list_interactions():
        if row[EXTERNAL_ID] == str(deleted_there.uid):
            world.delete_in_crm("Vault_Clinical_Interaction_vod__c", row["Id"])


def list_states_in_crm(world: World, activity: Activity) -> list[bool]:
    """Return, for each row that the CRM ever had of an activity, whether it is deleted."""
    rows = world.crm.organisation.list_records(object_name="Vault_Clinical_Interaction_vod__c", include_deleted=True)
    return [row["IsDeleted"] for row in rows if row[EXTERNAL_ID] == str(activity.uid)]


def get_definition() -> JobDefinition:
    return JobDefinition.objects.get(key=TRANSFER_JOB_KEY)


def list_new_activities() -> list[Activity]:
    """Return Clinical Activities, oldest first. The last three are those of `busy_world` that were never sent."""
    return list(Activity.objects.filter(object_type=ActivityType.CLINICAL).order_by("pk"))


def heal(world: World, *, messages: list[int]) -> None:
    """Do what happens without users: messages arrive again, the lease expires, a tick comes, and the next slot."""
    continued = [execute_run(run_id) for run_id in messages]
    long_ago = get_now() - timedelta(days=1)
    let_leases_run_out()
    JobRun.objects.filter(state=RunState.QUEUED).update(queued_at=long_ago)
    tick = Mortal()
    with tick.live():
        dispatch_due()
    continued += [execute_run(run_id) for run_id in tick.messages]
    if not any(continued):  # nothing had been queued yet, or the run had come to its end
        world.transfer()


def die_at_each_step(
    world: World, *, work: Work, meanwhile: Callable[[World], None] = do_nothing, last_step: str = ""
) -> Iterator[tuple[str, dict[str, list[Any]], dict[str, list[Any]]]]:
    """Yield, for each step, its name, the end state after a death there, and that of an undisturbed run.

    With `last_step`, stop at the first step of that name.
    """
    with take_snapshot(world) as restore:
        immortal = Mortal()
        with immortal.live():
            work(world, immortal)
        undisturbed = describe_end_state(world)
        assert len(immortal.steps) >= FEWEST_STEPS
        steps, stride = immortal.steps, STRIDES[database.vendor]
        if last_step:
            steps, stride = steps[: steps.index(last_step) + 1], min(stride, 3)
        for number, step in enumerate(steps, start=1):
            if number % stride:
                continue
            restore()
            mortal = Mortal(dies_at=number)
            with mortal.live():
                work(world, mortal)
            assert mortal.steps == immortal.steps[:number]
            meanwhile(world)
            heal(world, messages=mortal.messages)
            yield f"{number}, {step}", describe_end_state(world), undisturbed


def find_differences(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        name: {
            "missing": [entry for entry in expected[name] if entry not in found[name]],
            "found": [entry for entry in found[name] if entry not in expected[name]],
            "numbers": (len(found[name]), len(expected[name])),
        }
        for name in expected
        if found[name] != expected[name]
    }


def find_problems(world: World, *, work: Work, last_step: str = "") -> dict[str, Any]:
    """Return, by step, how the end state after a death there differs from that of an undisturbed run."""
    problems: dict[str, Any] = {}
    for step, found, expected in die_at_each_step(world, work=work, last_step=last_step):
        if differences := find_differences(found, expected):
            problems[step] = differences
    return problems


def test_wherever_the_process_dies_the_end_is_that_of_an_undisturbed_run(busy_world: World) -> None:
    assert find_problems(busy_world, work=press_start_now) == {}


def test_wherever_it_dies_as_it_happens_the_end_is_that_of_an_undisturbed_run(busy_world: World) -> None:
    busy_world.connection.pace = Pace.AS_IT_HAPPENS
    save_record(record=busy_world.connection, actor=build_admin_actor())

    assert find_problems(busy_world, work=happen) == {}


def test_as_it_happens_the_end_is_that_of_a_regular_run(busy_world: World) -> None:
    busy_world.connection.pace = Pace.AS_IT_HAPPENS
    save_record(record=busy_world.connection, actor=build_admin_actor())
    with take_snapshot(busy_world) as restore:
        ends = []
        for work in (press_start_now, happen):
            restore()
            process = Mortal()
            with process.live():
                work(busy_world, process)
            ends.append(describe_end_state(busy_world))
    assert find_differences(ends[1], ends[0]) == {}


def test_a_command_that_dies_before_its_run_begins_does_not_keep_the_connection_waiting_for_ever(
    busy_world: World,
) -> None:
    problems = find_problems(busy_world, work=give_the_command, last_step="before POST /services/oauth2/token")

    assert problems == {}


def test_what_users_delete_after_the_death_stays_deleted(busy_world: World) -> None:
    deleted_here, deleted_there = list_new_activities()[-2:]
    problems: dict[str, Any] = {}
    for step, _, _ in die_at_each_step(busy_world, work=press_start_now, meanwhile=delete_on_both_sides):
        shown = {row[EXTERNAL_ID]: row["Subject_vod__c"] for row in busy_world.list_interactions()}
        if shown.get(str(deleted_here.uid), "") not in {"", f"{deleted_here.subject} Deleted"}:
            problems[step] = shown
        states = list_states_in_crm(busy_world, deleted_there)
        if len(states) != 1:
            problems[step] = states

    assert problems == {}
