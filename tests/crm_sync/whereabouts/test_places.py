"""The page of a record says where it is in each CRM, or why it is not there, by the reasons of the transfer."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.choices import ActivityType
from activities.models import Activity
from connections.choices import IntegrationKind, Pace
from connections.models import ConnectionSchedule, Integration
from connections.services import set_password
from crm_sync.actions.pausing import pause_connection
from crm_sync.choices import RecordWord
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.models import LiveProgress, TransferLink
from crm_sync.units import LIVE_JOB_KEY
from crm_sync.whereabouts.places import list_crm_places
from crm_sync.whereabouts.standing import read_standings
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import MonitoringEvent
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency
from ctms.jobs.models import JobClock, JobDefinition
from ctms.jobs.services import set_job_status
from ctms.records.access import open_object
from ctms.records.addresses import get_record_url
from exceptions_log.dismissals import dismiss_items
from tests.crm_sync.reconciliation.conftest import reconcile_world
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

OUT = IntegrationKind.CALL_OUTBOUND


@pytest.fixture(autouse=True)
def job(world: World) -> JobDefinition:
    """The transfer, due at a full hour by UTC: not the next one, which may begin while the test runs."""
    job = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    job.status = RecordStatus.ACTIVE
    save_record(record=job, actor=build_admin_actor())
    at = get_now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    JobClock.objects.update_or_create(definition=job, defaults={"next_run_at": at})
    return job


def log_activity(world: World, **values: Any) -> Activity:
    person = PersonFactory.create()
    world.add_accounts([person])
    return ActivityFactory.create(person=person, **values)


def edit(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def tell(record: Any, user: User | None = None) -> list[tuple[str, str]]:
    """Return sentence and tone of each line."""
    record.refresh_from_db()
    access = open_object(user=user or get_admin_user(), object_name=record.object_name)
    return [(str(place), place.tone) for place in list_crm_places(access, record)]


def tell_one(record: Any, user: User | None = None) -> str:
    [(sentence, _)] = tell(record, user)
    return sentence


def make_cra(*permissions: str) -> User:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", *permissions], sees_all_studies=True)
    return UserFactory.create(security_profile=profile)


# -- Sent -----------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_record_waits_for_the_next_transfer_and_is_there_since_it_ran(world: World) -> None:
    with time_machine.travel("2026-06-01T12:10:00Z", tick=True), timezone.override("Europe/Berlin"):
        activity = log_activity(world, subject="One")
        JobClock.objects.update(next_run_at=get_now() + timedelta(minutes=50))
        [(sentence, tone)] = tell(activity)
        assert (sentence[:42], tone) == ("Not in NA: waiting for the transfer at 15:", "waiting")
        world.transfer()
        assert tell(activity) == [("In NA since 14:10. Open in NA", "success")]
        edit(activity, subject="Two")
        [(sentence, tone)] = tell(activity)
        assert sentence.startswith("In NA since 14:10, without its last change: waiting for the transfer at 15:")
        assert tone == "waiting"
    with time_machine.travel("2026-06-03T12:00:00Z", tick=True), timezone.override("Asia/Tokyo"):
        JobClock.objects.update(next_run_at=get_now() - timedelta(minutes=1))
        assert tell_one(activity).startswith(
            "In NA since 1 Jun 2026, 21:10, without its last change: waiting for the transfer that is due now."
        )


@pytest.mark.every_dialect
def test_the_way_to_the_record_in_the_crm_is_a_link(world: World, client: Client) -> None:
    activity = log_activity(world)
    world.transfer()
    [row] = world.list_interactions()
    client.force_login(get_admin_user())
    page = client.get(get_record_url(activity)).content.decode()
    link = f'<a href="https://na.crm.test/{row["Id"]}" target="_blank" rel="noopener noreferrer">Open in NA</a>'
    assert link in page


@pytest.mark.every_dialect
def test_what_failed_says_why_and_leads_to_its_item_for_those_who_may_know(world: World, client: Client) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create())
    world.transfer()
    [item] = world.list_exceptions()
    [(sentence, tone)] = tell(activity)
    assert sentence.startswith(
        f"Not in NA: the transfer failed. {item.error_message} See the user exception. It is tried again by the "
    )
    assert tone == "warning"
    client.force_login(get_admin_user())
    page = client.get(get_record_url(activity)).content.decode()
    assert page.count(str(item.error_message).partition("'")[0]) == 1  # the same is not a notice besides
    assert f'exceptionitem/{item.pk}/change/">See the user exception.' in page
    cra = tell_one(activity, make_cra())
    assert cra.startswith("Not in NA: the transfer failed. An admin of your Vault sees why.")
    reader = tell_one(activity, make_cra("exception_item__sys:read"))
    assert (item.error_message in reader, "See the user exception" in reader) == (True, False)
    edit(activity, subject="Changed")
    assert "It was changed since. It is tried again by the transfer at" in tell_one(activity)


def test_a_change_that_failed_leaves_the_record_there_without_it(world: World) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    edit(activity, subject="x" * 300)
    world.transfer()
    assert ", but its last change failed: " in tell_one(activity)


def test_a_dismissed_failure_is_not_tried_until_the_record_changes(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create())
    world.transfer()
    dismiss_items(keys=[each.pk for each in world.list_exceptions()], reason="Known", actor=build_admin_actor())
    assert "it is not tried until the record changes." in tell_one(activity)
    assert "“Known”" in tell_one(activity)
    assert "“Known”" not in tell_one(activity, make_cra())
    edit(activity, subject="Changed")
    assert "It was changed since. It is tried again by the transfer at" in tell_one(activity)


@pytest.mark.every_dialect
def test_what_the_crm_deleted_is_not_created_again(world: World) -> None:
    activity = log_activity(world)
    world.transfer()
    [row] = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", row["Id"])
    edit(activity, subject="Two")
    world.transfer()
    assert tell(activity) == [("Deleted in NA. It is not created there again.", "warning")]


def test_what_is_not_to_be_sent_says_by_which_rule(world: World) -> None:
    study = StudyFactory.create(send_to_crm=False)
    assert tell(study) == [("Not in NA: Send to Medical CRM is No.", "")]
    inactive = log_activity(world, status=RecordStatus.INACTIVE)
    assert tell(inactive) == [("Not in NA: it is Inactive.", "")]
    activity = log_activity(world, subject="One")
    rule = world.connection.integrations.get(kind=OUT).rule
    edit(rule, conditions=[{"field": "subject__v", "operator": "is", "values": ["Another"]}])
    assert tell_one(activity) == f"Not in NA: the filter of {rule.integration.name} leaves it out."
    assert tell_one(activity, make_cra()) == "Not in NA: a filter leaves it out."


def test_a_record_waits_for_the_one_that_it_refers_to(world: World) -> None:
    study = StudyFactory.create(send_to_crm=True)
    site = StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study), send_to_crm=True)
    assert tell_one(site) == "Not in NA: waiting for its study, which is not in NA yet."
    world.transfer()
    assert tell_one(site).startswith("In NA since ")


def test_what_is_inactive_on_the_way_is_named(world: World, job: JobDefinition) -> None:
    activity, later = log_activity(world), log_activity(world)
    TransferLink.objects.all().delete()
    edit(job, status=RecordStatus.INACTIVE)
    assert tell_one(later) == (
        "Not in NA: the job CRM/Clinical Operations Transfer is Inactive. Ask an admin to activate it."
    )
    edit(job, status=RecordStatus.ACTIVE)
    world.transfer()
    edit(world.connection.integrations.get(kind=OUT), status=RecordStatus.INACTIVE)
    assert "Changes are not sent: the integration is Inactive." in tell_one(activity)
    edit(world.connection, status=RecordStatus.INACTIVE)
    assert "Changes are not sent: the connection NA is Inactive." in tell_one(activity)


def test_a_connection_with_a_schedule_of_its_own_is_waited_for_by_that(world: World) -> None:
    own = ConnectionSchedule(
        connection=world.connection, is_own=True, frequency=Frequency.DAILY, hour=21, minute=30, time_zone="UTC"
    )
    save_record(record=own, actor=build_admin_actor())
    with time_machine.travel("2026-06-01T12:10:00Z", tick=True), timezone.override("Europe/Berlin"):
        JobClock.objects.update(next_run_at=get_now() + timedelta(minutes=50))
        activity = log_activity(world)
        assert tell_one(activity) == "Not in NA: waiting for the transfer at 23:30."
        edit(own, is_own=False)
        assert tell_one(activity).startswith("Not in NA: waiting for the transfer at 15:")


def test_a_connection_that_failed_as_a_whole_is_told_with_what_waits(world: World) -> None:
    activity = log_activity(world)
    assert world.connection.authorization is not None
    set_password(authorization=world.connection.authorization, password="wrong", actor=build_admin_actor())
    world.transfer()
    [item] = world.list_exceptions()
    [(sentence, tone)] = tell(activity)
    assert sentence.startswith("Not in NA: waiting for the transfer at ")
    assert f"The last transfer with NA failed: {item.error_message}" in sentence
    assert tone == "warning"


def test_rules_that_cannot_be_followed_are_told_to_those_who_may_read_them(world: World) -> None:
    activity = log_activity(world)
    rule = world.connection.integrations.get(kind=OUT).rule
    edit(rule.field_rules.filter(is_required=True).first(), status=RecordStatus.INACTIVE)
    assert "is required but inactive" in tell_one(activity)
    assert tell_one(activity, make_cra()) == "Not in NA: its rules are wrong. An admin of your Vault sees why."


def test_a_connection_without_an_integration_for_the_type_is_named(world: World) -> None:
    activity = log_activity(world)
    rule = world.connection.integrations.get(kind=OUT).rule
    edit(rule, vault_object_type=ActivityType.MEDICAL)
    assert tell(activity) == [("Not in NA: it has no integration for a Clinical Activity.", "")]


# -- Received -------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_medical_activity_says_from_where_and_when_it_was_received(world: World) -> None:
    person = PersonFactory.create()
    [call] = world.add_calls(world.add_accounts([person]))
    with time_machine.travel("2026-06-01T12:10:00Z", tick=True):
        world.transfer()
    activity = Activity.objects.get(object_type=ActivityType.MEDICAL)
    assert tell(activity) == [("Received from NA on 1 Jun 2026, 12:10. Open in NA", "success")]
    world.delete_in_crm("Call2_vod__c", call)
    world.transfer()
    [(sentence, _)] = tell(activity)
    assert sentence.endswith("It was deleted there, and is Inactive here for that.")


# -- One truth, bounded ---------------------------------------------------------------------------
def test_the_words_are_those_of_a_reconciliation(world: World) -> None:
    people = create_people(4)
    world.add_accounts(people[:3])
    create_activities(2, people=people[:2])
    create_activities(1, people=people[3:])  # no account
    world.transfer()
    create_activities(1, people=people[:1], status=RecordStatus.INACTIVE)
    create_activities(2, people=people[2:3])  # pending
    StudyFactory.create(send_to_crm=False)
    found = reconcile_world(world)
    words: Counter[str] = Counter()
    for activity in Activity.objects.all():
        [standing] = read_standings(activity).of_type
        assert standing.word is not None
        words[standing.word] += 1
    assert dict(words) == found.counts[OUT]
    assert set(words) == {RecordWord.EQUAL, RecordWord.UNMATCHED, RecordWord.INACTIVE_HERE, RecordWord.PENDING}


def test_objects_that_are_not_transferred_have_no_line(world: World) -> None:
    event: MonitoringEvent = MonitoringEventFactory.create()
    assert tell(event) == []


def test_the_number_of_statements_does_not_depend_on_the_number_of_connections(
    world: World, client: Client, request: pytest.FixtureRequest
) -> None:
    activity = log_activity(world)
    client.force_login(get_admin_user())

    def count() -> int:
        client.get(get_record_url(activity))
        with CaptureQueriesContext(connection) as statements:
            page = client.get(get_record_url(activity)).context["page"]
        assert len(page.places) == Integration.objects.filter(kind=OUT).count()
        return len(statements)

    before = count()
    request.getfixturevalue("second_world")
    assert count() == before


# -- As it happens --------------------------------------------------------------------------------
def go_live(world: World) -> None:
    edit(world.connection, pace=Pace.AS_IT_HAPPENS)


def ask_for_places(client: Client, record: Any) -> str:
    address = f"{get_record_url(record)}places/"
    return client.get(address, headers={"Vault-Background": "1"}).content.decode()


def test_what_is_sent_at_once_says_so_and_is_asked_for_until_it_is_there(world: World, client: Client) -> None:
    activity = log_activity(world, subject="One")
    go_live(world)
    assert tell(activity) == [("Not in NA: waiting for the transfer as it happens, within seconds.", "waiting")]
    client.force_login(get_admin_user())
    assert "data-moving" in client.get(get_record_url(activity)).content.decode()
    assert "data-moving" in ask_for_places(client, activity)

    world.transfer()
    fragment = ask_for_places(client, activity)
    assert "In NA since" in fragment
    assert "data-moving" not in fragment
    assert "data-moving" not in client.get(get_record_url(activity)).content.decode()


def test_nothing_is_asked_for_where_the_next_transfer_is_hourly(world: World, client: Client) -> None:
    activity = log_activity(world)
    client.force_login(get_admin_user())
    assert "data-moving" not in client.get(get_record_url(activity)).content.decode()


def test_the_lines_alone_are_no_page_and_are_shown_to_nobody_who_may_not_see_the_record(
    world: World, client: Client
) -> None:
    activity = log_activity(world)
    client.force_login(get_admin_user())
    assert client.get(f"{get_record_url(activity)}places/").headers["Location"] == get_record_url(activity)
    client.force_login(UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[])))
    address = f"{get_record_url(activity)}places/"
    assert client.get(address, headers={"Vault-Background": "1"}).status_code in (403, 404)


@pytest.mark.parametrize(
    ("progress", "sentence"),
    [
        (
            {"ticks_to_wait": 60, "fell_back_at": "2026-06-01T12:00:00Z"},
            "Not in NA: waiting for the transfer that is due now, because API calls run short.",
        ),
        ({"ticks_to_wait": 4, "failures": 2}, "Not in NA: waiting for the next attempt, within 4 minutes."),
    ],
    ids=["near the quota", "after failures"],
)
def test_a_connection_that_waits_says_what_for(world: World, progress: dict[str, Any], sentence: str) -> None:
    activity = log_activity(world)
    go_live(world)
    JobClock.objects.update(next_run_at=get_now() - timedelta(minutes=1))
    LiveProgress.objects.create(connection=world.connection, **progress)
    assert tell_one(activity) == sentence


def test_without_the_job_it_is_hourly_for_all(world: World) -> None:
    activity = log_activity(world)
    go_live(world)
    set_job_status(key=LIVE_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    assert "waiting for the transfer at" in tell_one(activity) or "due now" in tell_one(activity)


def test_a_paused_connection_sends_nothing_and_the_record_says_so(world: World) -> None:
    activity = log_activity(world)
    go_live(world)
    pause_connection(connection=world.connection, reason="Data cleaning", actor=build_admin_actor())
    assert tell_one(activity) == "Not in NA: the connection NA is paused."
