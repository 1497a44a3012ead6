"""Fixtures for tests of the programs in `docs/examples/`, which are run as they are, over HTTP."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.records.api.conftest import Caller
from tests.records.api.examples.relay import Relay, serve_relay

EXAMPLES = Path(__file__).resolve().parents[4] / "docs" / "examples"

Run = Callable[..., str]


@pytest.fixture
def relay(live_server: LiveServer) -> Iterator[Relay]:
    """A relay before the Vault."""
    with serve_relay(live_server.url) as served:
        yield served


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a program with these arguments and the token of a caller; returns what it prints."""

    def run_program(name: str, *arguments: object, caller: Caller) -> str:
        monkeypatch.setenv("VAULT_TOKEN", caller.authorization.removeprefix("Bearer "))
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run_program
