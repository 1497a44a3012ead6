from __future__ import annotations

from collections.abc import Iterator

import pytest

from ctms.jobs import tasks
from tests.jobs.handlers import CountingJob


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingJob]:
    """A registered job of two units that notes what it was asked to do."""
    made = CountingJob(key="counting_job", units=("north", "south"))
    with made.registered():
        yield made


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs whose message went to the broker, in order."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.execute_job_run, "delay", sent.append)
    return sent
