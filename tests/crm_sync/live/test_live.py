"""A connection that transfers as it happens: what is saved arrives, nothing floods, and the quota is respected."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.engine.pace import MOST_TICKS
from crm_sync.engine.run import Transfer
from crm_sync.live import waking
from crm_sync.live.waking import start_live, wake
from crm_sync.models import LiveProgress, TransferAttempt
from crm_sync.salesforce.dialect import SalesforceDialect
from crm_sync.units import LIVE_JOB_KEY, TRANSFER_JOB_KEY, build_unit
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import set_job_status, start_unit
from exceptions_log.models import ExceptionMessage
from tests.crm_sync.live.conftest import edit_activity, work
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.both_databases


def list_subjects(world: World) -> list[str]:
    return [row["Subject_vod__c"] for row in world.list_interactions()]


def test_what_was_saved_is_sent_by_a_run_of_its_own(live_world: World) -> None:
    edit_activity("Seen at once")
    assert wake() == 1
    (run,) = work()

    assert list_subjects(live_world) == ["Seen at once"]
    assert (run.definition.key, run.trigger, run.state) == (LIVE_JOB_KEY, RunTrigger.CHANGE, RunState.SUCCEEDED)
    assert set(run.result) >= {IntegrationKind.CALL_OUTBOUND}
    assert IntegrationKind.CALL_INBOUND not in run.result


def test_ten_edits_are_one_run(live_world: World) -> None:
    for number in range(10):
        edit_activity(f"Edit {number}")
        wake()
    assert len(work()) == 1
    assert list_subjects(live_world) == ["Edit 9"]


def test_what_is_saved_while_a_run_is_at_work_is_sent_by_the_next_without_a_message(
    live_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Transfer.execute

    def save_meanwhile(self: Transfer) -> Any:
        outcome = whole(self)
        if list_subjects(live_world) == ["First"]:
            edit_activity("Second")
            assert wake() == 0  # the run at work is not disturbed
        return outcome

    monkeypatch.setattr(Transfer, "execute", save_meanwhile)
    edit_activity("First")
    wake()
    assert len(work()) == 2
    assert list_subjects(live_world) == ["Second"]


def test_a_regular_run_is_followed_by_what_came_meanwhile(live_world: World) -> None:
    start_unit(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=build_unit(live_world.connection), user=None
    )
    assert wake() == 0  # a run that waits is enough
    edit_activity("By the regular one")
    runs = work()
    assert [run.definition.key for run in runs] == [TRANSFER_JOB_KEY]
    assert list_subjects(live_world) == ["By the regular one"]


def test_without_any_message_the_next_tick_sends(live_world: World) -> None:
    edit_activity("By the tick")
    start_live()
    work()
    assert list_subjects(live_world) == ["By the tick"]


def test_idle_minutes_leave_a_counter_and_cost_at_most_three_calls(live_world: World) -> None:
    minutes = 5
    start_live()
    work()
    LiveProgress.objects.update(idle_runs=0, idle_calls=0)
    before = JobRun.objects.count()
    for _ in range(minutes):
        assert start_live() == 1
        work()
    progress = LiveProgress.objects.get()

    assert JobRun.objects.count() == before
    assert progress.idle_runs == minutes
    assert 0 < progress.idle_calls <= 3 * minutes  # 4,320 a day
    assert progress.fetched_at is not None


def test_calls_are_fetched_with_a_tick(live_world: World) -> None:
    (account,) = [row["Id"] for row in live_world.crm.organisation.list_records(object_name="Account")]
    live_world.add_calls([account])
    start_live()
    (run,) = work()
    assert run.result[IntegrationKind.CALL_INBOUND]["received"] == 1


@pytest.mark.django_db(transaction=True)  # on PostgreSQL an open transaction keeps back what counts as read
def test_a_record_that_fails_is_one_item_and_is_not_tried_again_until_it_changes(live_world: World) -> None:
    failing = ActivityFactory.create()  # its person has no account
    wake()
    assert len(work()) == 1
    (item,) = live_world.list_exceptions()
    messages = ExceptionMessage.objects.count()

    for number in range(3):
        edit_activity(f"Edit {number}")
        wake()
        assert len(work()) == 1
    assert ExceptionMessage.objects.count() == messages
    (same,) = live_world.list_exceptions()
    assert (same.pk, same.attempts) == (item.pk, 1)

    live_world.add_accounts([failing.person])
    failing.subject = "Again"
    save_record(record=failing, actor=build_admin_actor())
    wake()
    work()
    assert live_world.list_exceptions() == []
    assert "Again" in list_subjects(live_world)


def test_a_call_that_fails_is_one_item_and_is_not_tried_again_until_it_changes(live_world: World) -> None:
    (account,) = live_world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Nobody", "External_ID_vod__c": "unknown"}]
    )
    (call,) = live_world.add_calls([account])
    start_live()
    (run,) = work()
    assert run.result[IntegrationKind.CALL_INBOUND]["failed"] == 1
    (item,) = live_world.list_exceptions()
    rows = JobRun.objects.count(), ExceptionMessage.objects.count(), TransferAttempt.objects.count()

    for _ in range(3):
        start_live()
        work()
    assert (JobRun.objects.count(), ExceptionMessage.objects.count(), TransferAttempt.objects.count()) == rows
    (same,) = live_world.list_exceptions()
    assert (same.pk, same.attempts) == (item.pk, 1)

    live_world.change_in_crm("Call2_vod__c", call, Status_vod__c="Saved_vod")
    start_live()
    (run,) = work()
    assert run.result[IntegrationKind.CALL_INBOUND]["failed"] == 1
    live_world.delete_in_crm("Call2_vod__c", call)
    start_live()
    work()
    assert live_world.list_exceptions() == []


def test_a_crm_that_is_down_is_tried_ever_more_seldom_and_then_at_once_again(live_world: World) -> None:
    live_world.misbehave(rules=[{"match": {}, "effect": {"status": 401}}])
    edit_activity("Waits")
    assert wake() == 1
    work()
    progress = LiveProgress.objects.get()
    assert (progress.failures, progress.ticks_to_wait) == (1, 2)
    assert wake() == 0  # an edit does not hammer it
    assert [start_live(), start_live()] == [0, 1]


def test_after_a_run_that_died_the_next_one_looks_what_the_crm_did(live_world: World) -> None:
    IntegrationProgress.objects.update(outcome_unknown=True)
    assert wake() == 1
    (run,) = work()
    assert IntegrationKind.STUDY_OUTBOUND in run.result
    assert not IntegrationProgress.objects.filter(
        outcome_unknown=True, integration__kind__in=set(IntegrationKind) - {IntegrationKind.CALL_INBOUND}
    ).exists()


def test_near_the_quota_it_is_hourly_until_the_crm_says_that_calls_are_left(
    live_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SalesforceDialect, "usage", (82, 100))
    edit_activity("Last one")
    wake()
    work()
    progress = LiveProgress.objects.get()
    assert progress.fell_back_at is not None
    assert progress.ticks_to_wait == MOST_TICKS
    assert wake() == 0

    monkeypatch.setattr(SalesforceDialect, "usage", (66, 100))
    edit_activity("By the net")
    live_world.transfer()
    assert LiveProgress.objects.get().fell_back_at is None
    assert wake() == 1


def test_an_hourly_connection_is_woken_by_nothing(world: World) -> None:
    world.transfer()
    ActivityFactory.create()
    assert (wake(), start_live()) == (0, 0)


def test_the_job_can_be_switched_off_for_all(live_world: World) -> None:
    set_job_status(key=LIVE_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    edit_activity("Hourly then")
    assert (wake(), start_live()) == (0, 0)


@pytest.mark.usefixtures("live_world")
def test_a_transaction_sends_one_message_however_much_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction.get_connection(), "run_on_commit", [])  # what the fixture left
    with transaction.atomic():
        for number in range(3):
            edit_activity(f"Edit {number}")
    functions = [function for _, function, _ in transaction.get_connection().run_on_commit]
    assert functions.count(waking.send_wake) == 1
