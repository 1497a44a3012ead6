"""Migrations since the last release let a running Vault go on writing; what does not is told with what to write."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from ctms.core.online_operations import AddCheckOnline, AddIndexOnline
from tests.imports import ROOT
from tests.upgrade.release import read_release
from tests.upgrade.rules import SMALL, find_problems

# Problems that somebody looked into: `app.name` of the migration → why it may be so.
ACCEPTED: dict[str, str] = {}

INDEX = models.Index(fields=["subject"], name="by_subject")
CHECK = models.CheckConstraint(condition=models.Q(subject__gt=""), name="has_subject")
UNIQUE = models.UniqueConstraint(fields=["subject"], name="one_subject")


def is_own(label: str) -> bool:
    return apps.get_app_config(label).path.startswith(str(ROOT)) and label != "sample"


def test_migrations_since_the_last_release_let_the_vault_go_on() -> None:
    loader = MigrationLoader(connection=None, replace_migrations=False)
    released = set(read_release().migrations)
    state, new, told = ProjectState(), set[str](), []
    for key in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        migration = loader.get_migration(*key)
        if ".".join(key) in released or not is_own(key[0]) or ".".join(key) in ACCEPTED:
            state = migration.mutate_state(state, preserve=False)
        else:
            told += find_problems(migration, state=state, new=new)
    assert told == []


def test_every_table_that_is_called_small_exists() -> None:
    assert {label for label in SMALL if label.count(".") != 1 or not apps.get_model(label)} == set()


def judge(*operations: Any, atomic: bool = True, new: set[str] | None = None) -> list[str]:
    """Return what is told of a migration with these operations, of an app with one model that may be large."""
    state = ProjectState()
    fields: list[tuple[str, Any]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("subject", models.CharField(max_length=50)),
        ("note", models.TextField(null=True)),
    ]
    state.add_model(ModelState("activities", "Thing", fields))
    kind = type("Migration", (migrations.Migration,), {"operations": list(operations), "atomic": atomic})
    made: migrations.Migration = kind("9999_made", "activities")
    return find_problems(made, state=state, new=new if new is not None else set())


@pytest.mark.parametrize(
    ("operation", "remedy"),
    [
        (migrations.AddIndex("thing", INDEX), "AddIndexOnline"),
        (migrations.AddConstraint("thing", CHECK), "AddCheckOnline"),
        (migrations.AddConstraint("thing", UNIQUE), "Make the constraint with the table"),
        (migrations.RenameField("thing", "note", "remark"), "write both"),
        (migrations.RenameModel("thing", "matter"), "write both"),
        (migrations.AlterModelTable("thing", "matters"), "write both"),
        (migrations.AddField("thing", "code", models.CharField(max_length=9, db_default="", db_index=True)), "Online"),
        (migrations.AlterField("thing", "note", models.TextField(default="")), "IS NOT NULL"),
        (migrations.AlterField("thing", "note", models.JSONField(null=True)), "Add another field"),
        (migrations.AlterField("thing", "subject", models.CharField(max_length=20)), "longer texts"),
        (migrations.AlterField("thing", "subject", models.CharField(max_length=50, unique=True)), "AddIndexOnline"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_keeps_writers_waiting_is_told_with_a_remedy(operation: Any, remedy: str) -> None:
    (problem,) = judge(operation)
    assert problem.startswith("activities.9999_made: ")
    assert remedy in problem


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("thing", "code", models.CharField(max_length=9, db_default="")),
        migrations.AlterField("thing", "subject", models.CharField(max_length=80)),
        migrations.AlterField("thing", "subject", models.CharField(max_length=50, help_text="in a few words")),
        migrations.RemoveConstraint("thing", "has_subject"),
    ],
    ids=["field with db_default", "longer text", "other words", "removed constraint"],
)
def test_what_keeps_nobody_waiting_is_left_alone(operation: Any) -> None:
    if isinstance(operation, migrations.RemoveConstraint):
        assert judge(AddCheckOnline("thing", CHECK), operation, atomic=False) == [
            "activities.9999_made: An online operation stands alone, in a migration with `atomic = False`."
        ]
        return
    assert judge(operation) == []


def test_online_operations_stand_alone_and_outside_a_transaction() -> None:
    assert judge(AddIndexOnline("thing", INDEX), atomic=False) == []
    assert judge(AddIndexOnline("thing", INDEX)) != []


def test_a_table_that_is_new_or_small_is_locked_for_no_time() -> None:
    assert judge(migrations.AddIndex("thing", INDEX), new={"activities.thing"}) == []


def test_rows_are_not_written_in_the_migration_that_changes_tables() -> None:
    field = migrations.AddField("thing", "code", models.CharField(max_length=9, db_default=""))
    (problem,) = judge(field, migrations.RunPython(migrations.RunPython.noop))
    assert "a migration of its own" in problem
