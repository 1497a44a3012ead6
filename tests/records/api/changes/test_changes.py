"""The changes feed: what happened to the records of an object since a bookmark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.audit.choices import AuditAction
from ctms.audit.services import delete_record, record_event, restore_records
from ctms.clinical.choices import PersonType
from ctms.clinical.models import Person
from ctms.records.access import open_object
from ctms.records.api.changes import pages
from ctms.records.api.changes.places import Place, read_place, write_place
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory, StudyCommunicationContactFactory, StudyFactory, StudySiteFactory
from tests.record_rows import OBJECTS, create_record
from tests.records.api.changes.feeds import Reader, build_reader, change, get_actor_name
from tests.records.api.conftest import Caller, build_limited_caller, list_errors

# On PostgreSQL what a transaction wrote before a bookmark of its own counts as written since.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
PERSON = "person__sys"


def test_without_a_bookmark_all_records_are_told(caller: Caller) -> None:
    people = PersonFactory.create_batch(3)
    reader = Reader(caller=caller, object_name=PERSON)
    page = reader.read_page()
    assert (page["reset"], page["more"]) == (True, False)
    assert [each["uid__sys"] for each in page["results"]] == [str(each.uid) for each in people]
    assert page["results"][0] == {
        "change": "present",
        "uid__sys": str(people[0].uid),
        "at": None,
        "by": None,
        "record": caller.get(f"{PERSON}/{people[0].uid}/").json(),
    }


def test_creations_changes_and_deletions_are_told_once_as_records_are_now(caller: Caller) -> None:
    same, changed, deleted = PersonFactory.create_batch(3)
    reader = build_reader(caller, PERSON)
    change(changed, last_name="First")
    change(changed, last_name="Second")
    delete_record(record=deleted, actor=build_admin_actor())
    created = PersonFactory.create()
    page = reader.read_page()
    told = {each["uid__sys"]: each for each in page["results"]}
    assert (page["reset"], page["more"], len(page["results"])) == (False, False, 3)
    assert {uid: each["change"] for uid, each in told.items()} == {
        str(changed.uid): "changed",
        str(deleted.uid): "deleted",
        str(created.uid): "created",
    }
    assert told[str(changed.uid)]["record"]["last_name__sys"] == "Second"
    assert told[str(deleted.uid)]["record"] is None
    assert {each["by"] for each in told.values()} == {get_actor_name()}
    assert told[str(changed.uid)]["at"] == told[str(changed.uid)]["record"]["modified_date__v"]
    assert str(same.uid) not in told


def test_there_is_a_bookmark_even_where_there_is_nothing(caller: Caller) -> None:
    reader = Reader(caller=caller, object_name="study__v")
    for is_first in (True, False, False):
        page = reader.read_page()
        assert (page["reset"], page["results"], page["more"]) == (is_first, [], False)
        assert page["bookmark"]
    study = StudyFactory.create()
    assert reader.follow() == {str(study.uid): "created"}
    assert reader.follow() == {}


def test_the_same_bookmark_tells_the_same_again(caller: Caller) -> None:
    reader = build_reader(caller, PERSON)
    person = PersonFactory.create()
    before = reader.bookmark
    assert reader.follow() == {str(person.uid): "created"}
    reader.bookmark = before
    assert reader.follow() == {str(person.uid): "created"}


def test_pages_join_and_what_is_written_meanwhile_is_told_then_or_the_next_time(caller: Caller) -> None:
    reader = build_reader(caller, PERSON)
    people = PersonFactory.create_batch(7)
    told: dict[str, str] = {}
    sizes = []
    has_more = True
    while has_more:
        page = reader.read_page(size=3)
        sizes.append(len(page["results"]))
        told |= {each["uid__sys"]: each["record"]["last_name__sys"] for each in page["results"]}
        for each in people:
            change(each, last_name=f"{each.last_name} again")
        has_more = page["more"]
    assert sizes == [3, 3, 1]
    assert set(told) == {str(each.uid) for each in people}
    assert reader.follow() == {str(each.uid): "changed" for each in people}
    assert {each["last_name__sys"] for each in reader.known.values()} == {each.last_name for each in people}


def test_all_records_are_told_in_pages_too(caller: Caller) -> None:
    people = PersonFactory.create_batch(5)
    reader = Reader(caller=caller, object_name=PERSON)
    first = reader.read_page(size=2)
    assert (first["reset"], len(first["results"]), first["more"]) == (True, 2, True)
    delete_record(record=people[0], actor=build_admin_actor())
    late = PersonFactory.create()
    second, third = reader.read_page(size=2), reader.read_page(size=2)
    assert [(page["reset"], len(page["results"]), page["more"]) for page in (second, third)] == [
        (False, 2, True),
        (False, 2, False),
    ]
    assert third["results"][-1]["uid__sys"] == str(late.uid)
    # What was told while it was created or deleted is told again, from the place at which the first page began.
    assert reader.follow() == {str(people[0].uid): "deleted", str(late.uid): "created"}


def test_what_was_created_and_deleted_meanwhile_is_told_as_deleted(caller: Caller) -> None:
    reader = build_reader(caller, PERSON)
    person = PersonFactory.create()
    delete_record(record=person, actor=build_admin_actor())
    assert reader.follow() == {str(person.uid): "deleted"}


def test_what_was_brought_back_is_told_as_created(caller: Caller) -> None:
    person = PersonFactory.create()
    reader = build_reader(caller, PERSON)
    kept = Person.objects.get(pk=person.pk)
    delete_record(record=person, actor=build_admin_actor())
    assert reader.follow() == {str(kept.uid): "deleted"}
    kept.pk = None
    restore_records(records=[kept], actor=build_admin_actor())
    assert reader.follow() == {str(kept.uid): "created"}
    assert reader.known == reader.list_seen()


def test_parts_that_went_along_are_told_where_they_belong(caller: Caller) -> None:
    contact = StudyCommunicationContactFactory.create()
    reader = build_reader(caller, "study_communication_contact__ctms")
    logs = build_reader(caller, "study_communication_log__ctms")
    answer = caller.delete(f"study_communication_log__ctms/{contact.communication.uid}/", etag="*")
    assert answer.status_code == 204
    assert reader.follow() == {str(contact.uid): "deleted"}
    assert logs.follow() == {str(contact.communication.uid): "deleted"}


@pytest.mark.parametrize("object_name", OBJECTS)
def test_every_object_has_its_feed(caller: Caller, object_name: str) -> None:
    create_record(object_name)
    reader = build_reader(caller, object_name)
    record = create_record(object_name)
    assert reader.follow()[str(record.uid)] == "created"
    assert reader.known == reader.list_seen()
    delete_record(record=record, actor=build_admin_actor())
    assert reader.follow()[str(record.uid)] == "deleted"
    assert reader.known == reader.list_seen()


def test_object_types_that_the_profile_does_not_show_are_not_told() -> None:
    reader = build_reader(build_limited_caller(f"{PERSON}.investigator__v:read"), PERSON)
    hidden, leaving, coming = (
        PersonFactory.create(object_type=each)
        for each in (PersonType.PERSON, PersonType.INVESTIGATOR, PersonType.PERSON)
    )
    assert reader.follow() == {str(leaving.uid): "created"}
    change(hidden, last_name="Changed")
    change(leaving, object_type=PersonType.PERSON)
    change(coming, object_type=PersonType.INVESTIGATOR)
    page = reader.read_page()
    told = {each["uid__sys"]: each for each in page["results"]}
    assert {uid: each["change"] for uid, each in told.items()} == {
        str(leaving.uid): "went_out_of_sight",
        str(coming.uid): "came_into_sight",
    }
    assert (told[str(leaving.uid)]["at"], told[str(leaving.uid)]["by"]) == (None, None)
    for each in (hidden, leaving, coming):
        each.refresh_from_db()
        delete_record(record=each, actor=build_admin_actor())
    assert reader.follow() == {str(coming.uid): "deleted"}


def test_more_changes_than_are_looked_through_are_told_as_all_records(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = PersonFactory.create()
    reader = build_reader(caller, PERSON)
    monkeypatch.setattr(pages, "MOST_CHANGES", 2)
    delete_record(record=gone, actor=build_admin_actor())
    PersonFactory.create()
    assert "reset" not in reader.follow()
    PersonFactory.create_batch(3)
    assert "reset" in reader.follow()
    assert reader.known == reader.list_seen()


def test_a_bookmark_of_a_database_that_was_put_back_begins_anew(caller: Caller) -> None:
    person = PersonFactory.create()
    reader = build_reader(caller, PERSON)
    access: Any = _build_access(caller)
    place = read_place(reader.bookmark, access=access)
    database, _, snapshot = place.told.partition(":")
    later = ":".join(str(int(part) + 1_000_000) if part else part for part in snapshot.split(":")[:2])
    for told in (f"7001{database}:{snapshot}", f"{database}:{later}" + (":" if ":" in snapshot else "")):
        reader.bookmark = write_place(Place(sight=place.sight, told=told), access=access)
        assert reader.follow() == {"reset": "", str(person.uid): "present"}
        assert reader.follow() == {}


def _build_access(caller: Caller) -> Any:
    return open_object(user=caller.user, object_name=PERSON)


def test_a_bookmark_is_for_one_reader_and_one_object(caller: Caller) -> None:
    PersonFactory.create()
    mine = build_reader(caller, PERSON).bookmark
    other = build_limited_caller(f"{PERSON}:read", "study__v:read")
    assert mine.startswith("v1.")
    others = (build_reader(other, PERSON).bookmark, build_reader(caller, "study__v").bookmark)
    for bookmark in (*others, mine[:-6] + "AAAAA="):
        answer = caller.get(f"{PERSON}/changes/", since=bookmark)
        assert answer.status_code == 400
        [error] = answer.json()["errors"]
        assert (error["parameter"], error["code"]) == ("since", "invalid_bookmark")
        assert bookmark not in error["detail"]
    for text in ("x", "v1.a.b", "ä", "W10" * 2000, "0"):
        assert list(list_errors(caller.get(f"{PERSON}/changes/", since=text))) == ["since"]


def test_what_the_feed_does_not_understand_is_refused(caller: Caller) -> None:
    refused: list[tuple[dict[str, Any], set[str]]] = [
        ({"cursor": "last", "status__v": "active__v"}, {"cursor", "status__v"}),
        ({"since": ""}, {"since"}),
        ({"size": ["1", "2"], "q": "x"}, {"size", "q"}),
        *(({"size": size}, {"size"}) for size in ("0", "1001", "-1", "²", "", "1" * 5000)),
    ]
    for parameters, names in refused:
        answer = caller.get(f"{PERSON}/changes/", **parameters)
        assert (answer.status_code, set(list_errors(answer))) == (400, names)
    for method in ("post", "put", "patch", "delete"):
        assert getattr(caller.client, method)(f"/api/v1/{PERSON}/changes/").status_code == 405
    assert caller.get("nothing__v/changes/").status_code == 404
    assert build_limited_caller("study__v:read").get(f"{PERSON}/changes/").status_code == 403


def test_a_page_is_lines_of_json_for_who_asks_for_them(caller: Caller) -> None:
    people = PersonFactory.create_batch(2, first_name="Ærø\u2028")
    answer = caller.client.get(f"/api/v1/{PERSON}/changes/", headers={"Accept": "application/x-ndjson"})
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    head, first, second, end = (json.loads(line) for line in answer.content.decode().removesuffix("\n").split("\n"))
    assert head == {"reset": True}
    assert [first["uid__sys"], second["uid__sys"]] == [str(each.uid) for each in people]
    assert first["record"] == caller.get(f"{PERSON}/{people[0].uid}/").json()
    assert set(end) == {"bookmark", "more"}
    assert caller.get(f"{PERSON}/changes/", since=end["bookmark"]).json()["results"] == []


def test_a_thousand_changes_are_one_page(caller: Caller) -> None:
    create_people(100, prefix="OLD")
    reader = build_reader(caller, PERSON)
    new = create_people(1000)
    page = reader.read_page()
    assert (len(page["results"]), page["more"], page["reset"]) == (1000, False, False)
    assert {each["uid__sys"] for each in page["results"]} == {str(each.uid) for each in new}


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("object_name", OBJECTS)
def test_a_page_takes_as_many_statements_for_one_change_as_for_twenty(caller: Caller, object_name: str) -> None:
    reader = build_reader(caller, object_name)
    study = None if object_name == "study__v" else StudyFactory.create()
    counts = []
    for more in (1, 19):
        records = [create_record(object_name, study) for _ in range(more)]
        before = reader.bookmark
        reader.follow()
        reader.bookmark = before
        with CaptureQueriesContext(connection) as queries:
            told = reader.read_page()["results"]
        assert {str(each.uid) for each in records} <= {each["uid__sys"] for each in told}
        counts.append(len(queries))
    assert counts[0] == counts[1]
    # Which Vault this is, token, configuration; the place; what was changed, its entries, the records.
    assert counts[0] == 7


def test_what_is_noted_of_a_record_without_changing_it_is_not_told(caller: Caller) -> None:
    site = StudySiteFactory.create()
    reader = build_reader(caller, "site__v")
    record_event(actor=build_admin_actor(), action=AuditAction.EVENT, object_name="site__v", record=site)
    assert reader.follow() == {}
