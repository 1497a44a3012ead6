"""The code of the last release goes on writing while and after the tables are migrated: an upgrade has no gap."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from django.db import connection

from tests.imports import ROOT
from tests.upgrade.release import read_release

pytestmark = [pytest.mark.postgresql, pytest.mark.system, pytest.mark.django_db(transaction=True)]

DELIVER = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


@pytest.fixture
def release_folder(tmp_path: Path) -> Path:
    """The files of the last release, from the history of this repository."""
    done = subprocess.run(["git", "archive", read_release().commit], cwd=ROOT, capture_output=True, check=True)
    folder = tmp_path / "release"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_the_code_of_the_last_release_works_on_the_new_tables(release_folder: Path, migrated_database_url: str) -> None:
    """Records, a transfer, pages, the API, the scheduler and the seals of the audit trail."""
    assert connection.vendor == "postgresql"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))},
        "DJANGO_SETTINGS_MODULE": "ctms.settings.test",
        "TEST_VAULT_DATABASE_URL": migrated_database_url,
    }
    subprocess.run([sys.executable, "-c", DELIVER], cwd=ROOT, env=environment, check=True)
    script = Path(__file__).with_name("writes.py")
    done = subprocess.run(
        [sys.executable, "-c", script.read_text(encoding="utf-8")],
        cwd=release_folder,
        env=environment | {"PYTHONPATH": str(release_folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "entries" in done.stdout
