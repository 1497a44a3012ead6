"""A world that transfers as it happens, and what workers do in it."""

from __future__ import annotations

from typing import Any

import pytest

from connections.choices import Pace
from ctms.audit.services import save_record
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor


@pytest.fixture
def live_world(world: World) -> World:
    """Return a world that has transferred one activity and works as it happens from then on."""
    activity = ActivityFactory.create()
    world.add_accounts([activity.person])
    world.transfer()
    world.connection.pace = Pace.AS_IT_HAPPENS
    save_record(record=world.connection, actor=build_admin_actor())
    return world


def edit_activity(subject: str) -> Any:
    activity = ActivityFactory._meta.model.objects.order_by("pk").first()
    activity.subject = subject
    save_record(record=activity, actor=build_admin_actor())
    return activity


def work() -> list[JobRun]:
    """Execute the runs that are queued, and those that follow them, as workers do; return them."""
    done: list[JobRun] = []
    while waiting := list(JobRun.objects.filter(state=RunState.QUEUED).order_by("pk")):
        done += [run for each in waiting if (run := execute_run(each.pk)) is not None]
        if len(done) > 10:
            raise AssertionError("Runs follow each other without end.")
    return done
