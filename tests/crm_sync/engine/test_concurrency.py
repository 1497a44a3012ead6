"""The pipeline of calls: cancelling starts no new call, keeps results of running calls, and ends all waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from crm_sync.crm.errors import ConnectivityError
from crm_sync.engine import concurrency
from crm_sync.engine.concurrency import Pipeline, RunAbortedError, _Calls
from ctms.jobs.errors import RunCancelledError


class Cancellation:
    """Cancels the run once `asked` is set."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def stop(self) -> None:
        if self.asked.is_set():
            raise RunCancelledError("Ada cancelled it.")


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation()


@pytest.fixture
def pipeline(cancellation: Cancellation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    monkeypatch.setattr(concurrency, "_WAKE_SECONDS", 0.05)
    with Pipeline(width=2, keep_alive=lambda: None, stop_if_cancelled=cancellation.stop) as made:
        yield made


def test_a_cancellation_draws_no_further_item_and_yields_what_is_under_way(
    pipeline: Pipeline, cancellation: Cancellation
) -> None:
    drawn: list[int] = []
    begun: list[int] = []
    yielded: list[int] = []

    def draw() -> Iterator[int]:
        for item in range(100):
            drawn.append(item)
            yield item

    def call(number: int) -> int:
        begun.append(number)
        return number * 10

    def work() -> None:
        for item, result in pipeline.map_unordered(draw(), call):
            assert result == item * 10
            yielded.append(item)
            cancellation.asked.set()

    with pytest.raises(RunCancelledError):
        work()
    assert sorted(yielded) == sorted(begun)
    assert len(drawn) <= 4


def test_of_what_was_made_ahead_nothing_begins_once_the_run_knows_that_it_is_cancelled(
    pipeline: Pipeline, cancellation: Cancellation
) -> None:
    begun: list[int] = []
    yielded: list[int] = []
    both_run = threading.Event()

    def call(number: int) -> int:
        begun.append(number)
        if number == 2:
            both_run.set()
        while number > 0 and not pipeline.has_ended:
            time.sleep(0.01)
        return number

    def work() -> None:
        for item, _ in pipeline.map_unordered(range(100), call):
            yielded.append(item)
            assert both_run.wait(60)
            cancellation.asked.set()

    with pytest.raises(RunCancelledError):
        work()
    assert sorted(begun) == [0, 1, 2]  # the fourth was made and waited
    assert sorted(yielded) == [0, 1, 2]


def test_items_are_made_ahead_so_that_threads_begin_them_while_results_are_written(pipeline: Pipeline) -> None:
    begun = [threading.Event() for _ in range(6)]
    for item, _ in pipeline.map_unordered(range(6), lambda number: begun[number].set()):
        if item == 0:
            # The job's thread is here, as it is while it writes; both threads go on with what was made.
            assert all(each.wait(60) for each in begun[:4])


def test_no_call_begins_after_one_that_failed_and_the_running_ones_are_yielded(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    made: list[_Calls[int, int]] = []

    class NotedCalls(_Calls[int, int]):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            made.append(self)

    monkeypatch.setattr(concurrency, "_Calls", NotedCalls)

    def call(number: int) -> int:
        begun.append(number)
        if number == 0:  # ends once its thread is to begin no other call, because the second one failed
            assert made[0].has_ended.wait(60)
        if number == 1:
            raise ConnectivityError("The second call failed.")
        return number

    yielded: list[int] = []

    def work() -> None:
        for item, _ in pipeline.map_unordered(range(100), call):
            yielded.append(item)

    with pytest.raises(ConnectivityError, match="second call"):
        work()
    assert yielded == [0]
    assert sorted(begun) == [0, 1]


def test_a_call_that_waits_for_a_retry_is_given_up(pipeline: Pipeline, cancellation: Cancellation) -> None:
    given_up = threading.Event()

    def wait_for_retry() -> None:
        cancellation.asked.set()
        try:
            while True:
                pipeline.stop_if_aborted()
                time.sleep(0.01)
        except RunAbortedError:
            given_up.set()
            raise

    with pytest.raises(RunCancelledError):
        list(pipeline.map_unordered([1], lambda _item: wait_for_retry()))
    assert given_up.is_set()


def test_a_read_is_not_waited_for(pipeline: Pipeline, cancellation: Cancellation) -> None:
    release = threading.Event()

    def read() -> None:
        cancellation.asked.set()
        release.wait(60)

    with pytest.raises(RunCancelledError):
        pipeline.call(read)
    release.set()


def test_a_cancellation_after_the_last_call_ends_nothing(pipeline: Pipeline, cancellation: Cancellation) -> None:
    results = []
    for _, result in pipeline.map_unordered([1], lambda item: item):
        results.append(result)
        cancellation.asked.set()
    assert results == [1]
