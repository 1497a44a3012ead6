"""The timelines of persons and sites: what stands in them, for whom, in which order, and how they are filtered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import build_system_actor
from ctms.audit.services import create_records
from ctms.clinical.choices import CommunicationType, MonitoringEventState, TeamRole, VisitMethod
from ctms.clinical.models import Person, StudySite
from ctms.configuration.snapshot import forget_configuration
from ctms.core.choices import RecordStatus
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db

TODAY = dt.date(2026, 3, 4)
READ = [
    "person__sys:read",
    "study__v:read",
    "site__v:read",
    "study_person__clin:read",
    "crm_activity__v:read",
    "monitoring_event__ctms:read",
    "monitoring_event_participant__ctms:read",
    "study_communication_log__ctms:read",
    "study_communication_contact__ctms:read",
]


@pytest.fixture(autouse=True)
def _wednesday() -> Iterator[None]:
    with travel("2026-03-04T10:00:00Z", tick=False):
        forget_configuration()
        yield
    forget_configuration()


@pytest.fixture
def admin(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def site() -> StudySite:
    return StudySiteFactory.create()


def log_in(client: Client, *permissions: str, sees_all: bool = True) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions or READ), sees_all_studies=sees_all)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


def day(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


def get_address(record: Any, query: str = "") -> str:
    return f"/records/{record.object_name}/{record.uid}/timeline/{query}"


def read(client: Client, record: Any, query: str = "") -> list[str]:
    """Return the titles of the entries in their order."""
    response = client.get(get_address(record, query))
    assert response.status_code == 200
    return [each.title for each in response.context["part"].events]


def log_for(person: Person, *days: int, **values: Any) -> None:
    for each in days:
        ActivityFactory.create(person=person, date=day(each), subject=f"{each:+d}", **values)


def hold_visit(person: Person, site: StudySite, days: int, **values: Any) -> Any:
    visit = MonitoringEventFactory.create(site=site, planned_start=day(days), planned_end=day(days), **values)
    MonitoringEventParticipantFactory.create(monitoring_event=visit, person=person)
    return visit


def write_to(person: Person, site: StudySite, days: int, **values: Any) -> Any:
    log = StudyCommunicationLogFactory.create(site=site, date=day(days), **values)
    StudyCommunicationContactFactory.create(communication=log, person=person)
    return log


# -- What stands in it ----------------------------------------------------------------------------
def test_a_persons_timeline_is_one_line_of_activities_calls_visits_and_communications(
    client: Client, admin: User, site: StudySite
) -> None:
    person = PersonFactory.create()
    log_for(person, -3, 5)
    MedicalActivityFactory.create(person=person, date=day(-2), subject="A call from the CRM")
    hold_visit(person, site, 2)
    write_to(person, site, -1, subject="About the contract")
    assert read(client, person) == [
        "+5",
        "Interim Monitoring Visit 2026-03-06",
        "About the contract",
        "A call from the CRM",
        "-3",
    ]


def test_a_sites_timeline_has_what_is_of_the_site(client: Client, admin: User, site: StudySite) -> None:
    log_for(PersonFactory.create(), -1, site=site, study=site.study)
    log_for(PersonFactory.create(), -2)
    hold_visit(PersonFactory.create(), site, 3)
    assert read(client, site) == ["Interim Monitoring Visit 2026-03-07", "-1"]


@pytest.mark.parametrize(
    "role", [TeamRole.SUB_INVESTIGATOR, TeamRole.STUDY_COORDINATOR, TeamRole.PRINCIPAL_INVESTIGATOR]
)
def test_every_role_has_a_timeline_on_the_page_of_person_and_study_person(
    client: Client, admin: User, site: StudySite, role: TeamRole
) -> None:
    person = PersonFactory.create()
    study_person = StudyPersonFactory.create(person=person, site=site, team_role=role)
    log_for(person, *range(-12, 0))
    for record in (person, study_person):
        assert len(read(client, record)) == 12
        shown = client.get(f"/records/{record.object_name}/{record.uid}/").context["page"].timeline_section
        assert [each.title for each in shown.part.events] == ["-1", "-2", "-3", "-4", "-5"]


def test_a_visit_without_participants_is_in_the_timeline_of_the_principal_investigator(
    client: Client, admin: User, site: StudySite
) -> None:
    MonitoringEventFactory.create(site=site, planned_start=day(1), planned_end=day(1))
    hold_visit(PersonFactory.create(), site, 2)
    assert read(client, site.principal_investigator) == ["Interim Monitoring Visit 2026-03-05"]


def test_a_generated_activity_stands_with_its_visit(client: Client, admin: User, site: StudySite) -> None:
    person = PersonFactory.create()
    visit = hold_visit(person, site, -1, visit_method=VisitMethod.REMOTE_VIDEO)
    made = Activity(
        person=person,
        date=day(-1),
        channel=Channel.VIDEO,
        subject="of the visit",
        study=site.study,
        site=site,
        monitoring_event=visit,
        is_generated=True,
    )
    create_records(records=[made], actor=build_system_actor(source="job"))
    response = client.get(get_address(person))
    [event] = response.context["part"].events
    assert (event.title, event.channel, len(event.followers)) == (visit.name, "Video", 1)
    # Where the visit is not shown, the activity speaks for itself.
    assert read(client, person, "?kind=clinical") == ["of the visit"]
    log_in(client, "person__sys:read", "crm_activity__v:read")
    assert read(client, person) == ["of the visit"]


def test_inactive_records_are_no_entries(client: Client, admin: User) -> None:
    person = PersonFactory.create()
    log_for(person, -1, status=RecordStatus.INACTIVE)
    assert read(client, person) == []


def test_entries_without_a_day_are_told_apart(client: Client, admin: User, site: StudySite) -> None:
    log = StudyCommunicationLogFactory.create(site=site, date=None, subject="Some day")
    part = client.get(get_address(site)).context["part"]
    assert [each.title for each in part.undated] == [log.subject]
    assert part.events == []


# -- Today ----------------------------------------------------------------------------------------
def test_today_stands_between_what_is_to_come_and_what_is_past(client: Client, admin: User) -> None:
    person = PersonFactory.create()
    log_for(person, -1, 0, 1)
    events = client.get(get_address(person)).context["part"].events
    assert [(each.title, each.is_first_past) for each in events] == [("+1", False), ("+0", True), ("-1", False)]


def test_today_is_the_users(client: Client, admin: User) -> None:
    person = PersonFactory.create()
    log_for(person, 1)
    User.objects.filter(pk=admin.pk).update(time_zone="Pacific/Kiritimati")  # there, it is tomorrow already at 10 UTC
    [event] = client.get(get_address(person)).context["part"].events
    assert event.is_first_past


def test_what_is_late_says_so(client: Client, admin: User, site: StudySite) -> None:
    person = PersonFactory.create()
    hold_visit(person, site, -1)
    hold_visit(person, site, -2, lifecycle_state=MonitoringEventState.CANCELLED)
    log_for(person, -3)
    log_for(person, -4, complete=True)
    states = [(each.tone, each.state) for each in client.get(get_address(person)).context["part"].events]
    assert states == [
        ("overdue", "Expected, overdue"),
        ("quiet", "Cancelled"),
        ("overdue", "Overdue"),
        ("complete", "Complete"),
    ]


# -- Pages ----------------------------------------------------------------------------------------
def test_pages_go_on_where_the_last_ended_in_both_directions(client: Client, admin: User, site: StudySite) -> None:
    person = PersonFactory.create()
    # Several a day, of each kind: of 30 days before today and 20 after.
    for each in range(-30, 21):
        ActivityFactory.create(person=person, date=day(each), subject=f"a {each}")
        ActivityFactory.create(person=person, date=day(each), subject=f"b {each}")
        write_to(person, site, each, subject=f"c {each}")
    expected = [f"{letter} {each}" for each in range(20, -31, -1) for letter in "cba"]
    part = client.get(get_address(person)).context["part"]
    shown = [each.title for each in part.events]
    earlier, later = part.earlier_url, part.later_url
    for _ in range(20):
        if earlier:
            part = client.get(earlier).context["part"]
            shown += [each.title for each in part.events]
            earlier = part.earlier_url
        if later:
            part = client.get(later).context["part"]
            shown = [each.title for each in part.events] + shown
            later = part.later_url
    assert shown == expected
    assert not earlier
    assert not later


def test_a_part_for_a_script_has_no_frame(client: Client, admin: User) -> None:
    person = PersonFactory.create()
    log_for(person, *range(-40, 0))
    part = client.get(get_address(person)).context["part"]
    response = client.get(part.earlier_url, headers={"HX-Request": "true"})
    text = response.content.decode()
    assert "<html" not in text
    assert text.count('class="event"') == 15
    assert response.headers["Vary"].count("HX-Request") == 1


@pytest.mark.parametrize(
    "place", ["x", "2026-03-04.crm_activity__v.x", "2026-03-04.nothing__v.1", "1.crm_activity__v.1"]
)
def test_a_place_that_is_none_is_refused(client: Client, admin: User, place: str) -> None:
    assert client.get(get_address(PersonFactory.create(), f"?before={place}")).status_code == 404


@pytest.mark.both_databases
def test_the_number_of_statements_does_not_grow(client: Client, admin: User, site: StudySite) -> None:
    person = PersonFactory.create()

    def add(number: int) -> None:
        for each in range(number):
            log_for(person, each - 3, study=site.study, site=site)
            hold_visit(person, site, each - 2)
            write_to(person, site, each - 1)

    add(1)
    count(client, person)
    few = count(client, person)
    add(12)
    assert count(client, person) == few


def count(client: Client, record: Any) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(get_address(record)).status_code == 200
    return len(queries)


# -- Filters --------------------------------------------------------------------------------------
def test_filters(client: Client, admin: User, site: StudySite) -> None:
    person = PersonFactory.create()
    log_for(person, -100, complete=True)
    log_for(person, -10, complete=True, channel=Channel.EMAIL, notes="The contract is signed.")
    log_for(person, -5)
    MedicalActivityFactory.create(person=person, date=day(-4), subject="call", channel=Channel.VIDEO, complete=True)
    visit = hold_visit(person, site, 10, visit_method=VisitMethod.ON_SITE)
    write_to(person, site, -2, subject="mail", object_type=CommunicationType.EMAIL)
    for query, expected in {
        "?kind=medical": ["call"],
        "?kind=visits": [visit.name],
        "?kind=communications": ["mail"],
        "?kind=clinical": ["-5", "-10", "-100"],
        "?channel=email__v": ["mail", "-10"],
        "?channel=in_person__v": [visit.name],
        "?state=open": [visit.name, "-5"],
        "?state=done": ["mail", "call", "-10", "-100"],
        "?period=last_90_days": ["mail", "call", "-5", "-10"],
        "?period=next_30_days": [visit.name],
        "?from=2026-02-20&to=2026-02-27": ["-5", "-10"],
        f"?study={site.study.uid}": [visit.name, "mail"],
        "?q=CONTRACT": ["-10"],
        "?q=contract+signed&state=open": [],
    }.items():
        assert read(client, person, query) == expected, query


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("?kind=x", "Choose one of: visits, communications, clinical, medical."),
        ("?channel=x", "Choose one from the list."),
        ("?state=x", "Enter open or done"),
        ("?period=x", "Enter one such as"),
        ("?from=x", "Enter one such as 2026-01-31."),
        ("?study=x", "Choose one from the list."),
        ("?from=2026-02-02&to=2026-02-01", "Enter a later one."),
    ],
)
def test_a_filter_that_is_not_valid_is_told_and_shows_nothing(
    client: Client, admin: User, query: str, told: str
) -> None:
    person = PersonFactory.create()
    log_for(person, -1)
    response = client.get(get_address(person, query))
    assert told in response.content.decode()
    assert response.context["part"].is_empty


def test_the_last_90_days_are_one_step_from_the_page_of_a_person(client: Client, admin: User) -> None:
    person = InvestigatorFactory.create()
    page = client.get(f"/records/person__sys/{person.uid}/")
    address = get_address(person, "?period=last_90_days")
    assert f'href="{address}"' in page.content.decode()


# -- Who sees what --------------------------------------------------------------------------------
def test_only_what_the_reader_may_see_is_shown(client: Client, site: StudySite) -> None:
    person = PersonFactory.create()
    hidden = StudySiteFactory.create()
    user = log_in(client, sees_all=False)
    StudyAssignmentFactory.create(user=user, study=site.study)
    for each in (site, hidden):
        StudyPersonFactory.create(person=person, site=each)
        log_for(person, -1, study=each.study, site=each)
        hold_visit(person, each, 1)
        write_to(person, each, -3, subject=f"mail {each.name}")
    response = client.get(get_address(person))
    events = response.context["part"].events
    assert [each.title for each in events] == ["Interim Monitoring Visit 2026-03-05", "-1", f"mail {site.name}"]
    text = response.content.decode()
    assert hidden.study.name not in text
    assert str(hidden.study.uid) not in text
    assert read(client, person, f"?study={hidden.study.uid}") == []
    assert client.get(get_address(hidden)).status_code == 404


def test_kinds_that_the_profile_does_not_allow_are_not_offered(client: Client) -> None:
    person = PersonFactory.create()
    log_for(person, -1)
    MedicalActivityFactory.create(person=person, date=day(-2), subject="call")
    log_in(client, "person__sys:read", "crm_activity__v.clinical_activity__v:read")
    response = client.get(get_address(person))
    [kinds] = [each for each in response.context["page"].fields if each.name == "kind"]
    assert [each.value for each in kinds.choices] == ["", "clinical"]
    assert read(client, person) == ["-1"]


def test_who_may_read_nothing_of_it_has_no_timeline_on_the_page(client: Client) -> None:
    person = PersonFactory.create()
    log_in(client, "person__sys:read")
    assert client.get(f"/records/person__sys/{person.uid}/").context["page"].timeline_section is None


def test_objects_without_timelines_have_no_such_page(client: Client, admin: User, site: StudySite) -> None:
    assert client.get(get_address(site.study)).status_code == 404
