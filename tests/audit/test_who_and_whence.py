"""An entry says who did it in which role, from which address, and to which study and connection the record belonged."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ctms.accounts.models import TokenScope, User
from ctms.accounts.policies import list_visible
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.api_tokens import create_token
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.places import STUDY, find_places
from ctms.audit.services import delete_record, record_event, save_record
from ctms.clinical.models import MonitoringEventParticipant
from ctms.core.models import AuditedModel
from exceptions_log.models import ExceptionItem
from tests.admin_forms import log_in_admin, submit
from tests.admin_rows import create_exception_item
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get_last(record: AuditedModel) -> AuditEntry:
    return AuditEntry.objects.filter(record_uid=record.uid).latest("id")


def test_an_entry_holds_role_address_and_time_zone_of_then() -> None:
    profile = SecurityProfileFactory.create(name="Monitors")
    user = UserFactory.create(security_profile=profile, time_zone="Asia/Tokyo")
    study = StudyFactory.create(actor=Actor(user=user, source="page", address="2001:db8::7"))
    profile.name = "Monitor"
    save_record(record=profile, actor=build_admin_actor())
    entry = get_last(study)
    assert (entry.actor_role, entry.address, entry.time_zone) == ("Monitors", "2001:db8::7", "Asia/Tokyo")
    assert entry.object_label == "Study"
    assert get_last(profile).actor_role == "Superuser"


def test_jobs_have_no_address_and_no_role() -> None:
    entry = get_last(StudyFactory.create(actor=build_system_actor(source="job")))
    assert (entry.actor_name, entry.actor_role, entry.address, entry.time_zone) == ("System", "", "", "UTC")


def test_entries_name_the_study_however_far_it_is() -> None:
    participant = MonitoringEventParticipantFactory.create()
    site = participant.monitoring_event.site
    study = site.study
    for record in (study, site, participant, StudyAssignmentFactory.create(study=study)):
        assert get_last(record).study_uid == study.uid
    assert get_last(PersonFactory.create()).study_uid is None


def test_the_study_is_the_one_of_then() -> None:
    first, second = StudyFactory.create_batch(2)
    activity = ActivityFactory.create(study=first)
    activity.study = second
    save_record(record=activity, actor=build_admin_actor())
    entries = AuditEntry.objects.filter(record_uid=activity.uid).order_by("id")
    assert list(entries.values_list("study_uid", flat=True)) == [first.uid, second.uid]


def test_one_statement_finds_the_studies_of_many_records_and_none_if_they_are_loaded() -> None:
    participants = MonitoringEventParticipantFactory.create_batch(3)
    unloaded = MonitoringEventParticipant.objects.all()
    loaded = MonitoringEventParticipant.objects.select_related("monitoring_event__study")
    for records, statements in ((unloaded, 2), (loaded, 1)):
        with CaptureQueriesContext(database) as captured:
            found = find_places(list(records.order_by("pk")))
        assert len(captured) == statements
        assert found == [{STUDY: each.monitoring_event.study.uid} for each in participants]


def test_entries_of_the_set_up_name_the_connection() -> None:
    connection = ConnectionFactory.create()
    integration = connection.integrations.first()
    assert integration is not None
    records: list[AuditedModel] = [connection, integration, integration.rule, *integration.rule.field_rules.all()]
    for record in records:
        assert get_last(record).connection_uid == connection.uid
    received = ActivityFactory.create(actor=build_system_actor(source="job", connection_uid=connection.uid))
    assert get_last(received).connection_uid == connection.uid


def test_page_console_and_api_give_the_address_of_the_request(client: Client) -> None:
    user = log_in_admin(client)
    study = StudyFactory.create()
    site = StudySiteFactory.create()
    _, token = create_token(name="program", days=1, actor=Actor(user=user, source="page"), scope=TokenScope.WRITE)
    client.post(
        f"/records/site__v/{site.uid}/fields/city__v/",
        {"city__v": "Bonn", "expected_version": str(site.version)},
        REMOTE_ADDR="192.0.2.1",
    )
    page = reverse("admin:clinical_study_change", args=(study.pk,))
    console = Client(REMOTE_ADDR="192.0.2.2")
    console.force_login(user)
    submit(console, page, form_id="study_form", sponsor="Acme")
    Client().patch(
        f"/api/v1/study__v/{study.uid}/",
        {"sponsor__v": "Better"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}", "If-Match": "*"},
        REMOTE_ADDR="192.0.2.3",
    )
    entries = AuditEntry.objects.filter(action="changed").order_by("id").values_list("source", "address")
    assert list(entries) == [("page", "192.0.2.1"), ("admin", "192.0.2.2"), ("api", "192.0.2.3")]


def test_log_in_log_out_and_refused_log_in_have_the_address(client: Client) -> None:
    user = UserFactory.create(username="carla", security_profile=SecurityProfileFactory.create(name="Monitors"))
    form = {"username": "carla", "password": "wrong"}
    client.post("/login/", form, REMOTE_ADDR="192.0.2.1")
    client.post("/login/", {**form, "password": USER_PASSWORD}, REMOTE_ADDR="192.0.2.2")
    client.post("/logout/", REMOTE_ADDR="192.0.2.3")
    entries = AuditEntry.objects.filter(object_name="accounts.user").exclude(action=AuditAction.CREATED).order_by("id")
    assert [(each.action, each.actor_name, each.actor_role, each.address) for each in entries] == [
        (AuditAction.LOGIN_FAILED, "carla", "", "192.0.2.1"),
        (AuditAction.LOGGED_IN, str(user), "Monitors", "192.0.2.2"),
        (AuditAction.LOGGED_OUT, str(user), "Monitors", "192.0.2.3"),
    ]


# -- Who sees entries about what is deleted -------------------------------------------------------
@pytest.fixture
def reader() -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["admin:audit"]))


def test_entries_about_deleted_records_are_seen_by_who_sees_their_study(reader: User) -> None:
    mine = StudyAssignmentFactory.create(user=reader).study
    seen, hidden = StudySiteFactory.create(study_country__study=mine), StudySiteFactory.create()
    uids = {seen.uid, hidden.uid}
    for site in (seen, hidden):
        delete_record(record=site, actor=build_admin_actor())
    visible = list_visible(AuditEntry.objects.filter(record_uid__in=uids), reader)
    assert {(entry.record_uid, entry.action) for entry in visible} == {
        (seen.uid, AuditAction.CREATED),
        (seen.uid, AuditAction.DELETED),
    }


def test_entries_about_deleted_records_are_not_seen_by_who_is_assigned_to_a_part_of_the_study(reader: User) -> None:
    mine, other = StudySiteFactory.create(), StudySiteFactory.create()
    StudyAssignmentFactory.create(user=reader, study=mine.study, site=mine)
    gone = StudySiteFactory.create(study_country=mine.study_country)
    for site in (gone, other):
        delete_record(record=site, actor=build_admin_actor())
    visible = list_visible(AuditEntry.objects.filter(record_uid__in={mine.uid, gone.uid, other.uid}), reader)
    assert {entry.record_uid for entry in visible} == {mine.uid}


def test_a_record_that_was_moved_to_another_study_is_seen_by_who_sees_it_now(reader: User) -> None:
    mine, foreign = StudyAssignmentFactory.create(user=reader).study, StudyFactory.create()
    activity = ActivityFactory.create(study=mine)
    activity.study = foreign
    save_record(record=activity, actor=build_admin_actor())
    assert not list_visible(AuditEntry.objects.filter(record_uid=activity.uid), reader).exists()


def test_entries_about_exceptions_of_records_that_the_reader_does_not_see_are_not_told(reader: User) -> None:
    mine = ActivityFactory.create(study=StudyAssignmentFactory.create(user=reader).study)
    seen, hidden = (
        create_exception_item(record_uid=mine.uid),
        create_exception_item(record_uid=ActivityFactory.create(study=StudyFactory.create()).uid),
    )
    for item in (seen, hidden):
        record_event(
            actor=build_admin_actor(),
            action=AuditAction.EVENT,
            object_name=ExceptionItem.object_name,
            record=item,
            reason="Dr Canary left",
        )
    told = list_visible(AuditEntry.objects.filter(object_name=ExceptionItem.object_name), reader)
    assert {entry.record_uid for entry in told} == {seen.uid}
