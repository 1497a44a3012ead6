"""Nothing is lost when the clock of the CRM or of the Vault is wrong, or is set while they work together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from tests.crm_sync.altered_answers import AlteringProxy, Answer
from tests.crm_sync.world import World
from tests.factories.bulk import create_people

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Set the time to a noon for the Vault and the CRM; `shift` lets time go by for both."""
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def account(world: World) -> str:
    return world.add_accounts(create_people(1))[0]


def set_crm_clock(world: World, offset: timedelta) -> None:
    world.crm.misbehaviour.clock_skew_seconds = offset.total_seconds()


def add_call(world: World, account: str) -> str:
    return world.add_calls([account])[0]


def list_received() -> set[str]:
    return set(Activity.objects.exclude(crm_id="").values_list("crm_id", flat=True))


def read_watermark() -> datetime | None:
    return IntegrationProgress.objects.get(integration__kind=IntegrationKind.CALL_INBOUND).watermark


def test_calls_stamped_by_a_crm_clock_two_hours_behind_are_received(
    world: World, account: str, clock: time_machine.Traveller
) -> None:
    before = add_call(world, account)
    world.transfer()
    clock.shift(HOUR / 2)
    set_crm_clock(world, -2 * HOUR)
    behind = add_call(world, account)
    clock.shift(HOUR / 2)

    world.transfer()

    assert list_received() == {before, behind}
    set_crm_clock(world, timedelta())
    clock.shift(HOUR)
    after = add_call(world, account)
    world.transfer()
    assert list_received() == {before, behind, after}


@pytest.mark.parametrize("pause", [HOUR / 2, 3 * HOUR])
def test_calls_that_follow_a_crm_clock_two_hours_ahead_are_received_once_it_is_right(
    world: World, account: str, clock: time_machine.Traveller, pause: timedelta
) -> None:
    set_crm_clock(world, 2 * HOUR)
    ahead = add_call(world, account)
    world.transfer()
    clock.shift(HOUR / 4)
    set_crm_clock(world, timedelta())
    after = add_call(world, account)
    clock.shift(pause)

    world.transfer()

    assert list_received() == {ahead, after}


def test_a_vault_clock_three_hours_ahead_hides_no_call(
    world: World, account: str, clock: time_machine.Traveller
) -> None:
    set_crm_clock(world, -3 * HOUR)
    first = add_call(world, account)
    world.transfer()
    clock.shift(HOUR)
    second = add_call(world, account)
    world.transfer()
    clock.shift(HOUR / 12)
    third = add_call(world, account)
    world.change_in_crm("Call2_vod__c", first, Status_vod__c="Planned_vod")
    clock.shift(HOUR)

    world.transfer()

    assert list_received() == {first, second, third}
    assert Activity.objects.get(crm_id=first).complete is False
    watermark = read_watermark()
    assert watermark is not None
    assert watermark < NOON


@pytest.mark.every_dialect
def test_a_stamp_of_the_future_moves_the_watermark_no_further_than_the_crms_clock(
    world: World, account: str, clock: time_machine.Traveller
) -> None:
    (future,) = world.add_calls([account], SystemModstamp="2099-01-01T00:00:00.000+0000")
    world.transfer()
    watermark = read_watermark()
    assert watermark is not None
    assert NOON <= watermark < NOON + HOUR / 4
    clock.shift(HOUR)
    later = add_call(world, account)

    world.transfer()

    assert list_received() == {future, later}


def test_a_crm_that_does_not_tell_the_time_is_read_from_the_beginning_each_time(
    world: World, account: str, altered: AlteringProxy
) -> None:
    def drop_date(answer: Answer) -> None:
        answer.headers = {name: value for name, value in answer.headers.items() if name.lower() != "date"}

    altered.alter = drop_date
    first = add_call(world, account)

    world.transfer()

    assert read_watermark() is None
    (older,) = world.add_calls([account], SystemModstamp="2020-01-01T00:00:00.000+0000")
    world.transfer()
    assert list_received() == {first, older}


def test_clocks_that_keep_their_distance_cause_no_reading_from_the_beginning(
    world: World, account: str, clock: time_machine.Traveller
) -> None:
    set_crm_clock(world, -3 * HOUR)
    world.add_calls([account], SystemModstamp="2026-01-01T00:00:00.000+0000")
    add_call(world, account)
    world.transfer()
    clock.shift(HOUR)

    run = world.transfer()

    assert world.count(run, IntegrationKind.CALL_INBOUND) == {"selected": 1, "unchanged": 1}
