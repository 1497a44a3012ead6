"""Only people of the study can be chosen as participants and contacts."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person, StudyCommunicationLog
from ctms.core.choices import RecordStatus
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PARTICIPANT, CONTACT = "monitoring_event_participant__ctms", "study_communication_contact__ctms"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_admin_user())
    return client


@pytest.fixture
def event() -> MonitoringEvent:
    """A visit to a site of a study with people at this and at another site; the Vault has other people, too."""
    event = MonitoringEventFactory.create(site__principal_investigator__first_name="Ivo")
    other = StudySiteFactory.create(study_country=event.study_country)
    create_member("Zoe", study=event.study, site=event.site)
    create_member("Anna", study=event.study, site=other)
    create_member("Paul", study=event.study, site=event.site, status=RecordStatus.INACTIVE)
    PersonFactory.create(first_name="Sam")
    StudyPersonFactory.create()
    return event


def create_member(first_name: str, **values: Any) -> Person:
    person = PersonFactory.create(first_name=first_name)
    StudyPersonFactory.create(person=person, **values)
    return person


def offer(client: Client, object_name: str, **parameters: Any) -> list[str]:
    """Return the first names of the people offered, in order."""
    response = client.get(reverse("record_lookup", args=(object_name, "person__v")), parameters)
    return [each["label"].partition(" ")[0] for each in response.json()["results"]]


def post_participant(client: Client, event: MonitoringEvent, person: str) -> Any:
    return client.post(
        reverse("record_create", args=(PARTICIPANT,)),
        {
            "monitoring_event__v": str(event.uid),
            "person__v": "",
            "person__v__text": person,
            "status__v": RecordStatus.ACTIVE,
        },
    )


def test_the_people_of_the_study_are_offered_those_of_the_site_and_its_investigator_first(
    admin: Client, event: MonitoringEvent
) -> None:
    assert offer(admin, PARTICIPANT, monitoring_event__v=event.uid) == ["Ivo", "Zoe", "Anna"]
    log = StudyCommunicationLogFactory.create(site=event.site)
    assert offer(admin, CONTACT, study_communication__v=log.uid) == ["Ivo", "Zoe", "Anna"]
    assert offer(admin, PARTICIPANT, monitoring_event__v=event.uid, q="ann") == ["Anna"]
    assert offer(admin, PARTICIPANT, monitoring_event__v=event.uid, q="sam") == []


def test_a_communication_about_the_whole_study_offers_all_of_its_people(admin: Client, event: MonitoringEvent) -> None:
    log: StudyCommunicationLog = StudyCommunicationLogFactory.create(site=None, study=event.study)
    assert offer(admin, CONTACT, study_communication__v=log.uid) == ["Anna", "Zoe"]


@pytest.mark.usefixtures("event")
def test_before_a_visit_is_chosen_everybody_is_offered(admin: Client) -> None:
    assert "Sam" in offer(admin, PARTICIPANT)


def test_a_visit_that_the_user_does_not_see_tells_nothing_of_its_people(client: Client, event: MonitoringEvent) -> None:
    reads = ["monitoring_event__ctms:read", f"{PARTICIPANT}:read", "person__sys:read"]
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=reads))
    client.force_login(user)
    assert offer(client, PARTICIPANT, monitoring_event__v=event.uid) == []
    StudyAssignmentFactory.create(user=user, study=event.study)
    assert offer(client, PARTICIPANT, monitoring_event__v=event.uid) == ["Ivo", "Zoe", "Anna"]


def test_a_form_takes_people_of_the_study_and_says_what_to_do_for_others(admin: Client, event: MonitoringEvent) -> None:
    zoe, sam = Person.objects.get(first_name="Zoe"), Person.objects.get(first_name="Sam")
    refused = post_participant(admin, event, sam.name)
    assert "add others to the study as a Study Person first" in refused.content.decode()
    assert not MonitoringEventParticipant.objects.exists()
    assert post_participant(admin, event, zoe.name).status_code == 302
    assert MonitoringEventParticipant.objects.get().person == zoe


def test_the_form_says_who_can_be_chosen_and_offers_to_create_nobody(admin: Client, event: MonitoringEvent) -> None:
    address = reverse("record_create", args=(PARTICIPANT,))
    html = admin.get(address, {"monitoring_event__v": str(event.uid)}).content.decode()
    html = html.partition("</main>")[0]  # quick log, which every page has below it, offers to create people
    assert "People of the study and the principal investigator of the site can be chosen" in html
    assert f'data-create-url="{reverse("record_create", args=("person__sys",))}"' not in html


def test_who_is_stored_already_stays(admin: Client, event: MonitoringEvent) -> None:
    sam = Person.objects.get(first_name="Sam")
    participant = MonitoringEventParticipantFactory.create(monitoring_event=event, person=sam)
    address = reverse("record_edit", args=(PARTICIPANT, participant.uid))
    values = {
        "monitoring_event__v": event.uid,
        "person__v": sam.uid,
        "role__v": "Guest",
        "status__v": RecordStatus.ACTIVE,
        "expected_version": participant.version,
    }
    assert admin.post(address, values).status_code == 302
    participant.refresh_from_db()
    assert (participant.person, participant.role) == (sam, "Guest")


def test_a_person_changed_where_it_stands_is_offered_the_same(admin: Client, event: MonitoringEvent) -> None:
    participant = MonitoringEventParticipantFactory.create(
        monitoring_event=event, person=Person.objects.get(first_name="Zoe")
    )
    html = admin.get(reverse("record_field", args=(PARTICIPANT, participant.uid, "person__v"))).content.decode()
    assert f"monitoring_event__v={event.uid}" in html
