"""The pipeline of calls: cancelling starts no new call, keeps results of running calls, and ends all waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from crm_sync.engine import concurrency
from crm_sync.engine.concurrency import Pipeline, RunAbortedError
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
    yielded: list[int] = []

    def draw() -> Iterator[int]:
        for item in range(100):
            drawn.append(item)
            yield item

    def work() -> None:
        for item, result in pipeline.map_unordered(draw(), lambda number: number * 10):
            assert result == item * 10
            yielded.append(item)
            cancellation.asked.set()

    with pytest.raises(RunCancelledError):
        work()
    assert sorted(yielded) == drawn
    assert len(drawn) <= 3


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
        release.wait(10)

    with pytest.raises(RunCancelledError):
        pipeline.call(read)
    release.set()


def test_a_cancellation_after_the_last_call_ends_nothing(pipeline: Pipeline, cancellation: Cancellation) -> None:
    results = []
    for _, result in pipeline.map_unordered([1], lambda item: item):
        results.append(result)
        cancellation.asked.set()
    assert results == [1]
