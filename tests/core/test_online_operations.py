"""Indexes and checks of large tables: built while others write, and built again after an interruption."""

from __future__ import annotations

import threading
from time import sleep
from typing import Any

import psycopg
import pytest
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState
from django.db.utils import IntegrityError

from ctms.core.online_operations import AddCheckOnline, AddIndexOnline
from tests.locks import count_waiting
from tests.reliability.conftest import build_database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

LABEL = "core_tests"
TABLE = f"{LABEL}_thing"
INDEX = models.Index(fields=["number"], name="thing_by_number")
CHECK = models.CheckConstraint(condition=models.Q(number__gte=0), name="thing_is_counted")


def build_state(**options: Any) -> ProjectState:
    """Return the state with one model, which has a number."""
    state = ProjectState()
    meta = type("Meta", (), {"app_label": LABEL, "apps": state.apps, **options})
    body = {"__module__": __name__, "Meta": meta, "id": models.BigAutoField(primary_key=True)}
    model = type("Thing", (models.Model,), body | {"number": models.IntegerField(default=0)})
    state.add_model(ModelState.from_model(model))
    return state


@pytest.fixture
def state() -> Any:
    before = build_state()
    model = before.apps.get_model(LABEL, "Thing")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield before
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def apply(operation: Any, before: ProjectState, *, atomic: bool = False) -> ProjectState:
    after = before.clone()
    operation.state_forwards(LABEL, after)
    with connection.schema_editor(atomic=atomic or connection.vendor == "sqlite") as editor:
        operation.database_forwards(LABEL, editor, before, after)
    return after


def list_constraints() -> dict[str, Any]:
    with connection.cursor() as cursor:
        found: dict[str, Any] = connection.introspection.get_constraints(cursor, TABLE)
    return found


def test_an_index_comes_and_goes(state: ProjectState) -> None:
    operation = AddIndexOnline("thing", INDEX)
    after = apply(operation, state)
    assert list_constraints()["thing_by_number"]["columns"] == ["number"]
    with connection.schema_editor(atomic=connection.vendor == "sqlite") as editor:
        operation.database_backwards(LABEL, editor, after, state)
    assert "thing_by_number" not in list_constraints()


def test_a_check_holds_and_names_itself(state: ProjectState) -> None:
    after = apply(AddCheckOnline("thing", CHECK), state)
    assert list_constraints()["thing_is_counted"]["check"]
    with pytest.raises(IntegrityError, match="thing_is_counted"):
        after.apps.get_model(LABEL, "Thing").objects.create(number=-1)


@pytest.mark.postgresql
def test_an_index_is_built_while_another_transaction_has_written_and_is_not_over(state: ProjectState) -> None:
    """Django's own would wait for the writer, and everybody else behind it."""
    with psycopg.connect(build_database_url()) as writer:
        writer.execute(f"INSERT INTO {TABLE} (number) VALUES (1)")  # noqa: S608  a name of our own
        done = threading.Event()

        def build() -> None:
            apply(AddIndexOnline("thing", INDEX), state)
            connection.close()
            done.set()

        thread = threading.Thread(target=build)
        thread.start()
        with psycopg.connect(build_database_url(), autocommit=True) as other:
            other.execute("SET lock_timeout = '5s'")
            while not count_waiting():
                assert thread.is_alive()
                sleep(0.02)
            other.execute(f"INSERT INTO {TABLE} (number) VALUES (2)")  # noqa: S608  a name of our own
        assert not done.is_set()
        writer.commit()
        thread.join(60)
    assert done.is_set()
    assert "thing_by_number" in list_constraints()


@pytest.mark.postgresql
def test_what_an_interrupted_migration_left_is_replaced(state: ProjectState) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX thing_by_number ON {TABLE} (number)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'thing_by_number'::regclass")
        cursor.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT thing_is_counted CHECK (number >= 0) NOT VALID")
    apply(AddCheckOnline("thing", CHECK), apply(AddIndexOnline("thing", INDEX), state))
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'thing_by_number'::regclass")
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'thing_is_counted'")
        assert cursor.fetchone() == (True,)


@pytest.mark.postgresql
def test_a_migration_that_is_one_transaction_is_told_what_it_needs(state: ProjectState) -> None:
    with pytest.raises(RuntimeError, match="AddIndexOnline needs a migration of its own with `atomic = False`"):
        apply(AddIndexOnline("thing", INDEX), state, atomic=True)


def test_a_unique_constraint_is_refused() -> None:
    with pytest.raises(TypeError, match="AddIndexOnline"):
        AddCheckOnline("thing", models.UniqueConstraint(fields=["number"], name="once"))
