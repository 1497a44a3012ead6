"""Rows that were made once are written as they were made; where they cannot be the same, they are made anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection, transaction

from connections.models import Connection
from ctms.audit.models import AuditEntry
from tests.factories.clinical import StudyFactory
from tests.factories.configuration import activate_medical_activities, map_identifiers
from tests.factories.connections import ConnectionFactory
from tests.prepared_rows import PreparedRows

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class Maker:
    """Makes a connection and changes settings, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Connection:
        self.times += 1
        map_identifiers()
        activate_medical_activities()
        return ConnectionFactory.create(name="NA")


def list_all_rows() -> dict[str, list[Any]]:
    """Return all that is in the database but the numbers and moments that it gives itself to audit entries."""
    models = apps.get_models(include_auto_created=True)
    rows = {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}
    for entry in rows[AuditEntry._meta.label]:
        for column in ("id", "transaction_number", "written_at"):
            del entry[column]
    return rows


@contextmanager
def undone() -> Iterator[None]:
    """Leave no trace of the block, as the end of a test does."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def make_and_undo(prepared: PreparedRows[Connection], make: Maker) -> dict[str, list[Any]]:
    with undone():
        prepared.provide("NA", make)
        return list_all_rows()


def test_rows_are_made_once_and_written_as_they_were_made() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    made = make_and_undo(prepared, make)
    assert not Connection.objects.exists()
    connection_again = prepared.provide("NA", make)
    assert make.times == 1
    assert list_all_rows() == made
    connection.check_constraints()
    stored = Connection.objects.get()
    assert connection_again == stored
    assert connection_again.authorization is not None
    assert stored.authorization is not None
    assert connection_again.authorization.password.reveal() == stored.authorization.password.reveal()


def test_what_was_handed_out_is_the_tests_own() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    make_and_undo(prepared, make)
    with undone():
        prepared.provide("NA", make).name = "Changed"
    assert prepared.provide("NA", make).name == "NA"
    assert make.times == 1


def test_written_rows_are_followed_by_new_ones() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    make_and_undo(prepared, make)
    prepared.provide("NA", make)
    last = AuditEntry.objects.latest("pk")
    StudyFactory.create()
    assert AuditEntry.objects.latest("pk").pk > last.pk
    ConnectionFactory.create()
    assert Connection.objects.count() == 2


def test_a_test_that_begins_otherwise_gets_rows_of_its_own() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    make_and_undo(prepared, make)
    map_identifiers(person_field="npi__v")  # the same tables have rows, and other ones
    prepared.provide("NA", make)
    assert make.times == 2


def test_rows_in_a_further_table_are_another_beginning() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    make_and_undo(prepared, make)
    StudyFactory.create()
    prepared.provide("NA", make)
    assert make.times == 2


def test_what_is_made_while_the_clock_is_moved_is_not_kept() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)):
        make_and_undo(prepared, make)
    prepared.provide("NA", make)
    assert make.times == 2


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_at_once_is_not_kept() -> None:
    prepared, make = PreparedRows[Connection](), Maker()
    prepared.provide("NA", make)
    assert not prepared._kept
