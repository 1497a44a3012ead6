"""*Activity Update Required* is set in the transaction of a change, whoever makes the change and in whatever way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.audit.actors import build_system_actor
from ctms.audit.services import mark_records, update_records
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, StudyCommunicationLog
from ctms.core.choices import RecordStatus
from tests.activities.generation import configure_automation
from tests.factories.base import get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
)
from tests.records.bulk.steps import do_edit, do_import

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EVENT, PARTICIPANT = MonitoringEvent.object_name, MonitoringEventParticipant.object_name


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_admin_user())
    return client


@pytest.fixture
def event() -> MonitoringEvent:
    """Create a visit of an automated type with one participant, whose activity was generated."""
    configure_automation()
    event: MonitoringEvent = MonitoringEventFactory.create(external_id="V-1")
    MonitoringEventParticipantFactory.create(monitoring_event=event)
    lower(event)
    return event


def lower(source: Any) -> None:
    mark_records(type(source).objects.filter(pk=source.pk), activity_update_required=False)


def is_flagged(source: Any) -> bool:
    source.refresh_from_db()
    return bool(source.activity_update_required)


# -- Ways to change a visit, or who takes part in it ------------------------------------------------
def type_it(client: Client, event: MonitoringEvent) -> None:
    address = reverse("record_edit", args=(EVENT, event.uid))
    values = {"planned_start_date__v": "2026-03-01", "expected_version": event.version}
    assert client.post(address, values).status_code == 302


def type_it_where_it_stands(client: Client, event: MonitoringEvent) -> None:
    address = reverse("record_field", args=(EVENT, event.uid, "planned_start_date__v"))
    values = {"planned_start_date__v": "2026-03-01", "expected_version": event.version}
    assert client.post(address, values).status_code == 302


def send_it(client: Client, event: MonitoringEvent) -> None:
    answer = client.patch(
        f"/api/v1/{EVENT}/{event.uid}/",
        json.dumps({"planned_start_date__v": "2026-03-01"}),
        content_type="application/json",
        headers={"If-Match": f'"{event.version}"'},
    )
    assert answer.status_code == 200, answer.content


def send_a_participant(client: Client, event: MonitoringEvent) -> None:
    person = StudyPersonFactory.create(site=event.site, study=event.study).person
    answer = client.post(
        f"/api/v1/{PARTICIPANT}/",
        json.dumps({"monitoring_event__v": str(event.uid), "person__v": str(person.uid)}),
        content_type="application/json",
    )
    assert answer.status_code == 201, answer.content


def import_it(client: Client, event: MonitoringEvent) -> None:
    operation = do_import(client, EVENT, "External ID,Planned start\nV-1,2026-03-01\n")
    assert operation.problems.count() == 0
    assert event.version == 1


def import_participants(client: Client, event: MonitoringEvent) -> None:
    person = PersonFactory.create()
    operation = do_import(
        client, PARTICIPANT, f"Monitoring event,Person\nV-1,{person.external_id}\n", key="none", update_existing=""
    )
    assert operation.problems.count() == 0
    assert event.participants.count() == 2


def edit_many(client: Client, event: MonitoringEvent) -> None:
    do_edit(client, EVENT, [event, MonitoringEventFactory.create()], planned_start_date__v="2026-03-01")


def remove_a_participant(client: Client, event: MonitoringEvent) -> None:
    participant = event.participants.get()
    address = reverse("record_delete", args=(PARTICIPANT, participant.uid))
    assert client.post(address, {"expected_version": participant.version}).status_code == 302


def let_a_job_do_it(client: Client, event: MonitoringEvent) -> None:
    del client
    event.refresh_from_db()
    event.visit_method = "remote_phone__v"
    update_records(records=[event], actor=build_system_actor(source="job", reference="1"))


WAYS = (
    type_it,
    type_it_where_it_stands,
    send_it,
    send_a_participant,
    import_it,
    import_participants,
    edit_many,
    remove_a_participant,
    let_a_job_do_it,
)


@pytest.mark.parametrize("way", WAYS)
def test_whoever_changes_a_visit_flags_it(
    admin: Client, event: MonitoringEvent, way: Callable[[Client, MonitoringEvent], None]
) -> None:
    assert not is_flagged(event)
    way(admin, event)
    assert is_flagged(event)


def test_a_communication_that_comes_by_the_api_is_flagged(admin: Client, event: MonitoringEvent) -> None:
    values = {"object_type__v": "email__v", "study__v": str(event.study.uid), "date__v": "2026-03-02"}
    answer = admin.post("/api/v1/study_communication_log__ctms/", json.dumps(values), content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert StudyCommunicationLog.objects.get().activity_update_required


def test_a_new_leader_of_the_site_flags_visits_without_an_active_participant(event: MonitoringEvent) -> None:
    attended = MonitoringEventParticipantFactory.create(monitoring_event__site=event.site).monitoring_event
    participant = event.participants.get()
    participant.status = RecordStatus.INACTIVE
    update_records(records=[participant], actor=build_system_actor(source="job", reference="1"))
    for each in (event, attended):
        lower(each)
    event.site.principal_investigator = PersonFactory.create()
    update_records(records=[event.site], actor=build_system_actor(source="job", reference="1"))
    assert (is_flagged(event), is_flagged(attended)) == (True, False)


def test_only_a_change_flags(event: MonitoringEvent) -> None:
    update_records(records=[event], actor=build_system_actor(source="job", reference="1"))
    StudyCommunicationLogFactory.create(site=event.site)
    assert not is_flagged(event)
