"""`manage.py demo` as a person meets it: it starts everything or nothing, and leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from django.core.management import CommandError, call_command
from pytest_django import Settings

from crm_sync.demo.command import Ports, build_demo_environment
from tests import servers

REPOSITORY = Path(__file__).resolve().parents[3]


@contextmanager
def run_demo(*, directory: Path, arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, with its files in `directory`."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "ctms.settings.embedded",
        "PYTHONUNBUFFERED": "1",
        "VAULT_VAR_DIR": str(directory),
    }
    with subprocess.Popen(
        [sys.executable, "manage.py", "demo", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()  # it takes along what it started


def find_free_ports() -> tuple[int, int]:
    """One for the Vault, and the first of two neighbours for the CRM."""
    web, crm, _ = servers.find_free_ports(3)
    return web, crm


def read_until(*, process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if text in line:
            return output
    raise AssertionError(f"It ended without saying {text!r}:\n{output}")


def list_processes(*, directory: Path) -> list[str]:
    """Command lines of the running processes that keep their files in `directory`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VAULT_VAR_DIR") == str(directory):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it has ended meanwhile, or is another user's
            continue
    return sorted(found)


def list_parents(*, directory: Path, name: str) -> list[psutil.Process]:
    """The running workers of this name, without their children."""
    found = []
    for process in psutil.process_iter():
        try:
            is_named = process.environ().get("VAULT_VAR_DIR") == str(directory) and name in process.cmdline()
            if is_named and name not in psutil.Process(process.ppid()).cmdline():
                found.append(process)
        except psutil.Error:  # it has ended meanwhile, or is another user's
            continue
    return found


def plant_empty_messages(*, directory: Path) -> None:
    """Leave what a full disk leaves: a message without content for each worker, and a queue's table without content."""
    for queue in ("ticks", "celery", "transfers"):
        (directory / "queue" / f"0_empty.{queue}.msg").touch()
    (directory / "queue-control" / "ticks.exchange").write_bytes(b"")


@pytest.mark.reliability
@pytest.mark.timeout(1200)
def test_everything_starts_transfers_and_stops_and_starts_again_with_what_it_had(tmp_path: Path) -> None:
    web_port, crm_port = find_free_ports()
    arguments = ["--web-port", str(web_port), "--crm-port", str(crm_port)]

    with run_demo(directory=tmp_path, arguments=arguments) as process:
        first_output = read_until(process=process, text="Ctrl-C stops everything.")
        running = list_processes(directory=tmp_path)
        statuses = [
            requests.get(f"http://127.0.0.1:{port}{path}", timeout=120).status_code
            for port, path in [(web_port, "/login/"), (web_port, "/admin/"), (crm_port, "/"), (crm_port + 1, "/")]
        ]
        plant_empty_messages(directory=tmp_path)
        (ticking,) = list_parents(directory=tmp_path, name="ticks@localhost")
        ticking.kill()
        read_until(process=process, text="ticks ended by itself by signal 9. Starting it again")
        ticked = read_until(process=process, text="Task jobs.dispatch_due")
        statuses.append(requests.get(f"http://127.0.0.1:{web_port}/login/", timeout=120).status_code)
        process.send_signal(signal.SIGINT)
        process.communicate()

    assert "ended by itself" not in ticked
    assert statuses == [200, 200, 200, 200, 200]
    for part in ("crm_sandbox", "gunicorn", "celery --quiet --app ctms worker", "celery --quiet --app ctms beat"):
        assert any(part in command for command in running), part
    assert process.returncode == 0
    assert list_processes(directory=tmp_path) == []
    assert "Loading the demonstration data" in first_output
    assert "Transferring what a day's work has changed" in first_output

    web_port, crm_port = find_free_ports()
    arguments = ["--web-port", str(web_port), "--crm-port", str(crm_port), "--check"]
    with run_demo(directory=tmp_path, arguments=arguments) as process:
        second_output, _ = process.communicate()
    assert process.returncode == 0, second_output
    assert "Loading the demonstration data" not in second_output
    logins = re.compile(r"^demo +\| (?:Admin|Study manager|CRA|Inspector) .*$", flags=re.MULTILINE)
    assert len(logins.findall(first_output)) == 4
    assert logins.findall(second_output) == logins.findall(first_output)
    assert list_processes(directory=tmp_path) == []


@pytest.mark.system
def test_a_taken_port_is_named_with_its_option_and_nothing_is_started(tmp_path: Path) -> None:
    web_port, crm_port = find_free_ports()
    with (
        socket.create_server(("127.0.0.1", web_port)),
        socket.create_server(("127.0.0.1", crm_port + 1)),
        run_demo(directory=tmp_path, arguments=["--web-port", str(web_port), "--crm-port", str(crm_port)]) as process,
    ):
        output, _ = process.communicate()
    assert process.returncode == 1
    assert output == (
        f"CommandError: Port {web_port}, meant for the web server, is taken: choose another with --web-port.\n"
        f"Port {crm_port + 1}, meant for the CRM organisation emea, is taken: choose another with --crm-port.\n"
        "Nothing was started.\n"
    )
    assert not (tmp_path / "vault.sqlite3").exists()


@pytest.mark.parametrize("web_port", [8101, 8102])
def test_one_port_for_two_servers_is_refused(settings: Settings, web_port: int) -> None:
    settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": "http://127.0.0.1:8101"}
    with pytest.raises(CommandError, match=rf"^Port {web_port} is asked for twice: choose another"):
        call_command("demo", web_port=web_port, crm_port=8101)


def test_the_demonstration_refuses_settings_without_a_sandbox(settings: Settings) -> None:
    settings.CRM_SANDBOX_ORIGINS = {}
    with pytest.raises(CommandError, match=r"it needs ctms\.settings\.embedded\.$"):
        call_command("demo")


def test_links_in_e_mails_and_in_the_crm_lead_to_the_port_that_was_chosen() -> None:
    assert build_demo_environment(ports=Ports(web=8123, crm=8201))["VAULT_BASE_URL"] == "http://127.0.0.1:8123"
