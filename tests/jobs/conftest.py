from __future__ import annotations

from collections.abc import Iterator

import pytest

from ctms.jobs import queue
from tests.jobs.handlers import CountingJob


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingJob]:
    """A registered job with two units, which records what it is called for."""
    made = CountingJob(key="counting_job", units=("north", "south"))
    with made.registered():
        yield made


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the runs whose message was sent to the broker, in order."""
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_message", sent.append)
    return sent
