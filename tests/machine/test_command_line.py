"""`manage.py help` and `version`, and the reference of all commands."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from django.core.management import ManagementUtility, get_commands
from django.db import InternalError, OperationalError

import ctms
from ctms.machine.command_line import CommandLine, list_own_commands, summarize
from tests import command_reference
from tests.imports import ROOT
from tests.settings.test_production import COMPLETE, run_python


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.system
def test_version_is_that_of_the_vault_of_the_project_and_of_the_newest_changes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ["))
    assert run("version").stdout == f"{ctms.__version__}\n"
    assert ctms.__version__ == project["version"] == newest.partition("]")[0].removeprefix("## [")


def test_help_lists_the_vaults_commands_apart_with_what_they_do() -> None:
    text = CommandLine(["manage.py", "help"]).main_help_text()
    own, _, djangos = text.partition("Django and its packages")
    assert {"transfer", "reconcile", "vault", "verify_audit_trail"} <= set(list_own_commands())
    for name in list_own_commands():
        assert f"    {name} " in own
        assert name not in djangos.split()
    assert {"migrate", "check", "createsuperuser", "help", "version"} <= set(djangos.split())
    assert "Transfer all active connections, or one, now" in own


def test_every_command_says_what_it_does() -> None:
    assert [name for name in list_own_commands() if len(summarize(name)) < 20] == []


def test_the_reference_says_what_the_commands_say() -> None:
    assert command_reference.PATH.read_text() == command_reference.render(), (
        "Write it anew: DJANGO_SETTINGS_MODULE=ctms.settings.test .venv/bin/python -m tests.command_reference"
    )
    assert set(list_own_commands()) <= get_commands().keys()


@pytest.mark.parametrize("command", ["transfer", "reconcile", "unlock_log_in"])
def test_a_command_called_wrongly_ends_with_2(command: str) -> None:
    wrong: dict[str, list[str]] = {
        "transfer": ["--records", "--json"],
        "reconcile": ["--json", "--quiet"],
        "unlock_log_in": [],
    }
    assert run(command, *wrong[command]).returncode == 2


@pytest.mark.django_db
@pytest.mark.system
@pytest.mark.parametrize("command", ["transfer --quiet", "migrate", "verify_audit_trail", "maintenance"])
def test_a_command_without_its_database_ends_with_what_to_do(command: str) -> None:
    environment = COMPLETE | {"DATABASE_URL": "postgres://vault:canary@127.0.0.1:1/vault"}
    done = run_python("", "manage.py", *command.split(), environment=environment)
    assert done.returncode == 1
    # The pool of connections may log that it found no server after the command has said so.
    assert (
        "The command ended before it was done. The database did not answer. See that it runs and can be reached; its "
        "own log has the cause. `manage.py doctor` says what is wrong."
    ) in done.stderr.splitlines()
    assert "Traceback" not in done.stdout + done.stderr
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("state", "is_told"),
    [
        (None, True),
        ("28000", True),
        ("53300", True),
        ("57P03", True),
        ("25006", True),
        ("55P03", False),
        ("42P01", False),
    ],
)
def test_the_error_of_a_statement_keeps_its_stack(
    state: str | None, is_told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = (InternalError if state == "25006" else OperationalError)("canary")
    error.__cause__ = psycopg.OperationalError("canary")
    error.__cause__.sqlstate = state
    monkeypatch.setattr(ManagementUtility, "execute", Mock(side_effect=error))
    with pytest.raises(SystemExit if is_told else OperationalError):
        CommandLine(["manage.py", "migrate"]).execute()
    assert ("The command ended" in capsys.readouterr().err) is is_told


def test_the_console_and_the_document_of_the_api_say_the_version(admin_client: Any) -> None:
    assert f"CTMS Vault {ctms.__version__}" in admin_client.get("/admin/").content.decode()
    document = admin_client.get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    assert document["info"]["x-vault-version"] == ctms.__version__
