"""The code of the last release goes on writing while and after the tables are migrated: an upgrade has no gap."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from ctms.core.standing import Role
from ctms.machine.backups.postgresql import read_server
from ctms.machine.backups.tools import find_tool
from tests.imports import ROOT
from tests.servers import create_database
from tests.upgrade.release import read_release

pytestmark = [pytest.mark.postgresql, pytest.mark.system, pytest.mark.django_db(transaction=True)]

DELIVER = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""

WRITES = Path(__file__).with_name("writes.py").read_text(encoding="utf-8")
READ = """
import django
django.setup()
from activities.models import Activity
from crm_sync.models import TransferLink
from ctms.clinical.models import Person
print(sorted(Activity.objects.values_list("uid", "subject", "version")))
print(sorted(Person.objects.values_list("uid", "name")), TransferLink.objects.count())
"""
COMMAND = """
import django
django.setup()
from django.core.management import call_command
call_command({arguments})
"""
READ_ROLE = """
import django
django.setup()
from ctms.machine.places import read_installation_standing
print(read_installation_standing().role)
"""


@pytest.fixture
def release_folder(tmp_path: Path) -> Path:
    """The files of the last release, from the history of this repository."""
    done = subprocess.run(["git", "archive", read_release().commit], cwd=ROOT, capture_output=True, check=True)
    folder = tmp_path / "release"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def run_code(code: str, *, folder: Path, database_url: str) -> str:
    """Run code with the sources in a folder; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))},
            "DJANGO_SETTINGS_MODULE": "ctms.settings.test",
            "TEST_VAULT_DATABASE_URL": database_url,
            "PYTHONPATH": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_code_of_the_last_release_works_on_the_new_tables(release_folder: Path, migrated_database_url: str) -> None:
    """Records, a transfer, pages, the API, the scheduler and the seals of the audit trail."""
    assert connection.vendor == "postgresql"
    run_code(DELIVER, folder=ROOT, database_url=migrated_database_url)
    assert "entries" in run_code(WRITES, folder=release_folder, database_url=migrated_database_url)


def call(*arguments: object, folder: Path, database_url: str) -> str:
    given = ", ".join(repr(str(each)) for each in arguments)
    return run_code(COMMAND.format(arguments=given), folder=folder, database_url=database_url)


def test_what_the_last_release_wrote_is_restored(
    release_folder: Path, postgresql_url: str, postgresql_server: str, tmp_path: Path
) -> None:
    """From a backup of its own command, and from a dump that was made without it."""
    for code in (DELIVER, WRITES):
        run_code(code, folder=release_folder, database_url=postgresql_url)
    written = run_code(READ, folder=release_folder, database_url=postgresql_url)
    call("backup", "--to", tmp_path / "backups", folder=release_folder, database_url=postgresql_url)
    with psycopg.connect(postgresql_url) as asked:
        tool, _ = find_tool("pg_dump", server=read_server(asked))
    subprocess.run([tool, "--format", "custom", "--file", tmp_path / "vault.dump", postgresql_url], check=True)

    for made in (tmp_path / "backups", tmp_path / "vault.dump"):
        with create_database(server_url=postgresql_server) as url:
            assert "the audit trail holds" in call("restore", made, folder=ROOT, database_url=url)
            assert run_code(READ, folder=ROOT, database_url=url) == written
            assert run_code(READ_ROLE, folder=ROOT, database_url=url).strip() == Role.UNDECIDED
