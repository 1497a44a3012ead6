"""The client jsforce, unchanged, works with the sandbox. Needs node and npm; it is installed once under var/."""

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox

pytestmark = pytest.mark.system

JSFORCE = "3.10.16"
SCRIPT = Path(__file__).with_name("jsforce_client.mjs")
DIRECTORY = Path(__file__).resolve().parents[3] / "var" / "jsforce"


@pytest.fixture(scope="module")
def jsforce_directory() -> Path:
    """Return the directory in which jsforce is installed, installing it on first use."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        manifest = DIRECTORY / "node_modules" / "jsforce" / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text())["version"] != JSFORCE:
            (DIRECTORY / "package.json").write_text('{"private": true}\n')
            subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"jsforce@{JSFORCE}"],
                cwd=DIRECTORY,
                check=True,
                timeout=240,
            )
    return DIRECTORY


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One organisation for the whole script."""
    with RunningSandbox(data_dir=tmp_path_factory.mktemp("jsforce")) as running:
        yield running


@pytest.fixture(scope="module")
def seen(sandbox: RunningSandbox, jsforce_directory: Path) -> dict[str, Any]:
    """Return the results of the script."""
    user, app = sandbox.user, sandbox.connected_app
    log_in = {
        "baseUrl": sandbox.base_url,
        "username": user.username,
        "password": user.password,
        "securityToken": user.security_token,
        "clientId": app.client_id,
        "clientSecret": app.client_secret,
    }
    finished = subprocess.run(
        ["node", str(SCRIPT), str(jsforce_directory)],
        env={**os.environ, "CRM_SANDBOX_LOG_IN": json.dumps(log_in)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answer: dict[str, Any] = json.loads(finished.stdout)
    return answer


def test_logs_in_by_soap_and_by_both_flows(sandbox: RunningSandbox, seen: dict[str, Any]) -> None:
    expected = {
        "id": sandbox.user.id,
        "organizationId": sandbox.organisation.id,
        "instanceUrl": sandbox.base_url,
    }
    assert seen["soap"] == expected
    assert seen["password"] == expected
    assert seen["identity"] == sandbox.user.username
    assert seen["clientCredentials"] == 1
    assert seen["wrongPassword"] == {"name": "Error"}


def test_writes_collections(seen: dict[str, Any]) -> None:
    assert seen["created"] == 450
    assert seen["upserted"] == [[True, False, []], [True, True, []], [False, False, ["STRING_TOO_LONG"]]]
    assert (seen["upsertedOne"]["success"], seen["upsertedOne"]["created"]) == (True, True)
    assert seen["updated"] == [True, True, True]
    assert seen["retrieved"] == ["9", "9", "9"]
    assert seen["destroyed"] == [True, True]


def test_fetches_every_page_of_a_query(sandbox: RunningSandbox, seen: dict[str, Any]) -> None:
    assert seen["fetched"] == [449, "Vault"]
    assert sandbox.request_log.count(path_contains="/query/") == 2
    assert seen["queryAll"] == 2
    assert seen["found"] == [f"44{number}" for number in range(10)]


def test_reads_describe_and_limits(seen: dict[str, Any]) -> None:
    assert seen["described"] == 15
    assert seen["limitInfo"] == 15_000


def test_raises_its_own_errors(seen: dict[str, Any]) -> None:
    assert seen["malformed"] == {"name": "INVALID_FIELD", "errorCode": "INVALID_FIELD"}
    assert seen["missing"] == {"name": "NOT_FOUND", "errorCode": "NOT_FOUND"}
    assert seen["required"] == {"name": "REQUIRED_FIELD_MISSING", "errorCode": "REQUIRED_FIELD_MISSING"}
