"""Migrations run forwards, backwards and forwards again, and initial data are created only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db.migrations.state import ProjectState

from ctms.configuration.models import ObjectType
from ctms.core.schema import is_schema_current

pytestmark = pytest.mark.system

MIGRATE = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from ctms.audit.models import AuditEntry
from ctms.configuration.models import ObjectType
from ctms.jobs.models import JobDefinition

results = []
for step in json.loads(sys.argv[1]):
    call_command(*step, verbosity=0, interactive=False)
    tables = set(connection.introspection.table_names())
    models = (ObjectType, JobDefinition, AuditEntry)
    results.append([model.objects.count() if model._meta.db_table in tables else None for model in models])
print(json.dumps(results))
"""


def run_commands(*steps: list[str], database_url: str) -> list[list[int | None]]:
    """Return the numbers of object types, job definitions and audit entries after each step; None without a table."""
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE, json.dumps(steps)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ctms.settings.test", "TEST_VAULT_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[list[int | None]] = json.loads(done.stdout)
    return results


@pytest.mark.both_databases
def test_migrations_go_back_to_nothing_and_forwards_again_and_deliver_the_same(migrated_database_url: str) -> None:
    first, again, half, back, forwards = run_commands(
        ["migrate"],
        ["migrate"],
        ["migrate", "audit", "zero"],
        ["migrate", "accounts", "zero"],
        ["migrate"],
        database_url=migrated_database_url,
    )
    object_types, definitions, _ = first
    assert object_types
    assert definitions is not None
    assert again == first
    assert half == [object_types, definitions, None]
    assert back == [None, None, None]
    assert forwards == first


def test_an_app_migrated_alone_before_the_audit_trail_waits_with_its_deliveries(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vault.sqlite3'}"
    assert run_commands(["migrate", "configuration"], database_url=url) == [[0, None, None]]


def test_a_schema_is_current_only_with_every_column_of_the_model() -> None:
    state = ProjectState.from_apps(apps)
    assert is_schema_current(apps=state.apps, models=(ObjectType,)) is True
    state.remove_field("configuration", "objecttype", "label")
    assert is_schema_current(apps=state.apps, models=(ObjectType,)) is False
    state.remove_model("configuration", "objecttype")
    assert is_schema_current(apps=state.apps, models=(ObjectType,)) is False
