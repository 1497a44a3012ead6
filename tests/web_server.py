"""Runs the Vault on gunicorn in production's settings, for what only a real web server shows. It has no database."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from tests.settings.test_production import COMPLETE, PASSED_ON

_LONGEST_WAIT = 60  # seconds


class WebServer:
    """A running server: its address, and what it logs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        self.url = next(part for part in self._wait("Listening at").split() if part.startswith("http"))

    def wait_for_event(self, text: str) -> dict[str, Any]:
        """Return the next event of the log that contains `text`."""
        event: dict[str, Any] = json.loads(self._wait(text, start="{"))
        return event

    def _wait(self, text: str, *, start: str = "") -> str:
        while True:
            line = self._lines.get(timeout=_LONGEST_WAIT)
            if text in line and line.startswith(start):
                return line

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stderr is not None:
            with process.stderr:
                for line in process.stderr:
                    self._lines.put(line)

    def wait_for_end(self) -> None:
        """Wait until the last of its processes has closed the log."""
        self._reader.join(timeout=_LONGEST_WAIT)


@contextmanager
def run_web_server(*, arguments: tuple[str, ...] = (), **environment: str) -> Iterator[WebServer]:
    """Run gunicorn with the flags of the image until the block ends; `environment` overrides production's."""
    command = [sys.executable, "-m", "gunicorn", "ctms.wsgi", "--bind", "127.0.0.1:0", "--threads", "4"]
    inherited = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    process = subprocess.Popen(
        [*command, "--forwarded-allow-ips", "", *arguments],
        env=inherited | COMPLETE | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        server = WebServer(process)
        yield server
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait(timeout=_LONGEST_WAIT)
    server.wait_for_end()
