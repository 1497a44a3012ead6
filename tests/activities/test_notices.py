"""Notices on record pages about generated activities."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities.jobs import GENERATE_JOB_KEY
from ctms.accounts.models import User
from ctms.audit.services import delete_record, save_record
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import MonitoringEvent, StudyCommunicationLog
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobClock, JobDefinition
from ctms.records.access import open_object
from ctms.records.addresses import get_record_url
from ctms.records.pages.notices import list_notices
from exceptions_log.dismissals import dismiss_items
from exceptions_log.models import ExceptionItem
from tests.activities.generation import configure_automation, generate, list_generated
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
)

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 10, 8, 20, tzinfo=dt.UTC)
NEXT = "at the next run of the job Generate Clinical Activities (09:00 UTC)."
READS_EVENTS = "monitoring_event__ctms:read"


@pytest.fixture(autouse=True)
def _morning() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def automated() -> None:
    configure_automation()
    JobClock.objects.filter(definition__key=GENERATE_JOB_KEY).update(next_run_at=NOW.replace(hour=9, minute=0))


def read(record: Any, user: User | None = None) -> list[str]:
    """Return the notices of a record as its page shows them."""
    record = type(record)._default_manager.get(pk=record.pk)
    access = open_object(user=user or get_admin_user(), object_name=record.object_name)
    return [str(each) for each in list_notices(access=access, record=record)]


def create_event(*names: str, **values: Any) -> MonitoringEvent:
    """Create a visit with Study Persons of its study as participants."""
    event = MonitoringEventFactory.create(**values)
    for name in names:
        person = PersonFactory.create(first_name=name, last_name="Person")
        StudyPersonFactory.create(site=event.site, study=event.study, person=person)
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)
    return event


def create_log(*names: str) -> StudyCommunicationLog:
    log = StudyCommunicationLogFactory.create()
    for name in names:
        person = PersonFactory.create(first_name=name, last_name="Person")
        StudyPersonFactory.create(site=log.site, study=log.study, person=person)
        StudyCommunicationContactFactory.create(communication=log, person=person)
    return log


def save(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def create_reader(record: Any, *permissions: str) -> User:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)))
    StudyAssignmentFactory.create(user=user, study=record.study)
    return user


# -- Sources --------------------------------------------------------------------------------------
def test_a_type_that_is_not_automated_says_nothing() -> None:
    assert read(create_event("Ada")) == read(create_log("Ada")) == []


@pytest.mark.usefixtures("automated")
def test_before_the_run_it_names_for_whom_and_when() -> None:
    assert read(create_event("Ada", "Bob")) == [f"Activities will be written for Ada Person and Bob Person, {NEXT}"]
    assert read(create_log("Eve")) == [f"Activities will be written for Eve Person, {NEXT}"]


@pytest.mark.usefixtures("automated")
def test_without_participants_it_names_the_principal_investigator() -> None:
    event = create_event()
    investigator = event.site.principal_investigator
    assert investigator is not None
    assert read(event) == [f"Activities will be written for {investigator.name}, {NEXT}"]


@pytest.mark.usefixtures("automated")
def test_after_the_run_it_links_the_activities_and_after_a_change_tells_what_comes() -> None:
    event = create_event("Ada", "Bob")
    generate()
    links = f"Activities: {', '.join(each.name for each in list_generated())}."
    assert read(event) == [links]
    delete_record(record=event.participants.get(person__first_name="Bob"), actor=build_admin_actor())
    save(event, planned_start=dt.date(2026, 3, 1))
    assert read(event) == [f"Activities will be updated for Ada Person, made inactive for Bob Person, {NEXT} {links}"]


@pytest.mark.usefixtures("automated")
def test_a_cancelled_visit_without_activities_says_nothing() -> None:
    assert read(create_event("Ada", lifecycle_state=MonitoringEventState.CANCELLED)) == []


@pytest.mark.usefixtures("automated")
def test_a_job_that_is_inactive_late_or_of_another_day_is_told() -> None:
    event = create_event("Ada")
    JobClock.objects.update(next_run_at=NOW + dt.timedelta(days=1))
    assert read(event)[0].endswith("(11 Mar 2026, 08:20 UTC).")
    JobClock.objects.update(next_run_at=NOW - dt.timedelta(minutes=1))
    assert read(event)[0].endswith("which is due now.")
    save(JobDefinition.objects.get(key=GENERATE_JOB_KEY), status=RecordStatus.INACTIVE)
    [text] = read(event)
    assert text == (
        "Activities will be written for Ada Person, once the job Generate Clinical Activities is Active; it is "
        "Inactive now. Ask an admin to activate it."
    )


@pytest.mark.usefixtures("automated")
def test_what_is_in_the_way_is_said_until_it_is_corrected_or_dismissed() -> None:
    event = create_event("Ada")
    stranger = PersonFactory.create(first_name="Sam", last_name="Stranger")
    participant = MonitoringEventParticipantFactory.create(monitoring_event=event, person=stranger)
    generate()
    problem = (
        "The activity of Sam Stranger cannot be written. Sam Stranger is none of the study’s people. Add Sam Stranger "
        "to the study as a Study Person, or choose somebody else."
    )
    coming = f"Activities will be updated for Ada Person, {NEXT}"
    links = f"Activities: {list_generated()[0].name}."
    assert read(event) == [problem, f"{coming} {links}"]
    keys = list(ExceptionItem.objects.filter(message__status=RecordStatus.ACTIVE).values_list("pk", flat=True))
    dismiss_items(keys=keys, reason="A guest", actor=build_admin_actor())
    assert read(event) == [f"{coming} {links}"]
    save(event, planned_start=dt.date(2026, 3, 1))
    assert read(event)[0] == problem  # the dismissal was for the visit before its change
    StudyPersonFactory.create(site=event.site, study=event.study, person=participant.person)
    assert read(event) == [f"Activities will be written for Sam Stranger, updated for Ada Person, {NEXT} {links}"]


@pytest.mark.usefixtures("automated")
def test_a_source_without_a_person_is_a_problem_that_is_tried_again() -> None:
    assert read(create_log()) == [
        "Its activities cannot be written. It has no contact person. Add one.",
        f"It is tried again {NEXT}",
    ]


@pytest.mark.usefixtures("automated")
def test_people_and_activities_are_named_to_those_alone_who_may_read_them() -> None:
    event = create_event("Ada", "Bob")
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=PersonFactory.create(first_name="Sam"))
    user = create_reader(event, READS_EVENTS)
    problem, coming = read(event, user)
    assert "Sam" not in problem
    assert coming == f"Activities will be written for 2 people not visible to you, {NEXT}"
    generate()
    assert not any("ACT-" in text for text in read(event, user))


@pytest.mark.usefixtures("automated")
def test_many_people_are_counted_and_take_no_further_statements() -> None:
    few, many = create_event("Ada"), create_event(*(f"P{number}" for number in range(8)))
    generate()
    for event in (few, many):
        save(event, planned_start=dt.date(2026, 3, 1))

    def count(record: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            read(record)
        return len(queries)

    assert count(few) == count(many)
    [text] = read(many)
    assert "P4 Person and 3 more people, at" in text
    assert text.count("ACT-") == 5
    assert text.endswith(" and more.")


@pytest.mark.usefixtures("automated")
def test_the_record_page_shows_it_with_links(client: Client) -> None:
    client.force_login(get_admin_user())
    event = create_event("Ada")
    generate()
    [activity] = list_generated()
    html = client.get(get_record_url(event)).content.decode()
    assert f'Activities: <a href="{get_record_url(activity)}">{activity.name}</a>.' in html


@pytest.mark.usefixtures("automated")
def test_a_field_that_is_changed_where_it_stands_brings_the_notice_along(client: Client) -> None:
    client.force_login(get_admin_user())
    event = create_event("Ada")
    generate()
    event.refresh_from_db()
    response = client.post(
        reverse("record_field", args=(event.object_name, event.uid, "planned_start_date__v")),
        {"planned_start_date__v": "2026-03-01", "expected_version": event.version},
        headers={"HX-Request": "true"},
    )
    assert f"Activities will be updated for Ada Person, {NEXT}" in response.content.decode()


# -- Activities -----------------------------------------------------------------------------------
@pytest.mark.usefixtures("automated")
def test_a_generated_activity_links_its_source() -> None:
    event = create_event("Ada")
    generate()
    [activity] = list_generated()
    follows = "; date, channel, complete, subject, study and site follow it. Change them there; notes are kept here."
    assert read(activity) == [f"Generated from {event.name}{follows}"]
    user = create_reader(event, "crm_activity__v:read")
    assert read(activity, user) == [f"Generated from a monitoring event not visible to you{follows}"]


def test_an_activity_that_a_user_logs_for_a_visit_says_nothing() -> None:
    event = create_event("Ada")
    assert read(ActivityFactory.create(monitoring_event=event, study=event.study)) == []
