"""The changes feed while transactions are open: what ends late is told late, and nothing is passed over."""

from __future__ import annotations

import threading

import pytest
from django.db import connections, transaction

from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory
from tests.records.api.changes.feeds import build_reader
from tests.records.api.conftest import build_caller

_LONGEST_WAIT = 60  # seconds


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_a_long_transaction_wrote_is_told_after_it_has_ended() -> None:
    is_written, may_end = threading.Event(), threading.Event()
    first = PersonFactory.create()  # creates what both transactions refer to
    reader = build_reader(build_caller(UserFactory.create(is_superuser=True)), "person__sys")
    late: list[str] = []

    def write_slowly() -> None:
        with transaction.atomic():
            late.append(str(PersonFactory.create().uid))
            is_written.set()
            may_end.wait(timeout=_LONGEST_WAIT)
        connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    try:
        assert is_written.wait(timeout=_LONGEST_WAIT)
        early = PersonFactory.create()  # of a later transaction, with a later id, which ends at once
        assert reader.follow() == {str(early.uid): "created"}
        assert reader.follow() == {}
    finally:
        may_end.set()
        writer.join()
    assert reader.follow() == {late[0]: "created"}
    assert set(reader.known) == {str(first.uid), str(early.uid), late[0]}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_ends_while_all_records_are_told_is_told_at_the_latest_the_next_time() -> None:
    is_written, may_end = threading.Event(), threading.Event()
    PersonFactory.create_batch(2)
    late: list[str] = []

    def write_slowly() -> None:
        with transaction.atomic():
            late.append(str(PersonFactory.create().uid))
            is_written.set()
            may_end.wait(timeout=_LONGEST_WAIT)
        connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    try:
        assert is_written.wait(timeout=_LONGEST_WAIT)
        PersonFactory.create_batch(2)  # their keys are after the one of the long transaction
        reader = build_reader(build_caller(UserFactory.create(is_superuser=True)), "person__sys")
    finally:
        may_end.set()
        writer.join()
    assert late[0] not in reader.known
    assert reader.follow() == {late[0]: "created"}
    assert reader.known == reader.list_seen()
