"""The timeline of a person and of a site: two steps from anywhere, with and without a script."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, ViewportSize, expect

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.audit.services import create_records
from ctms.clinical.choices import TeamRole
from ctms.clinical.models import Person, StudySite
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

PHONE: ViewportSize = {"width": 390, "height": 844}
TODAY = ".event-today"


@pytest.fixture
def site() -> StudySite:
    return StudySiteFactory.create(name="04001", city="Graz")


@pytest.fixture
def doctor(site: StudySite) -> Person:
    """A coordinator with an activity every third day, a visit, a communication and a call from the CRM."""
    person = PersonFactory.create(first_name="Diego", last_name="Peña", email="diego.pena@example.org")
    StudyPersonFactory.create(person=person, site=site, team_role=TeamRole.STUDY_COORDINATOR)
    today = timezone.localdate()
    create_records(
        records=[
            Activity(
                object_type=ActivityType.CLINICAL,
                person=person,
                site=site,
                study=site.study,
                study_country=site.study_country,
                date=today + dt.timedelta(days=step),
                channel=Channel.PHONE if step % 2 else Channel.EMAIL,
                subject=f"Day {step:+d}",
                complete=step < -3,
                from_text="Carla Craig",
            )
            for step in range(-120, 40, 3)
        ],
        actor=build_admin_actor(),
    )
    visit_day = today + dt.timedelta(days=4)
    visit = MonitoringEventFactory.create(site=site, planned_start=visit_day, planned_end=visit_day)
    MonitoringEventParticipantFactory.create(monitoring_event=visit, person=person)
    log = StudyCommunicationLogFactory.create(site=site, date=today - dt.timedelta(days=8), subject="The new protocol")
    StudyCommunicationContactFactory.create(communication=log, person=person)
    MedicalActivityFactory.create(person=person, date=today - dt.timedelta(days=2), subject="A call", complete=True)
    return person


@pytest.fixture
def carla(page: Page) -> Page:
    UserFactory.create(username="carla", is_superuser=True)
    enter_as(page, "carla")
    return page


@pytest.fixture
def plain(browser: Browser, base_url: str) -> Iterator[Page]:
    """A page without JavaScript, on a phone."""
    UserFactory.create(username="carla", is_superuser=True)
    context = browser.new_context(java_script_enabled=False, base_url=base_url, viewport=PHONE)
    page = context.new_page()
    enter_as(page, "carla")
    yield page
    context.close()


def expect_last_90_days(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Timeline of Diego Peña")
    expect(page.get_by_label("Period", exact=True)).to_have_value("last_90_days")
    expect(page.get_by_role("link", name="A call", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="The new protocol", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Day +3", exact=True)).to_have_count(0)


def test_what_happened_with_somebody_in_the_last_90_days_is_two_steps_away(carla: Page, doctor: Person) -> None:
    carla.goto("/search/?q=pena")
    carla.get_by_role("link", name="Diego Peña", exact=False).first.click()
    expect(carla.locator(TODAY)).to_be_in_viewport()
    assert not find_violations(carla)
    carla.get_by_role("link", name="Last 90 days").click()
    expect_last_90_days(carla)
    assert not find_violations(carla)


def test_earlier_and_later_entries_are_added_where_they_belong(carla: Page, doctor: Person) -> None:
    carla.goto(f"/records/person__sys/{doctor.uid}/timeline/")
    expect(carla.locator(TODAY)).to_be_in_viewport()
    carla.get_by_role("link", name="Show earlier").click()
    expect(carla.get_by_role("link", name="Day -120", exact=True)).to_be_visible()
    expect(carla.get_by_role("link", name="Show earlier")).to_have_count(0)
    carla.get_by_role("link", name="Show later").click()
    expect(carla.get_by_role("link", name="Day +39", exact=True)).to_be_visible()
    titles = carla.locator(".event-title a").all_inner_texts()
    days = [int(each.removeprefix("Day ")) for each in titles if each.startswith("Day ")]
    assert days == sorted(days, reverse=True)
    assert len(days) == len(range(-120, 40, 3))
    expect(carla.locator(TODAY)).to_have_count(1)


def test_the_timeline_of_a_site_is_on_its_page_and_filtered_without_a_script(
    plain: Page, doctor: Person, site: StudySite
) -> None:
    plain.goto(f"/records/site__v/{site.uid}/")
    plain.get_by_role("link", name="Whole timeline").first.click()
    plain.get_by_text("Filters", exact=True).click()
    plain.get_by_label("Kind").select_option("Study Communications")
    plain.get_by_role("button", name="Show").click()
    expect(plain.locator(".event")).to_have_count(1)
    expect(plain.get_by_role("link", name="The new protocol", exact=True)).to_be_visible()
    plain.get_by_role("link", name="Clear").click()
    plain.get_by_role("link", name="Show earlier").click()
    expect(plain.get_by_role("link", name="Day +3", exact=True)).to_have_count(0)
    plain.get_by_role("link", name="Back to today").click()
    expect(plain.get_by_role("link", name="Day +3", exact=True)).to_be_visible()
