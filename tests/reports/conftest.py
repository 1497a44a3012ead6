from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ctms.jobs import queue
from tests.smtp import SmtpSink, run_smtp_sink


@pytest.fixture
def sink(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpSink]:
    """A real mail server, and no broker: tests execute the runs that were queued."""
    monkeypatch.setattr(queue, "send_message", lambda _run: None)
    with run_smtp_sink(settings) as started:
        yield started
