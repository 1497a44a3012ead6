"""Calls that the CRM does not show any more: purged, hidden, undeleted, or gone while the connection was off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.models import TransferLink
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from tests.crm_sync.altered_answers import AlteringProxy, Answer
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db
IN = IntegrationKind.CALL_INBOUND
CALL = "Call2_vod__c"
ACTIVE, INACTIVE = RecordStatus.ACTIVE, RecordStatus.INACTIVE


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2026, 10, 1, 12, tzinfo=UTC), tick=True) as traveller:
        yield traveller


@pytest.fixture
def calls(world: World) -> list[str]:
    """Return the ids of three calls that were received."""
    calls = world.add_calls(world.add_accounts(create_people(3)))
    world.transfer()
    return calls


def list_states(calls: list[str]) -> list[str]:
    states = dict(Activity.objects.values_list("crm_id", "status"))
    return [states[crm_id] for crm_id in calls]


@pytest.mark.every_dialect
def test_a_call_that_was_purged_between_two_runs_makes_its_activity_inactive(world: World, calls: list[str]) -> None:
    world.purge_in_crm(calls[0])

    run = world.transfer()

    assert (run.state, list_states(calls)) == (RunState.SUCCEEDED, [INACTIVE, ACTIVE, ACTIVE])
    assert world.count(run, IN) == {"selected": 3, "received": 1, "deleted": 1, "unchanged": 2}
    entry = AuditEntry.objects.filter(record_uid=Activity.objects.get(crm_id=calls[0]).uid, action="changed").get()
    assert entry.changes == {"status": [ACTIVE, INACTIVE]}
    assert world.count(world.transfer(), IN).get("deleted") is None


@pytest.mark.every_dialect
def test_what_was_purged_before_the_crms_clock_went_back_is_found_in_the_next_run(
    world: World, calls: list[str], clock: time_machine.Traveller
) -> None:
    """The deletion is dated ahead of the clock then, and the list of deletions does not name it for five hours."""
    world.purge_in_crm(calls[0])
    clock.shift(timedelta(hours=-5))
    world.transfer()
    assert list_states(calls) == [INACTIVE, ACTIVE, ACTIVE]


@pytest.mark.every_dialect
def test_a_call_that_was_purged_while_it_failed_leaves_no_exception(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.build(external_id="P-STRANGER")])
    (call,) = world.add_calls([account])
    world.transfer()
    assert len(world.list_exceptions()) == 1
    world.purge_in_crm(call)

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    assert not TransferLink.objects.filter(pending=True).exists()


def test_what_was_purged_while_the_connection_was_off_for_a_month_is_found_by_id(
    world: World, calls: list[str], clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(days=2))
    world.purge_in_crm(calls[1])
    clock.shift(timedelta(days=28))
    world.crm.request_log.clear()

    run = world.transfer()

    assert (run.state, list_states(calls)) == (RunState.SUCCEEDED, [ACTIVE, INACTIVE, ACTIVE])
    assert world.crm.request_log.count(path_contains="/deleted") == 0
    assert world.count(run, IN)["deleted"] == 1
    clock.shift(timedelta(hours=1))
    world.crm.request_log.clear()
    world.transfer()
    assert world.crm.request_log.count(path_contains="/deleted") == 1


@pytest.mark.parametrize("pause", [timedelta(minutes=1), timedelta(hours=5)])
def test_where_the_crm_has_emptied_its_list_of_deletions_calls_are_looked_up_by_id(
    world: World, calls: list[str], clock: time_machine.Traveller, pause: timedelta
) -> None:
    clock.shift(pause)
    world.purge_in_crm(calls[2])
    clock.shift(timedelta(minutes=2))
    world.empty_deletion_log()
    clock.shift(timedelta(minutes=2))

    world.transfer()

    assert list_states(calls) == [ACTIVE, ACTIVE, INACTIVE]


def test_a_list_of_deletions_that_begins_after_the_last_run_is_not_believed_to_be_complete(
    world: World, altered: AlteringProxy, calls: list[str], clock: time_machine.Traveller
) -> None:
    world.purge_in_crm(calls[0])

    def forget_deletions(answer: Answer) -> None:
        if "/deleted/" in answer.path:
            answer.payload |= {"deletedRecords": [], "earliestDateAvailable": "2026-10-01T12:30:00.000+0000"}

    altered.alter = forget_deletions
    clock.shift(timedelta(hours=1))

    world.transfer()

    assert list_states(calls) == [INACTIVE, ACTIVE, ACTIVE]


@pytest.mark.every_dialect
def test_a_hidden_call_is_not_taken_for_deleted(world: World, calls: list[str], clock: time_machine.Traveller) -> None:
    world.hide_in_crm(calls[0])
    clock.shift(timedelta(hours=1))

    run = world.transfer()

    assert (run.state, list_states(calls)) == (RunState.SUCCEEDED, [ACTIVE, ACTIVE, ACTIVE])


@pytest.mark.every_dialect
def test_a_hidden_call_that_failed_before_says_so_and_is_received_once_it_is_shown(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.build(external_id="P-STRANGER")])
    (call,) = world.add_calls([account])
    world.transfer()
    world.hide_in_crm(call)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (world.count(run, IN), item.crm_id) == ({"selected": 1, "failed": 1}, call)
    assert "does not list it as deleted: the CRM user may not see it. Give the user access" in item.error_message
    world.show_in_crm(call)
    PersonFactory.create(external_id="P-STRANGER")
    world.transfer()
    assert (list_states([call]), world.list_exceptions()) == ([ACTIVE], [])


def test_a_call_that_was_hidden_during_a_long_pause_comes_back_when_calls_are_looked_up_again(
    world: World, calls: list[str], clock: time_machine.Traveller
) -> None:
    world.hide_in_crm(calls[0])
    clock.shift(timedelta(days=20))
    world.transfer()
    assert list_states(calls) == [INACTIVE, ACTIVE, ACTIVE]
    world.show_in_crm(calls[0])
    clock.shift(timedelta(days=20))

    world.transfer()

    assert list_states(calls) == [ACTIVE, ACTIVE, ACTIVE]


@pytest.mark.every_dialect
@pytest.mark.parametrize("pause", [timedelta(hours=1), timedelta(days=20)])
def test_a_call_that_was_undeleted_becomes_active_again(
    world: World, calls: list[str], clock: time_machine.Traveller, pause: timedelta
) -> None:
    world.delete_in_crm(CALL, calls[0])
    clock.shift(timedelta(minutes=1))
    world.transfer()
    assert list_states(calls) == [INACTIVE, ACTIVE, ACTIVE]
    world.undelete_in_crm(calls[0])
    clock.shift(pause)

    world.transfer()

    assert list_states(calls) == [ACTIVE, ACTIVE, ACTIVE]


def test_a_call_that_the_list_of_deletions_names_although_it_was_undeleted_stays_active(
    world: World, calls: list[str], altered: AlteringProxy
) -> None:
    def name_the_first(answer: Answer) -> None:
        if "/deleted/" in answer.path:
            answer.payload["deletedRecords"] = [{"id": calls[0], "deletedDate": "2026-10-01T12:00:00.000+0000"}]

    altered.alter = name_the_first

    world.transfer()

    assert list_states(calls) == [ACTIVE, ACTIVE, ACTIVE]


@pytest.mark.every_dialect
@pytest.mark.parametrize("pause", [timedelta(hours=1), timedelta(days=20)])
def test_an_activity_deleted_in_the_vault_is_not_revived_by_what_happens_to_its_call(
    world: World, calls: list[str], clock: time_machine.Traveller, pause: timedelta
) -> None:
    delete_record(record=Activity.objects.get(crm_id=calls[0]), actor=build_admin_actor())
    world.delete_in_crm(CALL, calls[0])
    clock.shift(timedelta(minutes=1))
    world.transfer()
    world.undelete_in_crm(calls[0])
    clock.shift(pause)

    run = world.transfer()

    assert (run.state, Activity.objects.filter(crm_id=calls[0]).exists()) == (RunState.SUCCEEDED, False)


def test_a_refused_list_of_deletions_says_what_to_allow_and_keeps_no_call_out(world: World, calls: list[str]) -> None:
    world.crm.misbehaviour.add_rule(match={"path": "/deleted"}, effect={"status": 403, "error_code": "INVALID_TYPE"})
    (account,) = world.add_accounts(create_people(1, prefix="NEW"))
    (new,) = world.add_calls([account])

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.WITH_EXCEPTIONS, "configuration__v")
    assert "Let the CRM user read Call2_vod__c with its deleted records (getDeleted)." in item.error_message
    assert list_states([new]) == [ACTIVE]


def test_calls_of_merged_accounts_follow_to_the_account_that_remains(world: World) -> None:
    loser, winner = create_people(2)
    lost, won = world.add_accounts([loser, winner])
    (call,) = world.add_calls([lost])
    world.transfer()
    world.merge_accounts(won, lost)

    run = world.transfer()

    assert (run.state, Activity.objects.get(crm_id=call).person) == (RunState.SUCCEEDED, winner), run.log


def test_without_any_received_call_no_deletions_are_asked_for(world: World) -> None:
    world.transfer()

    assert world.crm.request_log.count(path_contains="/deleted") == 0
