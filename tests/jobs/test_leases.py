from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import transaction

from ctms.jobs.leases import LeaseHandle, LeaseLostError, acquire_lease
from ctms.jobs.models import Lease

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TTL = timedelta(seconds=settings.JOB_LEASE_SECONDS)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def acquire() -> LeaseHandle | None:
    return acquire_lease(key="transfer:north", run=None)


def take() -> LeaseHandle:
    handle = acquire()
    assert handle is not None
    return handle


def get_expiry() -> datetime:
    return Lease.objects.get(key="transfer:north").expires_at


def test_a_lease_is_held_by_one(clock: Any) -> None:
    assert take().token == 1
    assert acquire() is None
    assert get_expiry() == NOON + TTL


def test_leases_of_different_keys_are_held_at_once(clock: Any) -> None:
    take()
    assert acquire_lease(key="transfer:south", run=None) is not None


def test_a_lease_is_free_at_the_moment_at_which_it_runs_out_and_not_before(clock: Any) -> None:
    take()
    clock.move_to(NOON + TTL - timedelta(microseconds=1))
    assert acquire() is None
    clock.move_to(NOON + TTL)
    assert take().token == 2


def test_every_owner_has_a_greater_token(clock: Any) -> None:
    tokens = []
    for _ in range(4):
        handle = take()
        tokens.append(handle.token)
        handle.release()
    assert tokens == [1, 2, 3, 4]


def test_renewing_extends_the_lease_from_now(clock: Any) -> None:
    handle = take()
    clock.move_to(NOON + TTL / 2)
    handle.renew()
    assert get_expiry() == NOON + TTL / 2 + TTL


def test_a_lease_that_ran_out_is_renewed_if_nobody_took_it(clock: Any) -> None:
    handle = take()
    clock.move_to(NOON + 10 * TTL)
    handle.renew()
    assert get_expiry() == NOON + 11 * TTL


@pytest.mark.parametrize("successor_is_done", [False, True])
def test_who_was_late_learns_it_even_if_the_successor_is_done_already(clock: Any, successor_is_done: bool) -> None:
    late = take()
    clock.move_to(NOON + TTL)
    successor = take()
    if successor_is_done:
        successor.release()
    expiry = get_expiry()
    with pytest.raises(LeaseLostError, match="Another run has taken over transfer:north; this one stops"):
        late.renew()
    late.release()
    assert get_expiry() == expiry
    assert Lease.objects.get().token == successor.token


def test_what_a_late_one_writes_in_the_transaction_of_its_renewal_is_not_written(clock: Any) -> None:
    late = take()
    clock.move_to(NOON + TTL)
    take()

    def write() -> None:
        with transaction.atomic():
            Lease.objects.create(key="what it writes", expires_at=NOON)
            late.renew()

    with pytest.raises(LeaseLostError):
        write()
    assert list(Lease.objects.values_list("key", flat=True)) == ["transfer:north"]


def test_a_renewal_while_waiting_costs_nothing_until_a_third_of_the_time_is_over(
    clock: Any, django_assert_num_queries: Any
) -> None:
    handle = take()
    clock.move_to(NOON + TTL / 3)
    with django_assert_num_queries(0):
        handle.renew_if_old()
    clock.move_to(NOON + TTL / 3 + timedelta(seconds=1))
    with django_assert_num_queries(1):
        handle.renew_if_old()
    with django_assert_num_queries(0):
        handle.renew_if_old()


def test_progress_is_stored_with_a_renewal_and_told_to_the_listener(clock: Any) -> None:
    handle = take()
    told: list[dict[str, Any]] = []
    handle.listener = told.append
    handle.renew(progress={"sent": 200})
    handle.renew()
    assert (Lease.objects.get().progress, told) == ({"sent": 200}, [{"sent": 200}])


def test_a_new_owner_starts_without_the_progress_of_the_last(clock: Any) -> None:
    take().renew(progress={"sent": 200})
    clock.move_to(NOON + 2 * TTL)
    take()
    assert Lease.objects.get().progress == {}


def test_a_released_lease_is_free_at_once(clock: Any) -> None:
    take().release()
    assert take().token == 2


def test_a_lease_that_was_not_renewed_in_time_stops_its_holder_without_asking_the_database(
    clock: Any, django_assert_num_queries: Any
) -> None:
    handle = take()
    handle.stop_if_run_out()
    clock.shift(TTL)
    with django_assert_num_queries(0), pytest.raises(LeaseLostError):
        handle.stop_if_run_out()
    handle.renew()
    handle.stop_if_run_out()
