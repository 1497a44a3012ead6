from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import transaction

from ctms.jobs import leases
from ctms.jobs.errors import LeaseLostError
from ctms.jobs.leases import LeaseHandle, acquire_lease, fence_dead, find_dead_leases
from ctms.jobs.models import Lease

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TTL = timedelta(seconds=settings.JOB_LEASE_SECONDS)
TICK = timedelta(seconds=60)
KEY = "transfer:north"


class Uptime:
    """The seconds since the machine started, as a test counts them."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    counter = Uptime()
    monkeypatch.setattr(leases, "get_uptime", counter)
    return counter


def acquire() -> LeaseHandle | None:
    return acquire_lease(key=KEY, run=None)


def take() -> LeaseHandle:
    handle = acquire()
    assert handle is not None
    return handle


def is_dead() -> bool:
    """Observe the lease once, as a tick does."""
    return [lease.key for lease in find_dead_leases(Lease.objects.all())] == [KEY]


def let_die(clock: Any) -> None:
    """Let the holder of the lease be silent for as long as three ticks."""
    while not is_dead():
        clock.shift(TICK)


# -- Holding --------------------------------------------------------------------------------------
def test_a_lease_is_held_by_one() -> None:
    assert take().token == 1
    assert acquire() is None


def test_leases_of_different_keys_are_held_at_once() -> None:
    take()
    assert acquire_lease(key="transfer:south", run=None) is not None


def test_every_owner_has_a_greater_token() -> None:
    tokens = []
    for _ in range(4):
        handle = take()
        tokens.append(handle.token)
        handle.release()
    assert tokens == [1, 2, 3, 4]


def test_a_released_lease_is_free_at_once_and_cannot_be_renewed() -> None:
    first = take()
    first.release()
    with pytest.raises(LeaseLostError):
        first.renew()
    assert take().token == 2


def test_progress_is_stored_with_a_renewal_and_told_to_the_listener() -> None:
    handle = take()
    told: list[dict[str, Any]] = []
    handle.listener = told.append
    handle.renew(progress={"sent": 200})
    handle.renew()
    assert (Lease.objects.get().progress, told) == ({"sent": 200}, [{"sent": 200}])


def test_a_new_owner_starts_without_the_progress_of_the_last(clock: Any) -> None:
    take().renew(progress={"sent": 200})
    let_die(clock)
    take()
    assert Lease.objects.get().progress == {}


# -- Who is dead ----------------------------------------------------------------------------------
def test_a_silent_holder_is_dead_at_the_third_tick() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        take()
        found = []
        for _ in range(3):
            clock.shift(TICK)
            found.append(is_dead())
    assert found == [False, False, True]


def test_observations_at_short_intervals_add_up_to_the_time_of_the_lease(clock: Any) -> None:
    take()
    found = []
    for _ in range(settings.JOB_LEASE_SECONDS + 1):
        found.append(is_dead())
        clock.shift(timedelta(seconds=1))
    assert found == [False] * settings.JOB_LEASE_SECONDS + [True]


def test_one_renewal_makes_all_observations_start_anew(clock: Any) -> None:
    handle = take()
    let_die(clock)
    handle.renew()
    assert not fence_dead(Lease.objects.get())
    assert [is_dead(), clock.shift(TICK), is_dead()] == [False, None, False]


def test_who_wants_a_lease_gets_it_from_a_dead_holder_without_any_tick(clock: Any) -> None:
    take()
    wanted = []
    for _ in range(3):
        wanted.append(acquire())
        clock.shift(TICK)
    assert [handle.token if handle else None for handle in wanted] == [None, None, 3]


@pytest.mark.parametrize("hours", [-5, -1, 1, 5])
def test_a_holder_that_renews_outlives_every_step_of_the_clock(clock: Any, hours: int) -> None:
    handle = take()
    for _ in range(6):
        assert not is_dead()
        clock.shift(timedelta(hours=hours))
        clock.shift(TICK / 2)
        assert not is_dead()
        handle.renew()


@pytest.mark.parametrize("hours", [-5, -1, 1, 5])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_dead_holder_is_found_within_few_ticks_whenever_the_clock_is_set(clock: Any, hours: int, before: int) -> None:
    take()
    for _ in range(before):
        is_dead()
        clock.shift(TICK)
    clock.shift(timedelta(hours=hours))
    found = []
    for _ in range(4 - before):
        found.append(is_dead())
        clock.shift(TICK)
    assert found[-1]
    assert not found[0] or before == 2


def test_two_ticks_at_once_count_the_time_once(clock: Any) -> None:
    take()
    for _ in range(2):
        assert not is_dead()
        assert not is_dead()
        clock.shift(TTL / 3)
    is_dead()
    is_dead()
    assert Lease.objects.get().silent_seconds == pytest.approx(TTL.total_seconds() * 2 / 3)


# -- Who was only slow ----------------------------------------------------------------------------
@pytest.mark.parametrize("successor_is_done", [False, True])
def test_who_was_late_learns_it_even_if_the_successor_is_done_already(clock: Any, successor_is_done: bool) -> None:
    late = take()
    let_die(clock)
    successor = take()
    if successor_is_done:
        successor.release()
    with pytest.raises(LeaseLostError, match="Another run has taken over transfer:north; this one stops"):
        late.renew()
    late.release()
    lease = Lease.objects.get()
    assert (lease.token, lease.is_held) == (successor.token, not successor_is_done)


def test_what_a_late_one_writes_in_the_transaction_of_its_renewal_is_not_written(clock: Any) -> None:
    late = take()
    let_die(clock)
    take()

    def write() -> None:
        with transaction.atomic():
            Lease.objects.create(key="what it writes")
            late.renew()

    with pytest.raises(LeaseLostError):
        write()
    assert list(Lease.objects.values_list("key", flat=True)) == [KEY]


def test_who_was_silent_for_long_goes_on_if_nobody_took_its_lease(clock: Any) -> None:
    handle = take()
    clock.shift(10 * TTL)
    handle.renew()
    assert acquire() is None


# -- Without asking the database ------------------------------------------------------------------
def test_a_renewal_while_waiting_costs_nothing_until_a_third_of_the_time_is_over(
    uptime: Uptime, django_assert_num_queries: Any
) -> None:
    handle = take()
    uptime.seconds += settings.JOB_LEASE_SECONDS / 3
    with django_assert_num_queries(0):
        handle.renew_if_old()
    uptime.seconds += 1
    with django_assert_num_queries(1):
        handle.renew_if_old()
    with django_assert_num_queries(0):
        handle.renew_if_old()


def test_a_lease_that_was_not_renewed_in_time_stops_its_holder_without_asking_the_database(
    uptime: Uptime, django_assert_num_queries: Any
) -> None:
    handle = take()
    handle.stop_if_run_out()
    uptime.seconds += settings.JOB_LEASE_SECONDS
    with django_assert_num_queries(0), pytest.raises(LeaseLostError):
        handle.stop_if_run_out()
    handle.renew()
    handle.stop_if_run_out()


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_step_of_the_clock_neither_stops_a_holder_nor_keeps_it_from_renewing(clock: Any, hours: int) -> None:
    handle = take()
    clock.shift(timedelta(hours=hours))
    handle.stop_if_run_out()
