"""The audited writer makes the same audit entries for one record as for many."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from activities.models import Activity
from connections.models import ConnectionAuthorization
from connections.services import set_password
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import (
    RecordInUseError,
    create_records,
    delete_record,
    record_event,
    save_record,
    update_records,
)
from ctms.clinical.models import Person, Study, StudySite
from ctms.core.errors import StaleRecordError
from ctms.core.models import AuditedModel
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.factories.connections import CRM_PASSWORD, AuthorizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

Trail = list[tuple[str, dict[str, Any]]]


def read_trail(record: AuditedModel) -> Trail:
    entries = AuditEntry.objects.filter(record_uid=record.uid).order_by("id")
    return [(entry.action, entry.changes) for entry in entries]


def get_last_entry(record: AuditedModel) -> AuditEntry:
    return AuditEntry.objects.filter(record_uid=record.uid).latest("id")


def get(person: Person) -> Person:
    return Person.objects.get(pk=person.pk)


def count_statements(queries: CaptureQueriesContext) -> Counter[str]:
    """Count statements by their first word, without those that only begin and end transactions."""
    words = Counter(query["sql"].split()[0].lstrip("(") for query in queries)
    return Counter({word: n for word, n in words.items() if word not in {"SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"}})


# -- One record -----------------------------------------------------------------------------------
def test_a_new_record_has_an_entry_with_every_value_it_has() -> None:
    user = UserFactory.create(first_name="Uma", last_name="User")
    actor = Actor(user=user, source="api", reference="request 7")
    person = Person(first_name="Petra", last_name="Person", custom_fields={"height__c": 170})
    with time_machine.travel("2026-03-02T10:00:00.123456Z", tick=False):
        assert save_record(record=person, actor=actor, reason="She joined") is True
        now = dt.datetime.now(tz=dt.UTC)

    entry = get_last_entry(person)
    assert entry.changes == {
        "name": [None, "Petra Person"],
        "status": [None, "active__v"],
        "object_type": [None, "person__v"],
        "first_name": [None, "Petra"],
        "last_name": [None, "Person"],
        "custom_fields": [None, {"height__c": 170}],
    }
    assert (entry.action, entry.at, entry.actor, entry.actor_name) == (AuditAction.CREATED, now, user, "Uma User")
    assert (entry.source, entry.reference, entry.reason) == ("api", "request 7", "She joined")
    assert (entry.object_name, entry.record_uid, entry.record_name) == ("person__sys", person.uid, "Petra Person")
    stored = get(person)
    assert (stored.version, stored.created_at, stored.created_by, stored.modified_at) == (1, now, user, now)


def test_a_change_has_an_entry_with_the_values_before_and_after_of_what_changed() -> None:
    person = PersonFactory.create(first_name="Petra", last_name="Person", phone="")
    other = UserFactory.create()
    person.last_name, person.phone = "Parson", "+49 30 1"
    assert save_record(record=person, actor=Actor(user=other, source="page")) is True

    assert read_trail(person)[1:] == [
        (
            AuditAction.CHANGED,
            {
                "name": ["Petra Person", "Petra Parson"],
                "last_name": ["Person", "Parson"],
                "phone": ["", "+49 30 1"],
            },
        )
    ]
    stored = get(person)
    assert (stored.version, stored.modified_by) == (2, other)
    assert stored.created_by != other


def test_references_are_kept_by_id() -> None:
    site, investigator = StudySiteFactory.create(principal_investigator=None), PersonFactory.create()
    site.principal_investigator = investigator
    save_record(record=site, actor=build_admin_actor())
    assert get_last_entry(site).changes == {"principal_investigator": [None, investigator.pk]}


def test_a_save_that_changes_nothing_writes_nothing() -> None:
    person = PersonFactory.create()
    user = UserFactory.create()
    before = Person.objects.filter(pk=person.pk).values().get(), AuditEntry.objects.count()
    assert save_record(record=person, actor=Actor(user=user, source="page")) is False
    assert update_records(records=[get(person)], actor=build_admin_actor()) == []
    assert (Person.objects.filter(pk=person.pk).values().get(), AuditEntry.objects.count()) == before


def test_a_value_assigned_in_another_notation_is_no_change() -> None:
    activity = ActivityFactory.create(date=dt.date(2026, 3, 2), custom_fields={"tags__c": ["a"]})
    activity.date = "2026-03-02"
    activity.person_id = str(activity.person_id)
    activity.custom_fields = {"tags__c": ("a",)}
    assert save_record(record=activity, actor=build_admin_actor(), validate=False) is False
    assert update_records(records=[activity], actor=build_admin_actor()) == []


def test_a_record_that_is_not_valid_is_refused_by_field_and_not_written() -> None:
    with pytest.raises(ValidationError) as raised:
        save_record(record=Person(last_name="", email="nowhere"), actor=build_admin_actor())
    assert set(raised.value.message_dict) >= {"last_name", "email"}
    assert (Person.objects.count(), AuditEntry.objects.filter(object_name="person__sys").count()) == (0, 0)


def test_what_is_rolled_back_leaves_no_entry() -> None:
    person = Person(last_name="Person")
    with transaction.atomic():
        save_record(record=person, actor=build_admin_actor())
        transaction.set_rollback(True)
    assert (Person.objects.count(), read_trail(person)) == (0, [])


def test_users_with_the_longest_names_can_write() -> None:
    user = UserFactory.create(first_name="F" * 150, last_name="L" * 150)
    person = PersonFactory.create(actor=Actor(user=user, source="job", reference="r" * 200))
    entry = get_last_entry(person)
    assert (entry.actor_name, entry.reference) == (("F" * 150 + " " + "L" * 150)[:255], "r" * 100)


# -- Somebody else was faster ---------------------------------------------------------------------
def test_a_record_changed_since_it_was_read_is_not_overwritten() -> None:
    mine, theirs = PersonFactory.create(phone="1"), None
    theirs = get(mine)
    theirs.phone = "2"
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False):
        save_record(
            record=theirs, actor=Actor(user=UserFactory.create(first_name="Otto", last_name="O"), source="page")
        )
    mine.phone = "3"
    with pytest.raises(StaleRecordError) as raised:
        save_record(record=mine, actor=build_admin_actor())
    assert str(raised.value) == (
        f"{mine} was changed by Otto O at 2 Mar 2026, 10:00 UTC, after you opened it (version 2, yours is 1). "
        "Reload it and apply your change again; nothing was saved."
    )
    assert get(mine).phone == "2"


def test_a_form_filled_from_an_older_version_is_refused_although_the_record_was_read_just_now() -> None:
    person = PersonFactory.create()
    person.phone = "2"
    save_record(record=person, actor=build_admin_actor())
    found = get(person)
    found.phone = "3"
    with pytest.raises(StaleRecordError, match="version 2, yours is 1"):
        save_record(record=found, actor=build_admin_actor(), expected_version=1)


def test_the_right_version_from_a_form_does_not_excuse_a_record_read_before_the_change() -> None:
    old = PersonFactory.create(phone="1", npi="")
    new = get(old)
    new.phone = "2"
    save_record(record=new, actor=build_admin_actor())
    old.npi = "9"
    with pytest.raises(StaleRecordError):
        save_record(record=old, actor=build_admin_actor(), expected_version=2)
    assert (get(old).phone, get(old).npi) == ("2", "")


def test_a_record_deleted_meanwhile_is_stale_for_one_and_for_many() -> None:
    person = PersonFactory.create()
    delete_record(record=person, actor=build_admin_actor())
    person.phone = "3"
    with pytest.raises(StaleRecordError, match="was deleted by somebody else; nothing was saved"):
        save_record(record=person, actor=build_admin_actor())
    with pytest.raises(StaleRecordError, match="was deleted by somebody else; nothing was saved"):
        update_records(records=[person], actor=build_admin_actor())
    with pytest.raises(StaleRecordError, match="was already deleted"):
        delete_record(record=person, actor=build_admin_actor())


def test_one_stale_record_among_many_keeps_all_from_being_written() -> None:
    people = create_people(3)
    theirs = get(people[1])
    theirs.phone = "2"
    save_record(record=theirs, actor=build_admin_actor())
    for person in people:
        person.phone = "3"
    entries = AuditEntry.objects.count()
    with pytest.raises(StaleRecordError):
        update_records(records=people, actor=build_admin_actor())
    assert [get(person).phone for person in people] == ["", "2", ""]
    assert AuditEntry.objects.count() == entries


def test_a_record_whose_write_failed_can_be_written_again() -> None:
    first, second = create_people(2)
    second.external_id, taken = first.external_id, second.external_id
    with pytest.raises(IntegrityError), transaction.atomic():
        save_record(record=second, actor=build_admin_actor(), validate=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        update_records(records=[second], actor=build_admin_actor())
    second.external_id, second.phone = taken, "3"
    assert save_record(record=second, actor=build_admin_actor()) is True
    assert (get(second).version, get(second).phone) == (2, "3")


# -- Many records ---------------------------------------------------------------------------------
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
EDITS = st.lists(
    st.dictionaries(
        st.sampled_from(["first_name", "phone", "npi", "language"]), st.sampled_from(["", "a", "b"]), max_size=3
    ),
    max_size=5,
)


@given(edits=EDITS)
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_one_by_one_and_in_bulk_leave_the_same_trail(edits: list[dict[str, str]]) -> None:
    actor = build_admin_actor()
    single, bulk = Person(last_name="Person"), Person(last_name="Person")
    save_record(record=single, actor=actor)
    create_records(records=[bulk], actor=actor)
    for edit in edits:
        for record in (single, bulk):
            for name, value in edit.items():
                setattr(record, name, value)
        written = save_record(record=single, actor=actor)
        assert (update_records(records=[bulk], actor=actor) == [bulk]) is written
    assert read_trail(single) == read_trail(bulk)
    assert (get(single).version, get(bulk).version) == (len(read_trail(single)),) * 2


@given(edits=EDITS, name=TEXTS)
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_trail_tells_every_state_that_a_record_ever_had(edits: list[dict[str, str]], name: str) -> None:
    actor = build_admin_actor()
    person = Person(last_name=f"P{name}", first_name=name)
    save_record(record=person, actor=actor, validate=False)
    states = [{field: getattr(person, field) for field in ("first_name", "phone", "npi", "language", "name")}]
    for edit in edits:
        for field, value in edit.items():
            setattr(person, field, value)
        save_record(record=person, actor=actor, validate=False)
        states.append({field: getattr(person, field) for field in states[0]})

    told = [dict.fromkeys(states[0], "")]
    for _, changes in read_trail(person):
        assert all(before in (None, told[-1][field]) for field, (before, _) in changes.items() if field in told[-1])
        assert all(before != after for before, after in changes.values())
        told.append({field: changes.get(field, (None, value))[1] for field, value in told[-1].items()})
    distinct = [state for number, state in enumerate(states) if number == 0 or state != states[number - 1]]
    assert told[1:] == distinct


def test_new_records_in_bulk_are_completed_and_stamped() -> None:
    actor = build_admin_actor()
    people = create_records(records=[Person(last_name="A"), Person(last_name="B", external_id="")], actor=actor)
    stored = [(p.name, p.external_id, p.version, p.created_by) for p in Person.objects.order_by("pk")]
    assert stored == [("A", None, 1, actor.user), ("B", None, 1, actor.user)]
    assert [person.pk for person in people] == list(Person.objects.order_by("pk").values_list("pk", flat=True))


def test_only_what_differs_is_written_and_returned() -> None:
    people = create_people(4)
    people[1].phone = people[3].phone = "9"
    assert update_records(records=people, actor=build_admin_actor(), reason="Moved") == [people[1], people[3]]
    assert [get(person).version for person in people] == [1, 2, 1, 2]
    assert list(
        AuditEntry.objects.filter(action=AuditAction.CHANGED).order_by("id").values_list("record_uid", "reason")
    ) == [(people[1].uid, "Moved"), (people[3].uid, "Moved")]


def test_one_record_given_twice_is_refused() -> None:
    person = PersonFactory.create()
    with pytest.raises(ValueError, match="A person was given twice"):
        update_records(records=[person, get(person)], actor=build_admin_actor())


def test_records_of_several_models_at_once_are_refused() -> None:
    mixed: list[AuditedModel] = [PersonFactory.create(), StudyFactory.create()]
    for write in (create_records, update_records):
        with pytest.raises(TypeError, match="of one model"):
            write(records=mixed, actor=build_admin_actor())


def test_nothing_to_write_asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    actor = build_admin_actor()
    with django_assert_num_queries(0):
        assert create_records(records=[], actor=actor) == []
        assert update_records(records=[], actor=actor) == []


@pytest.mark.parametrize("count", [1, 1000, 1001])
def test_statements_grow_with_batches_of_a_thousand_and_not_with_records(count: int) -> None:
    actor, site = build_admin_actor(), StudySiteFactory.create()
    with CaptureQueriesContext(connection) as creating:
        people = create_people(count)
    batches = math.ceil(count / 1000)
    # Factories look up their user; the labels of object types are those of the configuration in force.
    assert count_statements(creating) - Counter(SELECT=2) == {"INSERT": 2 * batches}

    activities = create_activities(count, people=people, site=site)
    found = list(Activity.objects.order_by("pk"))
    assert [a.pk for a in found] == [a.pk for a in activities]
    for activity in found:
        activity.subject += "!"
    with CaptureQueriesContext(connection) as updating:
        update_records(records=found, actor=actor)
    # The stored records, the studies of all of them, and whether a reason is needed.
    assert count_statements(updating) == {"SELECT": 3, "INSERT": 2 * batches}
    assert Activity.objects.filter(version=2, subject__endswith="!").count() == count


# -- Deleting -------------------------------------------------------------------------------------
def test_a_deleted_record_leaves_all_its_values() -> None:
    person = PersonFactory.create(first_name="Petra", last_name="Person", external_id="P-1", email="")
    delete_record(record=person, actor=build_admin_actor(), reason="Entered twice")
    entry = get_last_entry(person)
    assert entry.changes == {
        "name": ["Petra Person", None],
        "status": ["active__v", None],
        "object_type": ["person__v", None],
        "external_id": ["P-1", None],
        "first_name": ["Petra", None],
        "last_name": ["Person", None],
    }
    assert (entry.action, entry.reason, Person.objects.count()) == (AuditAction.DELETED, "Entered twice", 0)


def test_a_record_that_others_refer_to_stays_and_the_message_counts_them() -> None:
    site = StudySiteFactory.create()
    study, country = site.study, site.study_country
    ActivityFactory.create_batch(2, study=study)
    entries = AuditEntry.objects.count()
    with pytest.raises(RecordInUseError) as raised:
        delete_record(record=study, actor=build_admin_actor())
    assert str(raised.value) == (
        f"{study} cannot be deleted: it is referred to by 1 study country, 1 study site, 2 activities. "
        "Delete or change those first."
    )
    assert (Study.objects.count(), AuditEntry.objects.count()) == (1, entries)
    assert StudySite.objects.get().study_country == country


# -- Secrets --------------------------------------------------------------------------------------
def test_secrets_are_in_the_trail_only_as_set() -> None:
    authorization = ConnectionAuthorization(name="A", username="a@crm.example.com", password="canary-1")
    save_record(record=authorization, actor=build_admin_actor())
    set_password(authorization=authorization, password="canary-2", actor=build_admin_actor())
    authorization.password = ""
    save_record(record=authorization, actor=build_admin_actor())
    delete_record(record=authorization, actor=build_admin_actor())

    assert [changes.get("password") for _, changes in read_trail(authorization)] == [
        [None, "set"],
        ["set", "set"],
        ["set", ""],
        None,
    ]
    assert "consumer_key" not in read_trail(authorization)[0][1]


def test_no_audit_row_holds_a_secret() -> None:
    authorization = AuthorizationFactory.create()
    delete_record(record=authorization, actor=build_admin_actor())
    for row in AuditEntry.objects.values():
        assert CRM_PASSWORD not in str(row)
        assert authorization.password.token not in str(row)


# -- Permissions and events -----------------------------------------------------------------------
def test_a_change_of_permissions_is_in_the_trail() -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"])
    profile.permissions = ["study__v:read", "study__v:edit"]
    save_record(record=profile, actor=build_admin_actor())
    assert get_last_entry(profile).changes == {"permissions": [["study__v:read"], ["study__v:read", "study__v:edit"]]}


def test_an_event_has_an_entry_too() -> None:
    user: User = UserFactory.create(first_name="Uma", last_name="User")
    record_event(
        actor=Actor(user=user, source="page"),
        action=AuditAction.EVENT,
        object_name="exception_item__sys",
        changes={"dismissed": [False, True]},
        reason="r" * 900,
    )
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor, entry.actor_name, entry.record_uid) == ("event", user, "Uma User", None)
    assert (entry.changes, entry.reason) == ({"dismissed": [False, True]}, "r" * 500)
