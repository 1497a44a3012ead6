"""Fixtures of the benchmarks: a CRM sandbox in a process of its own, and a table of the measured figures.

Figures are ratios within one run, so that they do not depend on the machine.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings

from crm_sync.sandbox.data.credentials import ConnectedApp, SandboxUser
from crm_sync.sandbox.data.organisation import Organisation
from tests.benchmarks.figures import keep_figure
from tests.servers import find_free_port

COUNTER = pytest.StashKey[Iterator[int]]()
FIGURES = pytest.StashKey[list[tuple[str, str, str, str]]]()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxProcess:
    """An organisation that another process serves, with the attributes that `World` needs."""

    organisation: Organisation
    base_url: str

    @property
    def user(self) -> SandboxUser:
        return self.organisation.admin

    @property
    def connected_app(self) -> ConnectedApp:
        return self.organisation.connected_app

    def set_latency(self, *, milliseconds: float) -> None:
        """Delay every call by this time."""
        answer = requests.post(
            f"{self.base_url}/_sandbox/misbehave", json={"settings": {"latency_ms": milliseconds}}, timeout=10
        )
        answer.raise_for_status()


StartSandbox = Callable[..., AbstractContextManager[SandboxProcess]]


@pytest.fixture
def start_sandbox(tmp_path: Path) -> StartSandbox:
    """Return a function that serves an organisation in another process, with an API limit that is never reached."""

    @contextmanager
    def start(*, latency_ms: float = 0, name: str = "na") -> Iterator[SandboxProcess]:
        port = find_free_port()
        path = tmp_path / f"{name}.sqlite3"
        process = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "crm_sandbox", "--org", name, "--port", str(port)),
                *("--data-dir", str(tmp_path), "--api-limit", "10000000", "--latency-ms", str(latency_ms)),
            ],
            cwd=django_settings.BASE_DIR,
            stdout=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_served(url)
            with Organisation.open(path, name=name) as organisation:
                yield SandboxProcess(organisation=organisation, base_url=url)
        finally:
            process.terminate()
            process.wait(timeout=20)

    return start


def wait_until_served(url: str) -> None:
    """Return when the sandbox answers. Raises RuntimeError after two minutes, which a busy machine may take."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/services/data/", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"The CRM sandbox at {url} did not start.")


@pytest.fixture
def report_figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that adds a row to the printed table: row id, what was measured, the figure and its bar."""

    def report(*, row: str, what: str, figure: str, bar: str) -> None:
        request.config.stash.setdefault(FIGURES, []).append((row, what, figure, bar))
        counter = request.node.stash.setdefault(COUNTER, itertools.count(1))
        keep_figure(key=f"{request.node.nodeid}#{next(counter)}", row=row, what=what, figure=figure, bar=bar)

    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(FIGURES, [])
    if not rows:
        return
    terminalreporter.section("figures")
    width = max(len(what) for _, what, _, _ in rows)
    for row, what, figure, bar in rows:
        terminalreporter.write_line(f"{row:<4} {what:<{width}}  {figure:>14}   bar {bar}")
