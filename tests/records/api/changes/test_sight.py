"""The changes feed of readers who do not see every study: what comes into their sight, goes out of it, or never was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from connections.callbacks import issue_session
from connections.services import save_connection
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record
from ctms.clinical.models import StudyAssignment
from ctms.core.clock import get_now
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.factories.connections import ConnectionFactory
from tests.record_rows import OBJECTS, create_record
from tests.records.api.changes.feeds import Reader, build_reader, change, touch
from tests.records.api.conftest import Caller, build_limited_caller
from tests.rows import without_triggers

# On PostgreSQL what a transaction wrote before a bookmark of its own counts as written since.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
PERSON, ROLE, SITE, ACTIVITY = "person__sys", "study_person__clin", "site__v", "crm_activity__v"


def build_member(**assignment: Any) -> Caller:
    """A caller who may read everything, in the study, country or site of the assignment."""
    caller = build_limited_caller(*[f"{name}:read" for name in OBJECTS], sees_all_studies=False)
    StudyAssignmentFactory.create(user=caller.user, **assignment)
    return caller


def delete(record: Any) -> None:
    record.refresh_from_db()
    delete_record(record=record, actor=build_admin_actor())


def create_in(object_name: str, study: Any) -> Any:
    """One more record of the object in the study; one more study."""
    return create_record(object_name, None if object_name == "study__v" else study)


def build_role(study: Any, **values: Any) -> Any:
    return StudyPersonFactory.create(site=None, study=study, **values)


@pytest.mark.parametrize("object_name", [name for name in OBJECTS if name not in (PERSON, "training__v")])
def test_nothing_of_a_hidden_study_is_told_however_it_is_changed(object_name: str) -> None:
    hidden = StudyFactory.create()
    before = create_in(object_name, hidden)
    reader = build_reader(build_member(study=StudyFactory.create()), object_name)
    created = create_in(object_name, hidden)
    touch(before)
    delete(before)
    delete(created)
    page = reader.read_page()
    assert (page["reset"], page["results"], page["more"]) == (False, [], False)


@pytest.mark.parametrize("object_name", [name for name in OBJECTS if name not in (PERSON, "training__v", "study__v")])
def test_what_happens_in_a_study_of_the_reader_is_told(object_name: str) -> None:
    study = StudyFactory.create()
    changed = create_record(object_name, study)
    reader = build_reader(build_member(study=study), object_name)
    created = create_record(object_name, study)
    touch(changed)
    told = reader.follow()
    assert {told[str(changed.uid)], told[str(created.uid)]} == {"changed", "created"}
    assert "reset" not in told
    delete(created)
    assert reader.follow()[str(created.uid)] == "deleted"
    assert reader.known == reader.list_seen()


def test_what_moves_between_studies_goes_out_of_sight_and_comes_into_it() -> None:
    mine, other, third = StudyFactory.create_batch(3)
    leaving, coming, hidden = build_role(mine), build_role(other), build_role(other)
    reader = build_reader(build_member(study=mine), ROLE)
    change(leaving, study=other)
    change(coming, study=mine)
    change(hidden, study=third)
    page = reader.read_page()
    told = {each["uid__sys"]: each for each in page["results"]}
    assert {uid: each["change"] for uid, each in told.items()} == {
        str(leaving.uid): "went_out_of_sight",
        str(coming.uid): "came_into_sight",
    }
    gone = told[str(leaving.uid)]
    assert (gone["at"], gone["by"], gone["record"]) == (None, None, None)
    delete(leaving)
    assert reader.follow() == {}


def test_what_moved_through_the_readers_study_and_was_deleted_is_out_of_sight() -> None:
    mine, other = StudyFactory.create_batch(2)
    moving = build_role(other)
    reader = build_reader(build_member(study=mine), ROLE)
    change(moving, study=mine)
    change(moving, study=other)
    delete(moving)
    assert reader.follow() == {str(moving.uid): "went_out_of_sight"}


def test_another_assignment_tells_all_records_anew() -> None:
    first, second = StudyFactory.create_batch(2)
    roles = [build_role(first), build_role(second)]
    caller = build_member(study=first)
    reader = build_reader(caller, ROLE)
    assert set(reader.known) == {str(roles[0].uid)}
    added = StudyAssignmentFactory.create(user=caller.user, study=second)
    assert "reset" in reader.follow()
    assert set(reader.known) == {str(each.uid) for each in roles}
    delete(roles[1])
    delete(added)
    told = reader.follow()
    assert told == {"reset": "", str(roles[0].uid): "present"}
    assert reader.follow() == {}


def test_an_assignment_that_ends_by_its_date_tells_all_records_anew() -> None:
    # Hours that lie within the life of the token, whenever the test runs.
    noon = get_now().replace(hour=12, minute=0, second=0, microsecond=0)
    with time_machine.travel(noon, tick=False):
        study = StudyFactory.create()
        role = build_role(study)
        reader = build_reader(build_member(study=study, valid_until=noon.date()), ROLE)
        assert set(reader.known) == {str(role.uid)}
    with time_machine.travel(noon + dt.timedelta(hours=11), tick=False):
        assert reader.follow() == {}
    with time_machine.travel(noon + dt.timedelta(hours=13), tick=False):
        assert reader.follow() == {"reset": ""}


def test_another_profile_tells_all_records_anew() -> None:
    person = PersonFactory.create()
    caller = build_limited_caller(f"{PERSON}:read")
    reader = build_reader(caller, PERSON)
    profile = caller.user.security_profile
    change(profile, permissions=[f"{PERSON}.investigator__v:read"])
    assert reader.follow() == {"reset": ""}
    change(profile, permissions=[f"{PERSON}:read"])
    assert reader.follow() == {"reset": "", str(person.uid): "present"}


def test_a_change_at_another_site_of_the_study_is_not_told() -> None:
    country = StudyCountryFactory.create()
    mine, other = StudySiteFactory.create_batch(2, study_country=country)
    hidden, seen = MonitoringEventFactory.create(site=other), MonitoringEventFactory.create(site=mine)
    reader = build_reader(build_member(study=country.study, site=mine), "monitoring_event__ctms")
    touch(hidden)
    MonitoringEventFactory.create(site=other)
    touch(seen)
    assert reader.follow() == {str(seen.uid): "changed"}


def test_where_the_trail_does_not_say_whether_a_deleted_record_was_seen_all_are_told() -> None:
    country = StudyCountryFactory.create()
    mine, other = StudySiteFactory.create_batch(2, study_country=country)
    hidden, seen, left = (MonitoringEventFactory.create(site=site) for site in (other, mine, mine))
    reader = build_reader(build_member(study=country.study, site=mine), "monitoring_event__ctms")
    for each in (hidden, seen):
        delete(each)
        assert reader.follow() == {"reset": ""} | dict.fromkeys(reader.list_seen(), "present")
    assert set(reader.known) == {str(left.uid)}


def test_a_site_that_moves_to_another_country_takes_its_records_along() -> None:
    study = StudyFactory.create()
    mine, other = (StudyCountryFactory.create(study=study, country=code, name=code) for code in ("DE", "FR"))
    site = StudySiteFactory.create(study_country=other)
    event = MonitoringEventFactory.create(site=site)
    participant = MonitoringEventParticipantFactory.create(monitoring_event=event)
    caller = build_member(study=study, study_country=mine)
    readers = [
        build_reader(caller, name) for name in (SITE, "monitoring_event__ctms", "monitoring_event_participant__ctms")
    ]
    assert [reader.known for reader in readers] == [{}, {}, {}]
    change(site, study_country=mine)
    for reader, record in zip(readers, (site, event, participant), strict=True):
        reader.follow()
        assert set(reader.known) == {str(record.uid)}
        assert reader.known == reader.list_seen()
    change(site, study_country=other)
    for reader in readers:
        reader.follow()
        assert reader.known == {}


def test_parts_move_with_what_they_hang_on() -> None:
    mine, other = StudyFactory.create_batch(2)
    sites = [StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study)) for study in (mine, other)]
    first, second = (MonitoringEventFactory.create(site=site) for site in sites)
    participant = MonitoringEventParticipantFactory.create(monitoring_event=first)
    reader = build_reader(build_member(study=mine), "monitoring_event_participant__ctms")
    change(participant, monitoring_event=second)
    reader.follow()
    assert reader.known == {}
    change(participant, monitoring_event=first)
    reader.follow()
    assert set(reader.known) == {str(participant.uid)}


def test_a_person_comes_into_sight_with_the_first_role_and_goes_with_the_last() -> None:
    study = StudyFactory.create()
    person, hidden = PersonFactory.create_batch(2)
    caller = build_member(study=study)
    reader = build_reader(caller, PERSON)
    assert reader.known == {}
    build_role(StudyFactory.create(), person=hidden)
    change(person, last_name="Unseen")
    assert reader.follow() == {}
    role = build_role(study, person=person)
    assert reader.follow() == {str(person.uid): "came_into_sight"}
    assert reader.known == reader.list_seen()
    change(person, last_name="Seen")
    assert reader.follow() == {str(person.uid): "changed"}
    delete(role)
    assert reader.follow() == {"reset": ""}
    assert reader.known == {}


def test_persons_named_by_new_activities_are_told_and_others_are_not() -> None:
    study = StudyFactory.create()
    seen, hidden = PersonFactory.create_batch(2)
    reader = build_reader(build_member(study=study), PERSON)
    ActivityFactory.create(person=seen, study=study)
    ActivityFactory.create(person=hidden, study=StudyFactory.create())
    assert reader.follow() == {str(seen.uid): "came_into_sight"}
    assert reader.known == reader.list_seen()


def test_a_person_who_is_deleted_is_gone_from_the_copy() -> None:
    caller = build_member(study=StudyFactory.create())
    own = PersonFactory.create(last_name="Own")
    role = build_role(caller.user.study_assignments.get().study, person=own)
    reader = build_reader(caller, PERSON)
    assert set(reader.known) == {str(own.uid)}
    delete(role)
    delete(own)
    assert reader.follow() == {"reset": ""}


def test_records_without_a_study_are_told_to_who_sees_them() -> None:
    reader = build_reader(build_member(study=StudyFactory.create()), ACTIVITY)
    medical, clinical = MedicalActivityFactory.create(study=None), ActivityFactory.create(study=None)
    assert reader.follow() == {str(medical.uid): "created"}
    touch(clinical)
    assert reader.follow() == {}
    delete(medical)
    assert reader.follow() == {"reset": ""}


def test_a_redacted_change_of_a_hidden_record_begins_anew_and_tells_nothing_of_it() -> None:
    mine, other = StudyFactory.create_batch(2)
    hidden, leaving, seen = build_role(other), build_role(mine), build_role(mine)
    reader = build_reader(build_member(study=mine), ROLE)
    touch(hidden)
    change(leaving, study=other)
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        cursor.execute(
            "UPDATE audit_auditentry SET changes = %s, words = %s WHERE action = 'changed'",
            ['{"[redacted]": ["[redacted]", "[redacted]"]}', "{}"],
        )
    assert reader.follow() == {"reset": "", str(seen.uid): "present"}


def test_a_call_back_session_has_no_feed() -> None:
    user: User = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["study__v:read"]))
    crm = ConnectionFactory.create()
    crm.authorized_connection_user = user
    save_connection(connection=crm, actor=Actor(user=build_admin_actor().user, source="page"))
    issued = issue_session(connection_id=crm.pk, run_reference="run 7")
    assert issued is not None
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issued[1]}")
    assert client.get("/api/v1/study__v/").status_code == 200
    answer = client.get("/api/v1/study__v/changes/")
    assert (answer.status_code, "API token" in answer.json()["detail"]) == (403, True)


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("object_name", OBJECTS)
def test_a_page_takes_as_many_statements_for_one_change_as_for_twenty(object_name: str) -> None:
    study = StudyFactory.create()
    caller = build_member(study=study)
    reader = build_reader(caller, object_name)
    counts = []
    for more in (1, 19):
        for _ in range(more):
            create_in(object_name, study)
        reader.follow()
        record = create_in(object_name, study)
        touch(record)
        with CaptureQueriesContext(connection) as queries:
            assert not reader.read_page()["reset"]
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_copy_is_right_after_any_number_of_changes() -> None:
    """Many changes of all sorts, between which the reader follows at various moments."""
    studies = StudyFactory.create_batch(3)
    caller = build_member(study=studies[0])
    readers = [build_reader(caller, name) for name in (PERSON, ROLE)]
    roles = [build_role(study) for study in studies for _ in range(2)]
    steps: list[Callable[[], Any]] = [
        lambda: change(roles[0], study=studies[1]),
        lambda: change(roles[2], study=studies[0]),
        lambda: change(roles[0], study=studies[0]),
        lambda: roles.append(build_role(studies[0], person=roles[4].person)),
        lambda: StudyAssignmentFactory.create(user=caller.user, study=studies[2]),
        lambda: delete(roles[1]),
        lambda: delete(roles[3]),
        lambda: change(roles[4], study=studies[1]),
        lambda: delete(StudyAssignment.objects.get(user=caller.user, study=studies[0])),
        lambda: delete(roles[5]),
        lambda: change(roles[4].person, last_name="Changed"),
    ]
    for number, step in enumerate(steps):
        step()
        for reader in readers[: 1 + number % 2]:
            reader.follow(size=2)
            assert reader.known == reader.list_seen(), number
    for reader in readers:
        reader.follow()
        assert reader.known == reader.list_seen()


def test_a_reader_of_nothing_yet_is_told_nothing() -> None:
    caller = build_limited_caller(f"{ROLE}:read", sees_all_studies=False)
    build_role(StudyFactory.create())
    reader = Reader(caller=caller, object_name=ROLE)
    assert reader.follow() == {"reset": ""}
    assert reader.follow() == {}
