"""Runs the Vault on gunicorn in production's settings, for what only a real web server shows. It has no database."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import requests

from tests.settings.test_production import COMPLETE, PASSED_ON

_LONGEST_WAIT = 180  # seconds: a busy machine takes long to start a process


class WebServer:
    """A running server: its address, and what it logs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        self.url = next(part for part in self._wait("Listening at").split() if part.startswith("http"))
        requests.get(f"{self.url}/livez", timeout=_LONGEST_WAIT)  # its worker has to load the Vault first

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
        if process.stdout is not None:
            with process.stdout:
                for line in process.stdout:
                    self._lines.put(line)

    def wait_for_end(self) -> None:
        """Wait until the last of its processes has closed the log."""
        self._reader.join(timeout=_LONGEST_WAIT)


@contextmanager
def run_web_server(*, arguments: tuple[str, ...] = (), **environment: str) -> Iterator[WebServer]:
    """Run gunicorn with the flags of the image until the block ends; `environment` overrides production's."""
    command = [sys.executable, "-m", "gunicorn", "ctms.wsgi", "--bind", "127.0.0.1:0", "--workers", "1"]
    inherited = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    process = subprocess.Popen(
        [*command, "--timeout", str(_LONGEST_WAIT), "--forwarded-allow-ips", "", *arguments],
        env=inherited | COMPLETE | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        server = WebServer(process)
        yield server
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()  # first, or it would start others in their place
        for child in children:
            with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                child.kill()
        process.wait(timeout=_LONGEST_WAIT)
    server.wait_for_end()
