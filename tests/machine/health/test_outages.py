"""A real web server in production's settings, whose database refuses connections, or takes them and never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.settings.test_production import COMPLETE, run_python
from tests.web_server import WebServer, run_web_server

pytestmark = pytest.mark.system

# What a page waited for before was 30 seconds, and twice that; a busy machine may need some of its own.
PATIENCE = 28


@pytest.fixture(scope="module")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("var")
    environment = COMPLETE | {"VAULT_VAR_DIR": str(folder)}
    done = run_python("", "manage.py", "collectstatic", "--no-input", "--verbosity=0", environment=environment)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=["refuses", "never answers"])
def server(request: pytest.FixtureRequest, static_folder: Path) -> Iterator[WebServer]:
    """A web server without a database; its Redis takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as silent:
        hole = silent.getsockname()[1]
        port = 1 if request.param == "refuses" else hole
        with run_web_server(
            VAULT_VAR_DIR=str(static_folder),
            SECURE_SSL_REDIRECT="false",
            METRICS_TOKEN="f3b5c8d1e9a7024681357bd9ace0f1e2",
            DATABASE_URL=f"postgres://vault:canary@127.0.0.1:{port}/vault",
            REDIS_URL=f"redis://:canary@127.0.0.1:{hole}/0",
        ) as running:
            yield running


def test_a_page_says_that_the_database_does_not_answer(server: WebServer) -> None:
    headers = {"Host": "vault.example.org"}
    cookies = {"sessionid": "abcdefghijklmnopqrstuvwxyz012345"}
    answers = [
        requests.get(f"{server.url}{path}", headers=headers, cookies=cookies, timeout=PATIENCE)
        for path in ("/", "/admin/", "/login/")
    ]
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all("The database does not answer" in answer.text for answer in answers)
    assert all(answer.headers["Retry-After"] == "10" for answer in answers)
    assert "canary" not in "".join(answer.text for answer in answers)


def test_the_api_says_so_as_a_problem(server: WebServer) -> None:
    headers = {"Host": "vault.example.org", "Authorization": "Bearer vault_nothing"}
    answer = requests.get(f"{server.url}/api/v1/studies", headers=headers, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert "cannot reach its database" in answer.json()["detail"]


def test_the_process_is_alive_and_not_ready_whatever_host_is_asked_for(server: WebServer) -> None:
    headers = {"Host": "10.1.2.3:8000"}
    alive = requests.get(f"{server.url}/livez", headers=headers, timeout=PATIENCE, allow_redirects=False)
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    ready = requests.get(f"{server.url}/readyz", headers=headers, timeout=PATIENCE, allow_redirects=False)
    assert ready.status_code == 503
    assert ready.json()["status"] == "not ready"
    assert set(ready.json()["checks"].values()) <= {"fails", "hangs"}


def test_figures_say_that_nothing_is_up(server: WebServer) -> None:
    headers = {"Authorization": "Bearer f3b5c8d1e9a7024681357bd9ace0f1e2"}
    text = requests.get(f"{server.url}/metrics", headers=headers, timeout=PATIENCE).text
    assert 'vault_up{part="database"} 0' in text
    assert "vault_runs" not in text


def test_the_doctor_ends_with_what_is_wrong(static_folder: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as silent:
        hole = silent.getsockname()[1]
        environment = COMPLETE | {
            "VAULT_VAR_DIR": str(static_folder),
            "DATABASE_URL": f"postgres://vault:canary@127.0.0.1:{hole}/vault",
            "REDIS_URL": f"redis://127.0.0.1:{hole}/0",
            "EMAIL_URL": f"smtp://user:canary@127.0.0.1:{hole}",
        }
        done = run_python("", "manage.py", "doctor", environment=environment)
    states = {line[8:21].strip(): line[:8].strip() for line in done.stdout.splitlines() if line[:8].strip()}
    assert done.returncode == 1
    assert {name for name, state in states.items() if state == "PROBLEM"} == {"database", "redis", "workers", "mail"}
    assert {name for name, state in states.items() if state == "-"} >= {"migrations", "roles", "keys", "beat"}
    assert states["static files"] == "ok"
    assert "canary" not in done.stdout + done.stderr
