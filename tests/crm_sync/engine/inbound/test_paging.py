"""Nothing is lost whatever order, repetition and end the CRM gives to the pages of a query."""

from __future__ import annotations

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from ctms.jobs.choices import RunState
from tests.crm_sync.altered_answers import AlteringProxy, Answer
from tests.crm_sync.world import World
from tests.factories.bulk import create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
IN = IntegrationKind.CALL_INBOUND
CALL = "Call2_vod__c"
# So many stamps apart that no overlap covers what a watermark would skip.
STAMPS = [f"2026-0{month}-01T10:00:00.000+0000" for month in range(1, 7)]


def add_calls_over_months(world: World) -> list[str]:
    accounts = world.add_accounts(create_people(len(STAMPS)))
    return [
        crm_id
        for account, stamp in zip(accounts, STAMPS, strict=True)
        for crm_id in world.add_calls([account], SystemModstamp=stamp)
    ]


def list_received() -> set[str]:
    return set(Activity.objects.exclude(crm_id="").values_list("crm_id", flat=True))


@pytest.mark.parametrize("rows", ["twice", "overlapping", "reversed", "shuffled", "pages-reversed", "pages-shuffled"])
def test_calls_in_any_order_and_calls_sent_twice_are_received_once(world: World, rows: str) -> None:
    calls = add_calls_over_months(world)
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2, "rows": rows})

    run = world.transfer()

    assert (run.state, list_received()) == (RunState.SUCCEEDED, set(calls)), run.log
    assert world.count(run, IN)["created"] == len(calls)


def test_changed_calls_that_are_sent_twice_are_changed_once(world: World) -> None:
    (account,) = world.add_accounts(create_people(1))
    calls = world.add_calls([account] * 3)
    world.transfer()
    world.change_in_crm(CALL, calls[0], Status_vod__c="Planned_vod")
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"rows": "twice"})

    run = world.transfer()

    assert (run.state, world.count(run, IN)["updated"]) == (RunState.SUCCEEDED, 1)
    assert Activity.objects.get(crm_id=calls[0]).complete is False


@pytest.mark.parametrize("rows", ["pages-reversed", "pages-shuffled"])
def test_an_interrupted_query_whose_newest_calls_came_first_skips_none_of_the_others(world: World, rows: str) -> None:
    calls = add_calls_over_months(world)
    world.crm.misbehaviour.add_rule(match={"path": "/query/", "nth": 2, "count": 99}, effect={"status": 503})
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2, "rows": rows})

    run = world.transfer()

    assert (run.state, len(list_received())) == (RunState.FAILED, 4)
    assert IntegrationProgress.objects.get(integration__kind=IN).watermark is None
    world.crm.misbehaviour.clear()

    world.transfer()

    assert list_received() == set(calls)


@pytest.mark.django_db(transaction=True)
def test_a_query_that_breaks_off_in_every_run_still_comes_to_its_end(world: World) -> None:
    (account,) = world.add_accounts(create_people(1))
    calls = [crm_id for stamp in STAMPS for crm_id in world.add_calls([account], SystemModstamp=stamp)]
    runs = 0
    while list_received() != set(calls):
        world.crm.misbehaviour.clear()
        world.crm.misbehaviour.add_rule(
            match={"path": "/query/", "nth": 3, "count": 99},
            effect={"status": 403, "error_code": "REQUEST_LIMIT_EXCEEDED"},
        )
        world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 1})
        world.transfer()
        runs += 1
        assert runs < 20
    assert runs > 1


def test_a_query_that_ends_before_all_its_calls_were_sent_is_made_again(world: World, altered: AlteringProxy) -> None:
    calls = add_calls_over_months(world)
    times = 1

    def forget_the_oldest(answer: Answer) -> None:
        nonlocal times
        if answer.is_query_of_calls and times:
            times -= 1
            answer.payload["records"][0] = answer.payload["records"][-1]

    altered.alter = forget_the_oldest

    run = world.transfer()

    assert (run.state, list_received()) == (RunState.SUCCEEDED, set(calls))


def test_a_query_that_never_sends_all_its_calls_says_so_and_moves_no_watermark(
    world: World, altered: AlteringProxy
) -> None:
    calls = add_calls_over_months(world)

    def forget_the_oldest(answer: Answer) -> None:
        if answer.is_query_of_calls:
            answer.payload["records"][0] = answer.payload["records"][-1]

    altered.alter = forget_the_oldest
    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.WITH_EXCEPTIONS, "connectivity__v")
    assert "announced 6 records and sent 5 of them" in item.error_message
    altered.alter = lambda _: None

    world.transfer()

    assert (list_received(), world.list_exceptions()) == (set(calls), [])


def test_a_session_and_a_place_lost_between_two_pages_cost_nothing(world: World) -> None:
    calls = add_calls_over_months(world)
    for effect in ({"expire_sessions": True}, {"status": 404, "error_code": "NOT_FOUND"}):
        world.crm.misbehaviour.add_rule(match={"path": "/query/", "count": 1}, effect=effect)
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2})

    run = world.transfer()

    assert (run.state, list_received()) == (RunState.SUCCEEDED, set(calls))


def test_a_place_that_is_always_forgotten_ends_with_what_to_ask(world: World) -> None:
    add_calls_over_months(world)
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2, "next_page": "broken"})

    world.transfer()

    (item,) = world.list_exceptions()
    assert "ask the CRM's administrator whether something else uses the CRM user's log-in" in item.error_message


def test_an_endless_query_ends_with_the_right_word(world: World) -> None:
    add_calls_over_months(world)
    world.crm.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2, "next_page": "endless"})

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.FAILED, "connectivity__v")
    assert "so the query would never end. Ask the CRM's support" in item.error_message
    assert len(list_received()) == len(STAMPS)
