"""The page of a connection says how it stands as it happens, and its state is that of its last transfer of any kind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from connections.models import Connection
from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.states import ConnectionState, list_connection_states
from crm_sync.live.waking import start_live
from crm_sync.live.words import describe_delay, describe_pace
from crm_sync.models import IntegrationRun, LiveProgress
from crm_sync.units import LIVE_JOB_KEY
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.housekeeping import HOUSEKEEPING_JOB_KEY
from ctms.jobs.models import JobRun
from ctms.jobs.services import set_job_status
from tests.crm_sync.live.conftest import edit_activity, work
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor, get_admin_user
from tests.housekeeping import keep_house

pytestmark = pytest.mark.both_databases


def read(world: World) -> Connection:
    return Connection.objects.select_related("live_progress").get(pk=world.connection.pk)


def read_state(world: World) -> ConnectionState:
    return list_connection_states([read(world)])[world.connection.pk]


def test_an_hourly_connection_says_nothing_of_it(world: World) -> None:
    assert (describe_pace(world.connection), describe_delay(world.connection)) == ("", "")


def test_it_says_when_calls_were_fetched_and_what_idle_minutes_cost(live_world: World, client: Client) -> None:
    assert describe_pace(read(live_world)).endswith("calls are fetched every minute.")
    LiveProgress.objects.all().delete()
    for _ in range(3):
        start_live()
        work()
    told = describe_pace(read(live_world))
    progress = LiveProgress.objects.get()
    assert "Calls were last fetched at " in told
    assert told.endswith(f"{progress.idle_runs} minutes with nothing to do took {progress.idle_calls} API calls.")
    client.force_login(get_admin_user())
    page = client.get(reverse("admin:connections_connection_page", args=(live_world.connection.pk,)))
    assert told in page.content.decode()


def test_near_the_quota_page_and_state_say_since_when_it_is_hourly_and_why(live_world: World) -> None:
    LiveProgress.objects.update_or_create(
        connection=live_world.connection,
        defaults={"fell_back_at": "2026-06-01T12:00:00Z", "calls_used": 7300, "calls_allowed": 10000},
    )
    told = describe_pace(read(live_world))
    assert told.startswith("Back to hourly since ")
    assert "because 7,300 of 10,000 API calls of the organisation are used, and it may use 90 %." in told
    assert told.endswith("as soon as the CRM says that less than 68 % are used.")
    assert read_state(live_world).sentence.endswith(told)


def test_it_says_that_failures_are_waited_out(live_world: World) -> None:
    live_world.misbehave(rules=[{"match": {}, "effect": {"status": 401}}])
    edit_activity("Waits")
    start_live()
    work()
    told = describe_pace(read(live_world))
    assert told.startswith("The last attempt failed: ")
    assert told.endswith("It is tried again within 2 minutes, and by the regular transfers.")
    assert read_state(live_world).key == ConnectionStateKey.FAILING


def test_it_says_that_the_job_is_inactive(live_world: World) -> None:
    set_job_status(key=LIVE_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    assert describe_pace(read(live_world)).startswith("Hourly: it is set to as it happens, but the job ")


def test_the_state_is_ok_again_as_soon_as_a_run_as_it_happens_succeeds(live_world: World) -> None:
    live_world.misbehave(rules=[{"match": {}, "effect": {"status": 401}}])
    live_world.transfer()
    assert read_state(live_world).key == ConnectionStateKey.FAILING
    live_world.crm.misbehaviour.clear()
    for _ in range(2):  # it waits out the failure
        start_live()
    work()
    assert read_state(live_world).key == ConnectionStateKey.OK


def test_old_runs_as_it_happens_go_with_their_attempts_but_for_the_last(live_world: World, settings: Any) -> None:
    for number in range(2):
        edit_activity(f"Edit {number}")
        start_live()
        work()
    live = JobRun.objects.filter(definition__key=LIVE_JOB_KEY).order_by("id")
    regular = JobRun.objects.exclude(definition__key=LIVE_JOB_KEY).count()
    settings.TRANSFER_HISTORY_DAYS, settings.JOB_RUN_RETENTION_DAYS = 0, 40
    with time_machine.travel(get_now() + timedelta(days=41)):
        keep_house()
        assert live.count() == 2  # their attempts are kept
        settings.TRANSFER_HISTORY_DAYS = 40
        last = live.last()
        keep_house()
    assert list(live) == [last]
    assert JobRun.objects.exclude(definition__key=HOUSEKEEPING_JOB_KEY).count() == regular + 1
    assert set(IntegrationRun.objects.filter(run__in=live).values_list("run", flat=True)) <= {last.pk if last else 0}
