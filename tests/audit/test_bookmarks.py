"""Bookmarks in the audit trail: what was written since then, in whatever order transactions end."""

from __future__ import annotations

import secrets
import threading

import pytest
from django.db import connection, connections, transaction

from ctms.audit import bookmarks
from ctms.audit.bookmarks import Bookmark, list_changed_uids, list_deleted_uids, read_bookmark
from ctms.audit.services import delete_record, save_record
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory
from tests.rows import without_triggers

PERSON, STUDY = "person__sys", "study__v"


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_what_was_created_changed_and_deleted_since_then_is_listed_by_object() -> None:
    _, changed, deleted = PersonFactory.create_batch(3)
    bookmark = read_bookmark()
    study = StudyFactory.create()
    changed.last_name = "Renamed"
    save_record(record=changed, actor=build_admin_actor())
    delete_record(record=deleted, actor=build_admin_actor())
    assert list_changed_uids(object_names={PERSON, STUDY}, since=bookmark) == {
        PERSON: {changed.uid, deleted.uid},
        STUDY: {study.uid},
    }
    assert list_deleted_uids(object_name=PERSON, since=bookmark) == [deleted.uid]
    assert list_deleted_uids(object_name=PERSON, since=None) == [deleted.uid]
    assert list_changed_uids(object_names={PERSON}, since=read_bookmark()) == {PERSON: set()}


@pytest.mark.django_db
def test_more_changes_than_can_be_listed_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bookmark = read_bookmark()
    monkeypatch.setattr(bookmarks, "MAX_CHANGES", 2)
    PersonFactory.create_batch(2)
    assert list_changed_uids(object_names={PERSON}, since=bookmark) is not None
    PersonFactory.create()
    assert list_changed_uids(object_names={PERSON}, since=bookmark) is None


@pytest.mark.parametrize(
    ("later", "is_before"),
    [("7001:50:60:", True), ("7001:51:51:", True), ("7001:49:60:", False), ("7002:51:60:", False)],
)
def test_places_of_different_databases_are_not_compared(later: str, is_before: bool) -> None:
    bookmark, other = Bookmark.parse("7001:50:60:52,55"), Bookmark.parse(later)
    assert bookmark is not None
    assert other is not None
    assert bookmark.is_before(other) is is_before
    assert str(bookmark) == "7001:50:60:52,55"


def test_no_text_is_no_bookmark() -> None:
    assert Bookmark.parse("") is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_a_long_transaction_wrote_before_the_bookmark_counts_as_written_since() -> None:
    is_written, may_commit = threading.Event(), threading.Event()
    written = [PersonFactory.create()]  # creates what both transactions refer to

    def write_slowly() -> None:
        with transaction.atomic():
            written.append(PersonFactory.create())
            is_written.set()
            may_commit.wait(timeout=60)
        connections.close_all()

    user = threading.Thread(target=write_slowly)
    user.start()
    try:
        assert is_written.wait(timeout=60)
        PersonFactory.create()  # committed at once, with a later number
        bookmark = read_bookmark()
        assert written[1].uid not in (list_changed_uids(object_names={PERSON}, since=bookmark) or {})[PERSON]
    finally:
        may_commit.set()
        user.join()
    changed = list_changed_uids(object_names={PERSON}, since=bookmark)
    assert changed is not None
    assert written[1].uid in changed[PERSON]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_user_without_rights_on_the_server_may_read_the_place() -> None:
    reader = f"bookmark_reader_{secrets.token_hex(6)}"  # roles are the whole server's
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {reader}")
        try:
            cursor.execute(f"SET ROLE {reader}")
            assert read_bookmark().horizon > 0
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute(f"DROP ROLE {reader}")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_the_transaction_that_took_the_bookmark_writes_later_counts_as_written_since() -> None:
    PersonFactory.create()
    with transaction.atomic():
        PersonFactory.create()

        def end_a_later_transaction() -> None:
            PersonFactory.create()
            connections.close_all()

        user = threading.Thread(target=end_a_later_transaction)
        user.start()
        user.join()
        bookmark = read_bookmark()
        late = PersonFactory.create()
        changed = list_changed_uids(object_names={PERSON}, since=bookmark)
    assert changed is not None
    assert late.uid in changed[PERSON]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_entries_restored_from_a_server_that_had_come_further_are_from_before() -> None:
    restored = PersonFactory.create()
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        cursor.execute("UPDATE audit_auditentry SET transaction_number = transaction_number + 1000000")
    bookmark = read_bookmark()
    added = PersonFactory.create()
    assert list_changed_uids(object_names={PERSON}, since=bookmark) == {PERSON: {added.uid}}
    with transaction.atomic():
        own = PersonFactory.create()
        assert list_changed_uids(object_names={PERSON}, since=bookmark) == {PERSON: {added.uid, own.uid}}
    assert restored.uid not in {added.uid, own.uid}
