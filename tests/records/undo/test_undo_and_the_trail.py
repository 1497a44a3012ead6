"""What an undo leaves in the trail, who may undo, and where it is offered."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from django.test import Client

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.change_sets import build_reference, find_change_set
from ctms.audit.models import AuditEntry, AuditRedaction
from ctms.audit.redaction import approve_redaction, ask_redaction
from ctms.audit.sealing import seal_entries
from ctms.audit.services import save_record
from ctms.clinical.erasure import erase_person
from ctms.clinical.models import MonitoringEventParticipant, Person
from ctms.configuration.models import ReasonRule
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.records.access import open_object
from ctms.records.merging.moving import Move
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudySiteFactory,
)
from tests.records.bulk.steps import do_edit, run_job
from tests.records.undo.steps import (
    ACTIVITY,
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
