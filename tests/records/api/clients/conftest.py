"""Fixtures for tests of clients that generators make of the OpenAPI document, unchanged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from tests.node_packages import NODE_IS_MISSING, install_packages
from tests.records.api.conftest import Caller

collect_ignore = ["test_spectral.py", "test_typescript.py"] if NODE_IS_MISSING else []

PACKAGES = {
    "openapi-typescript": "7.13.0",
    "openapi-fetch": "0.17.0",
    "typescript": "5.9.3",
    "@types/node": "20.19.43",
    "@stoplight/spectral-cli": "6.16.3",
}
LONGEST = 600  # seconds, for a command on a loaded machine


def pytest_report_collectionfinish() -> list[str]:
    """Report the tests that are not collected."""
    return ["TypeScript and spectral are not tried: node and npm are not installed here"] if NODE_IS_MISSING else []


def run(*command: object, folder: Path, **environment: str) -> str:
    """Run a command in a folder, where it has to succeed; return what it prints."""
    finished = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env=environment or None,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Return the folder of the packages of node."""
    return install_packages(PACKAGES, name="api_clients") / "node_modules"


@pytest.fixture
def document(live_server: LiveServer, caller: Caller, tmp_path: Path) -> Path:
    """Return a file with the OpenAPI document, as the Vault serves it."""
    headers = {"Authorization": caller.authorization, "Accept": "application/vnd.oai.openapi+json"}
    answer = requests.get(f"{live_server.url}/api/v1/schema/", headers=headers, timeout=LONGEST)
    answer.raise_for_status()
    path = tmp_path / "openapi.json"
    path.write_bytes(answer.content)
    return path
