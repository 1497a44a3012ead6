"""Undo of edits, creations, deletions, bulk edits and imports: what comes back, and what is refused with its reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.change_sets import ChangeSet, build_reference, find_change_set
from ctms.audit.models import AuditEntry, AuditRedaction
from ctms.audit.redaction import approve_redaction, ask_redaction
from ctms.audit.sealing import seal_entries
from ctms.audit.services import delete_record, save_record
from ctms.clinical.erasure import erase_person
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person, Study
from ctms.configuration.models import CustomField, ReasonRule
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.records.access import open_object
from ctms.records.merging.moving import Move
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
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
from tests.records.bulk.steps import do_edit, do_import, list_problems, run_job
from tests.records.trainings import OBJECT as TRAINING
from tests.records.trainings import add_custom_fields, create_trainings, open_trainings
from tests.records.undo.steps import change, delete, edit_field, find_last, name_url, read_messages, undo, undo_last
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, STUDY = "crm_activity__v", "study__v"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


# -- One record -----------------------------------------------------------------------------------
def test_a_saved_field_is_undone_with_one_click_and_that_is_undone_again(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "New")
    (told,) = read_messages(client)
    assert 'form="undo"' in told
    assert f'formaction="/undo/change/{find_last(activity).key}/"' in told
    assert undo_last(client, activity).url == f"/records/{ACTIVITY}/{activity.uid}/"
    activity.refresh_from_db()
    assert (activity.subject, activity.version) == ("Old", 3)
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    assert (entry.actor, entry.source) == (user, "page")
    assert entry.reason.startswith("Undo of the change of ")
    (told,) = read_messages(client)
    assert told.startswith("Undone: 1 changed.")
    undo_last(client, activity)
    activity.refresh_from_db()
    assert (activity.subject, activity.version) == ("New", 4)


def test_a_reference_a_date_and_a_status_come_back(client: Client) -> None:
    first, second = PersonFactory.create_batch(2)
    activity = ActivityFactory.create(person=first, date=dt.date(2026, 3, 31))
    edit_field(client, activity, "person__v", str(second.uid))
    undo_last(client, activity)
    edit_field(client, activity, "date__v", "2026-04-01")
    undo_last(client, activity)
    fresh = Activity.objects.get(pk=activity.pk)
    client.post(
        f"/records/{ACTIVITY}/{activity.uid}/status/", {"status": "inactive__v", "expected_version": fresh.version}
    )
    undo_last(client, activity)
    fresh.refresh_from_db()
    assert (fresh.person, fresh.date, fresh.status) == (first, dt.date(2026, 3, 31), RecordStatus.ACTIVE)


def test_what_was_changed_since_is_refused_by_name(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "Mine")
    mine = find_last(activity)
    change(activity, subject="Theirs")
    response = client.post(f"/undo/{mine.kind}/{mine.key}/", follow=True)
    (row,) = response.context["rows"]
    (problem,) = row.problems
    assert (row.outcome, problem.label) == ("Stays as it is", "Subject")
    assert problem.message.startswith("Ada Admin changed this on ")
    assert "There is nothing that could be undone." in response.content.decode()
    activity.refresh_from_db()
    assert activity.subject == "Theirs"


def test_a_change_of_another_field_since_does_not_matter(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "Mine")
    mine = find_last(activity)
    change(activity, notes="Theirs")
    undo(client, mine)
    activity.refresh_from_db()
    assert (activity.subject, activity.notes) == ("Old", "Theirs")


def test_what_was_changed_there_and_back_is_refused_too(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "Mine")
    mine = find_last(activity)
    change(activity, subject="Theirs")
    change(activity, subject="Mine")
    undo(client, mine)
    activity.refresh_from_db()
    assert activity.subject == "Mine"


def test_undoing_twice_says_that_all_is_as_it_was(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "New")
    mine = find_last(activity)
    undo(client, mine)
    read_messages(client)
    undo(client, mine)
    assert read_messages(client) == ["There is nothing to undo: all is as it was before."]
    assert BulkOperation.objects.count() == 1


# -- Deletions ------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_deleted_record_refers_to_nobody_who_is_gone_in_a_custom_field(client: Client, is_kept: bool) -> None:
    mentor = CustomField(
        of_object=ACTIVITY, label="Mentor", api_name="mentor__c", kind="reference", reference_object="person__sys"
    )
    save_record(record=mentor, actor=build_admin_actor())
    person = PersonFactory.create()
    activity = ActivityFactory.create(custom_fields={"mentor__c": str(person.uid)})
    delete(client, activity)
    if not is_kept:
        delete(client, person)
    page = client.get(undo_last(client, activity).headers["Location"], follow=True).content.decode()
    stored = list(Activity.objects.values_list("custom_fields", flat=True))
    assert stored == ([{"mentor__c": str(person.uid)}] if is_kept else [])
    assert ("Mentor: What it referred to is deleted" in " ".join(strip_tags(page).split())) != is_kept


def test_a_deleted_record_comes_back_without_the_values_of_fields_that_are_gone(client: Client) -> None:
    field = CustomField(of_object=ACTIVITY, label="Code", api_name="code__c", kind="text")
    save_record(record=field, actor=build_admin_actor())
    activity = ActivityFactory.create(custom_fields={"code__c": "A"})
    delete(client, activity)
    delete_record(record=field, actor=build_admin_actor())
    undo_last(client, activity)
    assert Activity.objects.get().custom_fields == {}


def test_a_deleted_record_comes_back_with_its_uid_its_author_and_a_later_version(client: Client) -> None:
    activity = ActivityFactory.create(subject="Call", complete=True)
    edit_field(client, activity, "subject__v", "Call again")
    activity.refresh_from_db()
    before = {
        name: getattr(activity, name) for name in ("subject", "person_id", "date", "complete", "name", "study_id")
    }
    delete(client, activity)
    assert "was deleted. <button" in read_messages(client)[0]
    undo_last(client, activity)
    back = Activity.objects.get(uid=activity.uid)
    assert {name: getattr(back, name) for name in before} == before
    assert (back.created_at, back.created_by) == (activity.created_at, activity.created_by)
    assert back.version > activity.version
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    assert entry.action == "restored"


def test_a_deletion_comes_back_with_the_parts_that_went_with_it(client: Client) -> None:
    site = StudySiteFactory.create()
    person = PersonFactory.create()
    event = MonitoringEventFactory.create(site=site)
    part = MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)
    delete(client, event)
    assert not MonitoringEvent.objects.exists()
    assert not MonitoringEventParticipant.objects.exists()
    undo_last(client, event)
    back = MonitoringEvent.objects.get(uid=event.uid)
    assert (back.pk, MonitoringEventParticipant.objects.get(uid=part.uid).monitoring_event) == (event.pk, back)


def test_the_undo_of_a_deletion_is_undone_with_all_parts(client: Client) -> None:
    part = MonitoringEventParticipantFactory.create()
    event = part.monitoring_event
    delete(client, event)
    undo_last(client, event)
    undo_last(client, event)
    assert not MonitoringEvent.objects.exists()
    undo_last(client, event)
    assert MonitoringEventParticipant.objects.get(uid=part.uid).monitoring_event.uid == event.uid


def test_a_deletion_is_refused_whose_number_is_taken(client: Client) -> None:
    study = StudyFactory.create(name="S-1")
    delete(client, study)
    StudyFactory.create(name="S-1")
    response = client.post(name_url(study), follow=True)
    (problem,) = response.context["rows"][0].problems
    assert (problem.label, problem.value) == ("Study number", "S-1")
    assert not Study.objects.filter(uid=study.uid).exists()


def test_a_deletion_is_refused_without_what_it_referred_to(client: Client) -> None:
    activity = ActivityFactory.create()
    delete(client, activity)
    person = activity.person
    delete(client, person)
    response = client.post(name_url(activity), follow=True)
    assert "What it referred to is deleted, or not visible to you." in response.content.decode()
    undo_last(client, person)
    undo_last(client, activity)
    assert Activity.objects.get(uid=activity.uid).person.uid == person.uid


# -- Creations ------------------------------------------------------------------------------------
def create_study(client: Client, number: str = "S-1") -> Study:
    sent = {
        "name__v": number,
        "status__v": "active__v",
        "study_phase__v": "phase_1__v",
        "state__v": "planning_state__v",
    }
    response = client.post(f"/records/{STUDY}/create/", sent)
    assert response.status_code == 302, response.context["form"].errors
    return Study.objects.get(name=number)


def test_the_undo_of_a_creation_deletes_the_record(client: Client) -> None:
    study = create_study(client)
    undo_last(client, study)
    assert not Study.objects.exists()
    undo_last(client, study)
    assert Study.objects.get(uid=study.uid).name == "S-1"


def test_a_created_record_that_was_changed_or_is_referred_to_stays(client: Client) -> None:
    study, other = create_study(client), create_study(client, "S-2")
    made, changed = find_last(study), find_last(other)
    StudyCountryFactory.create(study=study)
    change(other, study_name="Theirs")
    response = client.post(f"/undo/{made.kind}/{made.key}/", follow=True)
    assert "It is referred to by 1 study countries. Delete or change those first." in response.content.decode()
    response = client.post(f"/undo/{changed.kind}/{changed.key}/", follow=True)
    assert "Ada Admin changed this on" in response.content.decode()
    assert Study.objects.count() == 2


def test_what_keeps_a_created_record_is_not_told_to_who_does_not_see_it(client: Client) -> None:
    rights = [f"person__sys:{action}" for action in ("read", "create", "edit", "delete")]
    profile = SecurityProfileFactory.create(permissions=[*rights, "study_person__clin:read"])
    member = UserFactory.create(security_profile=profile)
    site = StudySiteFactory.create()
    StudyAssignmentFactory.create(user=member, study=site.study)
    client.force_login(member)
    values = {"last_name__sys": "Lee", "object_type__v": "person__v"}
    sent = client.post("/api/v1/person__sys/", values, content_type="application/json")
    assert sent.status_code == 201, sent.content
    person = Person.objects.get(uid=sent.json()["uid__sys"])
    ActivityFactory.create(person=person)
    made = name_url(person)
    hidden = client.post(made, follow=True).content.decode()
    assert "Records that you do not see refer to it." in hidden
    assert "1 activit" not in hidden
    StudyPersonFactory.create(person=person, site=site)
    both = client.post(made, follow=True).content.decode()
    assert "It is referred to by 1 study people. Delete or change those first. Records that you do not see may" in both


# -- Many records ---------------------------------------------------------------------------------
def test_a_bulk_edit_is_undone_at_once(client: Client) -> None:
    activities = create_activities(3)
    operation = do_edit(client, ACTIVITY, activities, subject__v="New", complete__v="yes")
    page = client.get(f"/operations/{operation.uid}/").content.decode()
    assert f'formaction="/undo/edit/{operation.uid}/"' in page
    undo(client, ChangeSet(kind="edit", key=str(operation.uid)))
    values = {(each.subject, each.complete) for each in Activity.objects.all()}
    assert values == {(each.subject, each.complete) for each in activities}


def test_custom_fields_of_every_kind_come_back(client: Client) -> None:
    add_custom_fields()
    trainings = create_trainings()
    before = {each.uid: each.custom_fields for each in trainings}
    person = PersonFactory.create()
    values: dict[str, Any] = {
        "text__c": "New",
        "number__c": "7",
        "date__c": "2026-05-05",
        "yes_no__c": "yes",
        "picklist__c": None,
        "person__c": str(person.uid),
    }
    known: dict[str, Any] = {name: value for name, value in values.items() if name in open_trainings().shape.fields}
    operation = do_edit(client, TRAINING, trainings, **known)
    assert not operation.failed
    undo(client, ChangeSet(kind="edit", key=str(operation.uid)))
    assert {each.uid: _drop_empty(each.custom_fields) for each in Training.objects.all()} == {
        uid: _drop_empty(fields) for uid, fields in before.items()
    }
    record = Training.objects.get(uid=trainings[0].uid)
    delete(client, record)
    undo_last(client, record)
    assert _drop_empty(Training.objects.get(uid=record.uid).custom_fields) == _drop_empty(record.custom_fields)


def _drop_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}


def test_what_somebody_changed_after_a_bulk_edit_stays_and_the_rest_is_undone(client: Client) -> None:
    first, second = create_activities(2)
    operation = do_edit(client, ACTIVITY, [first, second], subject__v="New")
    change(first, subject="Theirs")
    response = client.post(f"/undo/edit/{operation.uid}/", follow=True)
    assert sorted(row.outcome for row in response.context["rows"]) == ["Change back", "Stays as it is"]
    undoing = BulkOperation.objects.get(kind="undo")
    response = client.post(f"/records/{ACTIVITY}/undo/{undoing.uid}/", {"mode": "valid"})
    run_job(undoing)
    assert undoing.message == "1 changed, 1 not undone."
    assert set(Activity.objects.values_list("subject", flat=True)) == {"Theirs", second.subject}
    assert list_problems(undoing)[0][1] == "Subject"


def test_all_or_nothing_undoes_nothing_then(client: Client) -> None:
    first, second = create_activities(2)
    operation = do_edit(client, ACTIVITY, [first, second], subject__v="New")
    change(first, subject="Theirs")
    BulkOperation.objects.update(plan={"list": "complete__v=no"})
    response = client.post(f"/undo/edit/{operation.uid}/", follow=True)
    assert response.context["list_url"] == f"/records/{ACTIVITY}/?complete__v=no"
    undoing = BulkOperation.objects.get(kind="undo")
    client.post(f"/records/{ACTIVITY}/undo/{undoing.uid}/", {"mode": "all"})
    run_job(undoing)
    assert (undoing.state, undoing.message) == ("failed", "Nothing was undone: 1 of 2 records cannot be put back.")
    assert set(Activity.objects.values_list("subject", flat=True)) == {"Theirs", "New"}


def test_an_import_is_undone_and_the_undo_of_it(client: Client) -> None:
    StudyFactory.create(name="S-1", study_name="Old")
    operation = do_import(client, STUDY, "Study number,Study name\nS-1,New\nS-2,Two\nS-3,Three\n", key="name__v")
    made = set(Study.objects.exclude(name="S-1").values_list("uid", flat=True))
    undo(client, ChangeSet(kind="import", key=str(operation.uid)))
    assert list(Study.objects.values_list("name", "study_name")) == [("S-1", "Old")]
    undoing = BulkOperation.objects.get(kind="undo")
    undo(client, ChangeSet(kind="undo", key=str(undoing.uid)))
    assert list_problems(BulkOperation.objects.latest("id")) == []
    assert set(Study.objects.values_list("name", "study_name")) == {("S-1", "New"), ("S-2", "Two"), ("S-3", "Three")}
    assert set(Study.objects.exclude(name="S-1").values_list("uid", flat=True)) == made


def test_many_records_take_as_many_statements_a_batch_as_few(client: Client) -> None:
    people = create_people(3)

    def count(number: int) -> int:
        operation = do_edit(client, ACTIVITY, create_activities(number, people=people), subject__v="New")
        with CaptureQueriesContext(connection) as captured:
            undo(client, ChangeSet(kind="edit", key=str(operation.uid)))
        return len(captured)

    count(1)  # fills what the process keeps
    assert count(60) <= count(2)


def test_an_import_of_many_is_deleted_in_few_statements(client: Client) -> None:
    def count(number: int, prefix: str) -> int:
        rows = "".join(f"{prefix}-{each},Name\n" for each in range(number))
        operation = do_import(client, STUDY, f"Study number,Study name\n{rows}", key="name__v")
        with CaptureQueriesContext(connection) as captured:
            undo(client, ChangeSet(kind="import", key=str(operation.uid)))
        return len(captured)

    count(1, "A")
    assert count(60, "B") <= count(2, "C")
    assert not Study.objects.exists()


# -- The trail ------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def redact(entry: AuditEntry, *, user: User) -> None:
    seal_entries()
    redaction = AuditRedaction(entry_ids=[entry.pk], reason="Erasure was asked for")
    ask_redaction(redaction=redaction, actor=Actor(user=user, source="admin"))
    approve_redaction(redaction=redaction, actor=build_admin_actor())


def test_redacted_values_cannot_be_undone_and_say_so(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "New")
    change_set = find_last(activity)
    redact(change_set.list_entries().get(), user=user)
    response = client.post(f"/undo/{change_set.kind}/{change_set.key}/", follow=True)
    assert "were redacted in the audit trail" in response.content.decode()


def test_a_change_since_that_was_redacted_is_one_nevertheless(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "Mine")
    mine = find_last(activity)
    change(activity, subject="Theirs")
    redact(AuditEntry.objects.latest("id"), user=user)
    undo(client, mine)
    activity.refresh_from_db()
    assert activity.subject == "Theirs"


@pytest.mark.parametrize("is_redacted", [True, False])
def test_a_creation_is_kept_that_somebody_changed_before_its_name_followed(
    client: Client, user: User, is_redacted: bool
) -> None:
    person = PersonFactory.create(first_name="Ann", last_name="Lee")
    made = MonitoringEventParticipantFactory.build(person=person, monitoring_event=MonitoringEventFactory.create())
    save_record(record=made, actor=Actor(user=user, source="page", reference=build_reference(kind="change")))
    created = find_last(made)
    change(made, status=RecordStatus.INACTIVE)
    if is_redacted:
        redact(AuditEntry.objects.filter(record_uid=made.uid).latest("id"), user=user)
    change(person, last_name="Leigh")
    undo(client, created)
    assert MonitoringEventParticipant.objects.get().name == "Ann Leigh"


def test_an_erasure_is_not_undone_nor_what_was_before_it(client: Client) -> None:
    person = PersonFactory.create(phone="+49 30 123")
    edit_field(client, person, "phone__v", "")
    emptied = find_last(person)
    erase_person(person=Person.objects.get(pk=person.pk), actor=build_admin_actor(), reason="Asked for")
    assert find_change_set(AuditEntry.objects.filter(record_uid=person.uid).latest("id")) is None
    response = client.post(f"/undo/{emptied.kind}/{emptied.key}/", follow=True)
    assert "The person was erased on request" in response.content.decode()
    assert Person.objects.get(pk=person.pk).phone == ""


def test_a_merge_is_not_undone(client: Client, user: User) -> None:
    first, second = PersonFactory.create_batch(2)
    activity = ActivityFactory.create(person=second)
    access = open_object(user=user, object_name="person__sys")
    actor = Actor(user=user, source="page", reference=build_reference(kind="change"))
    with transaction.atomic():
        move = Move(configuration=access.configuration, actor=actor, reason="Entered twice")
        move.replace(loser=second, winner=first)
    undo_last(client, activity)
    assert any("Records were merged" in each for each in read_messages(client))
    assert not Person.objects.filter(uid=second.uid).exists()
    assert Activity.objects.get().person == first


def test_a_reason_is_asked_for_where_the_change_needs_one(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "New")
    rule = ReasonRule(of_object=ACTIVITY, field_name="subject__v")
    save_record(record=rule, actor=build_admin_actor())
    response = client.post(name_url(activity), follow=True)
    assert response.context["reasoned"] == ["Subject"]
    undoing = BulkOperation.objects.get(kind="undo")
    url = f"/records/{ACTIVITY}/undo/{undoing.uid}/"
    assert "Say why Subject is changed." in client.post(url).content.decode()
    client.post(url, {"change_reason": "Wrong record"})
    run_job(undoing)
    activity.refresh_from_db()
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    assert activity.subject == "Old"
    assert entry.reason.startswith("Wrong record (Undo of the change of ")


# -- Who may --------------------------------------------------------------------------------------
def test_others_undo_what_they_may_change_themselves(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "New")
    mine = find_last(activity)
    reader = SecurityProfileFactory.create(permissions=[f"{ACTIVITY}:read"], sees_all_studies=True)
    editor = SecurityProfileFactory.create(permissions=[f"{ACTIVITY}:read", f"{ACTIVITY}:edit"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=reader))
    response = client.post(f"/undo/{mine.kind}/{mine.key}/", follow=True)
    assert "does not allow you to edit" in response.content.decode()
    client.force_login(UserFactory.create(security_profile=editor))
    undo(client, mine)
    activity.refresh_from_db()
    assert activity.subject == "Old"


def test_a_bulk_edit_of_others_is_undone_by_who_manages_jobs_alone(client: Client) -> None:
    operation = do_edit(client, ACTIVITY, create_activities(1), subject__v="New")
    rights = [f"{ACTIVITY}:read", f"{ACTIVITY}:edit"]
    url = f"/undo/edit/{operation.uid}/"
    profile = SecurityProfileFactory.create(permissions=rights, sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))
    assert client.post(url).status_code == 404
    profile = SecurityProfileFactory.create(permissions=[*rights, "admin:jobs"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))
    assert client.post(url).status_code == 302
    assert not Activity.objects.filter(subject="New").exists()


def test_what_is_not_visible_is_not_there(client: Client) -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(study=site.study, site=site, subject="Old")
    edit_field(client, activity, "subject__v", "New")
    mine = find_last(activity)
    profile = SecurityProfileFactory.create(permissions=[f"{ACTIVITY}:read", f"{ACTIVITY}:edit"])
    client.force_login(UserFactory.create(security_profile=profile))
    assert client.post(f"/undo/{mine.kind}/{mine.key}/").status_code == 404


@pytest.mark.parametrize("address", ["change/nonsense", "run/12", "entry/x", f"change/{'0' * 32}", "entry/99999999"])
def test_addresses_of_nothing_are_not_found(client: Client, address: str) -> None:
    assert client.post(f"/undo/{address}/").status_code == 404


# -- Where it is offered --------------------------------------------------------------------------
def test_the_history_of_a_record_offers_a_look_at_each_change(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    edit_field(client, activity, "subject__v", "New")
    page = client.get(f"/records/{ACTIVITY}/{activity.uid}/").content.decode()
    assert f'formaction="/undo/change/{find_last(activity).key}/"' in page
    response = undo_last(client, activity, preview="1")
    assert response.url.startswith("/operations/")
    activity.refresh_from_db()
    assert activity.subject == "New"


def test_own_changes_are_listed_with_deletions(client: Client) -> None:
    activity = ActivityFactory.create(subject="Call")
    edit_field(client, activity, "subject__v", "New")
    delete(client, Activity.objects.get(pk=activity.pk))
    do_edit(client, ACTIVITY, create_activities(3), complete__v="yes")
    told = [(each.what, bool(each.url)) for each in client.get("/changes/").context["changes"]]
    assert told[0][0].startswith("Activity changed in a bulk edit")
    assert told[1:] == [("Activity deleted", False), ("Activity changed", False)]


def test_an_operation_of_long_ago_is_looked_at_first(client: Client) -> None:
    operation = do_edit(client, ACTIVITY, create_activities(1), subject__v="New")
    BulkOperation.objects.update(finished_at=get_now() - dt.timedelta(hours=2))
    assert "Undo…" in client.get(f"/operations/{operation.uid}/").content.decode()
