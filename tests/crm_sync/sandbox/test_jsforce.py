"""The client jsforce, unchanged, works with the sandbox. Needs node and npm; it is installed once under var/."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.node_packages import install_packages

pytestmark = pytest.mark.system

JSFORCE = "3.10.16"
SCRIPT = Path(__file__).with_name("jsforce_client.mjs")


@pytest.fixture(scope="module")
def jsforce_directory() -> Path:
    """Return the directory in which jsforce is installed."""
    return install_packages({"jsforce": JSFORCE}, name="jsforce")


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
        timeout=240,
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


def test_reads_recent_records_list_views_layouts_and_the_tooling_api(seen: dict[str, Any]) -> None:
    assert seen["recent"] == [2, True]
    assert seen["listViews"] == [3, 25, "Account"]
    assert seen["layouts"] == [2, "SYSTEM"]
    assert seen["tooling"] == ["Text(80)"]


def test_raises_its_own_errors(seen: dict[str, Any]) -> None:
    assert seen["malformed"] == {"name": "INVALID_FIELD", "errorCode": "INVALID_FIELD"}
    assert seen["missing"] == {"name": "NOT_FOUND", "errorCode": "NOT_FOUND"}
    assert seen["required"] == {"name": "REQUIRED_FIELD_MISSING", "errorCode": "REQUIRED_FIELD_MISSING"}


def test_writes_by_soap(seen: dict[str, Any]) -> None:
    assert seen["soapCreated"] == [[True, 0, 18]] * 3
    assert seen["soapRefused"] == ["STRING_TOO_LONG"]
    assert seen["soapUpdated"] == [True, False]
    assert seen["soapUpserted"] == [[True, True]]
    assert seen["soapKept"] == ["Ana s1", None]


def test_deletes_undeletes_and_merges_by_soap(seen: dict[str, Any]) -> None:
    assert seen["soapDeleted"] == [True]
    assert seen["soapUndeleted"] == [[True, 0], [False, 1]]
    assert seen["soapMerged"] == [[True, True, 2]]
    assert seen["soapEmptied"] == [True]


def test_reads_user_time_and_faults_by_soap(sandbox: RunningSandbox, seen: dict[str, Any]) -> None:
    user = {"userName": sandbox.user.username, "organizationId": sandbox.organisation.id, "roleId": None}
    assert seen["soapUser"] == user
    assert seen["soapTime"].endswith(".000Z")
    assert seen["soapUnknown"] == {"name": "soapenv:Client", "errorCode": "soapenv:Client"}
    assert seen["soapWrongField"] == {"name": "sf:INVALID_FIELD", "errorCode": "sf:INVALID_FIELD"}
    assert seen["soapStranger"] == {"name": "sf:INVALID_SESSION_ID", "errorCode": "sf:INVALID_SESSION_ID"}
