"""Real processes under the settings of production: what they write is JSON, a line an event."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from tests.servers import find_free_port

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# Nothing listens there: the processes start, and log that they cannot reach it.
NOWHERE = "127.0.0.1:1"
_LONGEST_WAIT = 180  # seconds: a busy machine takes long to start a process


def build_environment() -> dict[str, str]:
    key = base64.b64encode(sha256(b"a key of tests").digest()).decode()
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "ctms.settings.production",
        "SECRET_KEY": sha256(b"a text of tests").hexdigest(),
        "FIELD_ENCRYPTION_KEYS": f"tests:{key}",
        "ALLOWED_HOSTS": "vault.example.org",
        "VAULT_BASE_URL": "https://vault.example.org",
        "DATABASE_URL": f"postgres://vault:pw@{NOWHERE}/vault",
        "REDIS_URL": f"redis://:pw@{NOWHERE}/0",
    }


def run(*command: str, until: str, folder: Path, url: str = "") -> list[str]:
    """Run a command until its output holds a text, ask it for an address, end it, and return its lines."""
    path = folder / "output"
    with path.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=build_environment(), cwd=ROOT)
    try:
        deadline = time.monotonic() + _LONGEST_WAIT
        while until not in path.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        if url:
            requests.get(url, headers={"Host": "elsewhere.example.org"}, timeout=_LONGEST_WAIT)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_LONGEST_WAIT)
    return path.read_text().splitlines()


def read(lines: list[str]) -> list[dict[str, object]]:
    # Celery says so in a signal handler, where logging might wait for ever.
    told = [line for line in lines if line.strip() and not line.startswith("worker: ")]
    return [json.loads(line) for line in told]


def test_a_worker(tmp_path: Path) -> None:
    worker = [str(BIN / "celery"), "--quiet", "--app", "ctms", "worker", "--pool", "solo", "--queues", "celery"]
    lines = read(run(*worker, until="Cannot connect", folder=tmp_path))
    assert any("Cannot connect to redis://:**@" in str(line["event"]) for line in lines)
    assert all({"timestamp", "level", "logger", "event"} <= set(line) for line in lines)


def test_beat(tmp_path: Path) -> None:
    lines = read(run(str(BIN / "celery"), "--quiet", "--app", "ctms", "beat", until="beat: Starting", folder=tmp_path))
    assert any("beat: Starting" in str(line["event"]) for line in lines)


def test_the_web_server_and_a_request(tmp_path: Path) -> None:
    port = find_free_port()
    gunicorn = [str(BIN / "gunicorn"), "ctms.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    url = f"http://127.0.0.1:{port}/api/v1/?q=canary"
    lines = read(run(*gunicorn, until="Booting worker", folder=tmp_path, url=url))
    found = [line for line in lines if line["event"] == "request"]
    assert [(line["path"], line["status"]) for line in found] == [("/api/v1/", 400)]
    assert {"Starting gunicorn", "Listening at"} <= {
        str(line["event"])[: len(begun)] for line in lines for begun in ("Starting gunicorn", "Listening at")
    }
    assert "canary" not in str(lines)


def test_what_nobody_catches(tmp_path: Path) -> None:
    code = "import django; django.setup(); int('canary')"
    (line,) = read(run(sys.executable, "-c", code, until="uncaught", folder=tmp_path))
    assert (line["event"], line["level"]) == ("uncaught_exception", "critical")
    assert str(line["exception"]).endswith("ValueError: invalid literal for int() with base 10: '…'")


def test_a_command_leaves_standard_output_to_its_answer() -> None:
    command = [sys.executable, "manage.py", "verify_audit_trail", "--head"]
    ended = subprocess.run(command, env=build_environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode != 0, ended.stdout) == (True, "")
    told = [line for line in ended.stderr.splitlines() if line.startswith("The command ended before it was done.")]
    assert len(told) == 1
    logged = [json.loads(line) for line in ended.stderr.splitlines() if line not in told]
    assert {each["logger"] for each in logged} == {"psycopg.pool"}
