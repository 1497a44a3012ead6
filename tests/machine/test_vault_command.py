"""`manage.py vault` as a person meets it: it starts all or nothing, keeps its data, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from tests.crm_sync.demo.test_demo import list_processes, read_until
from tests.servers import find_free_port

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
FIRST_ADMIN = {
    "VAULT_ADMIN_NAME": "Ada Adams",
    "VAULT_ADMIN_EMAIL": "ada@example.com",
    "VAULT_ADMIN_PASSWORD": PASSWORD,
}


def start(*arguments: str, directory: Path, first_admin: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own, with its files in `directory`, where nobody can be asked."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "ctms.settings.embedded",
        "PYTHONUNBUFFERED": "1",
        "VAULT_VAR_DIR": str(directory),
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "vault", *arguments],
        cwd=REPOSITORY,
        env=environment | (first_admin or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def list_left(directory: Path) -> list[str]:
    """Those still running, once what was killed has had time to die."""
    for _ in range(600):
        if not list_processes(directory=directory):
            break
        time.sleep(0.1)
    return list_processes(directory=directory)


@pytest.mark.reliability
@pytest.mark.timeout(1200)
def test_it_starts_stops_with_ctrl_c_and_starts_again_without_asking(tmp_path: Path) -> None:
    port = find_free_port()
    with start("--port", str(port), directory=tmp_path, first_admin=FIRST_ADMIN) as process:
        first_output = read_until(process=process, text="Ctrl-C stops everything.")
        status = requests.get(f"http://127.0.0.1:{port}/login/", timeout=120).status_code
        process.send_signal(signal.SIGINT)
        first_output += process.communicate()[0]
    keys = (tmp_path / "secrets.json").read_text()
    assert (status, process.returncode, list_left(tmp_path)) == (200, 0, [])
    assert "Ada Adams is the first admin. Username: ada@example.com" in first_output
    assert f"http://127.0.0.1:{port}/admin/" in first_output
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert PASSWORD not in first_output
    assert not any(secret in first_output for secret in keys.split('"') if len(secret) > 30)

    with start("--port", str(port), "--check", directory=tmp_path) as process:
        second_output, _ = process.communicate()
    assert process.returncode == 0, second_output
    assert "first admin" not in second_output
    assert (tmp_path / "secrets.json").read_text() == keys
    assert list_left(tmp_path) == []


@pytest.mark.system
def test_a_taken_port_is_named_with_its_option_and_nothing_is_started(tmp_path: Path) -> None:
    port = find_free_port()
    with socket.create_server(("127.0.0.1", port)), start("--port", str(port), directory=tmp_path) as process:
        output, _ = process.communicate()
    assert process.returncode == 1
    assert output.startswith(f"CommandError: Port {port} is taken")
    assert "--port" in output
    assert not (tmp_path / "vault.sqlite3").exists()


@pytest.mark.system
def test_a_refused_first_admin_is_told_before_anything_is_written(tmp_path: Path) -> None:
    first_admin = FIRST_ADMIN | {"VAULT_ADMIN_PASSWORD": "short"}
    with start("--port", str(find_free_port()), directory=tmp_path, first_admin=first_admin) as process:
        output, _ = process.communicate()
    assert process.returncode == 1
    assert "at least 12 characters" in output
    assert "Preparing the database" not in output
    assert "short" not in output.replace("too short", "")


@pytest.mark.system
def test_the_demonstrations_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo-logins.json").touch()
    with start("--port", str(find_free_port()), directory=tmp_path) as process:
        output, _ = process.communicate()
    assert process.returncode == 1
    assert "holds the demonstration" in output


def test_it_refuses_the_settings_of_production_and_tests() -> None:
    with pytest.raises(CommandError, match=r"with ctms\.settings\.embedded"):
        call_command("vault")
