"""A change, a deletion and a creation are undone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils.html import strip_tags

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person, Study
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
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
from tests.records.undo.steps import (
    ACTIVITY,
    STUDY,
    change,
    delete,
    edit_field,
    find_last,
    name_url,
    read_messages,
    undo,
    undo_last,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


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
