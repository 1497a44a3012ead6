"""A list that is sorted by its day opens on today, in sight, with and without JavaScript and on a phone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, ViewportSize, expect

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.audit.services import create_records
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/records/crm_activity__v/"
LINE = ".today-line"
PHONE: ViewportSize = {"width": 390, "height": 844}


def create_days(*steps: int) -> None:
    """Create an activity on each of the days, counted from today."""
    person = PersonFactory.create()
    today = timezone.localdate()
    activities = [
        Activity(
            object_type=ActivityType.CLINICAL,
            person=person,
            date=today + dt.timedelta(days=step),
            channel=Channel.PHONE,
            subject=f"Day {step:+d}",
            from_text="Carla Craig",
        )
        for step in steps
    ]
    create_records(records=activities, actor=build_admin_actor())


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


def test_today_is_in_sight_and_the_pages_lead_there_and_back(carla: Page) -> None:
    create_days(*range(-60, 61))
    carla.goto(LIST)
    expect(carla.locator(LINE)).to_contain_text("Today")
    expect(carla.locator(LINE)).to_be_in_viewport()
    expect(carla.get_by_role("link", name="Day +5", exact=True)).to_be_in_viewport()
    expect(carla.get_by_role("link", name="Day +6", exact=True)).to_have_count(0)
    assert not find_violations(carla)
    carla.get_by_role("link", name="First page").click()
    expect(carla.get_by_role("link", name="Day +60", exact=True)).to_be_visible()
    expect(carla).to_have_url(f"{carla.url.partition('?')[0]}?cursor=first")
    carla.get_by_role("link", name="Today", exact=True).click()
    expect(carla.locator(LINE)).to_be_in_viewport()
    carla.go_back()
    expect(carla.get_by_role("link", name="Day +60", exact=True)).to_be_visible()


def test_a_line_far_down_a_short_list_is_scrolled_to_and_back_keeps_the_place(carla: Page) -> None:
    create_days(*range(-4, 40))
    carla.goto(LIST)
    expect(carla.locator(LINE)).to_be_in_viewport()
    carla.get_by_role("link", name="Day +39", exact=True).scroll_into_view_if_needed()
    carla.get_by_role("link", name="Day +39", exact=True).click()
    expect(carla.get_by_role("heading", level=1)).to_have_text("Day +39")
    carla.go_back()
    expect(carla.get_by_role("link", name="Day +39", exact=True)).to_be_in_viewport()


def test_keys_pass_over_the_line(carla: Page) -> None:
    create_days(-1, 0, 1)
    carla.goto(LIST)
    for _ in range(3):
        carla.keyboard.press("j")
    expect(carla.locator(".list-table tr.is-current .cell-link")).to_have_text("Day -1")


def test_on_a_phone_without_a_script_today_is_on_the_first_screen(plain: Page) -> None:
    create_days(*range(-60, 61))
    plain.goto(LIST)
    expect(plain.locator(LINE)).to_be_in_viewport()
    assert plain.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
