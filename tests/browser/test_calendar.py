"""The calendar by mouse and by keyboard: days, views, moving by drag, conflict, undo, and what axe finds."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.models import MonitoringEvent, StudySite
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.records.calendar.visits import day, plan

pytestmark = pytest.mark.django_db(transaction=True)
DECEMBER = "/calendar/?view=month&date=2026-12-09"


@pytest.fixture
def carla() -> User:
    return UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")


@pytest.fixture
def site(page: Page, carla: User) -> StudySite:
    """Carla's site; she is logged in."""
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study)
    country = StudyCountryFactory.create(study=study)
    enter_as(page, "carla")
    return StudySiteFactory.create(study_country=country, name="04001", city="Graz", owner=carla)


def find_cell(page: Page, date: dt.date) -> Locator:
    return page.locator(f'td[data-date="{date}"]')


def find_entry(page: Page, date: dt.date) -> Locator:
    return find_cell(page, date).locator(".entry")


def test_a_visit_is_dragged_to_another_day_and_back_by_undo(page: Page, site: StudySite) -> None:
    visit = plan(site, 9, 10)
    page.goto(DECEMBER)
    # By its second day: it is moved by as many days as the pointer.
    find_entry(page, day(10)).drag_to(find_cell(page, day(17)))
    expect(page.locator("#messages")).to_contain_text("was moved to Wednesday 16 December 2026")
    expect(find_entry(page, day(16))).to_be_focused()
    visit.refresh_from_db()
    assert (visit.planned_start, visit.planned_end) == (day(16), day(17))
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#messages")).to_contain_text("Undone")
    expect(page).to_have_url(re.compile(r"/calendar/\?view=month&date=2026-12-09"))
    expect(find_entry(page, day(9))).to_be_visible()
    visit.refresh_from_db()
    assert (visit.planned_start, visit.planned_end) == (day(9), day(10))


def test_what_somebody_else_moved_meanwhile_is_not_moved(page: Page, site: StudySite, carla: User) -> None:
    visit = plan(site, 9)
    page.goto(DECEMBER)
    other = MonitoringEvent.objects.get(pk=visit.pk)
    other.planned_start = day(22)
    save_record(record=other, actor=Actor(user=carla, source="page"))
    find_entry(page, day(9)).drag_to(find_cell(page, day(15)))
    expect(page.locator("#messages")).to_contain_text("nothing was saved")
    expect(find_entry(page, day(22))).to_be_visible()
    visit.refresh_from_db()
    assert visit.planned_start == day(22)


def test_what_is_done_cannot_be_dragged(page: Page, site: StudySite) -> None:
    plan(site, 9, actual_start=day(9), actual_end=day(9))
    page.goto(DECEMBER)
    expect(find_entry(page, day(9))).not_to_have_attribute("draggable", "true")


def test_days_and_views_by_keyboard_alone(page: Page, site: StudySite) -> None:
    plan(site, 10)
    page.goto(DECEMBER)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#day-2026-12-09")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#day-2026-12-17")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    # Beyond the last week that is shown: the month after.
    expect(page.get_by_role("heading", name="January 2027")).to_be_visible()
    expect(page.locator("#day-2027-01-07")).to_be_focused()
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="December 2026")).to_be_visible()
    page.keyboard.press("w")
    expect(page.get_by_role("link", name="Week")).to_have_attribute("aria-current", "page")
    page.keyboard.press("a")
    expect(page.get_by_role("link", name="Agenda")).to_have_attribute("aria-current", "page")
    page.keyboard.press("m")
    expect(page.get_by_role("link", name="Month")).to_have_attribute("aria-current", "page")
    page.goto(DECEMBER)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thursday 10 December 2026", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="04001 · Graz", exact=True)).to_be_visible()


def test_an_entry_is_moved_by_keyboard(page: Page, site: StudySite) -> None:
    activity = ActivityFactory.create(site=site, study=site.study, date=day(9), subject="Call back")
    page.goto(DECEMBER)
    find_entry(page, day(9)).focus()
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("#messages")).to_contain_text("was moved to Wednesday 16 December 2026")
    expect(find_entry(page, day(16))).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_label("New day")).to_be_focused()
    page.keyboard.type("12122026")  # day and month in any order
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("was moved to Saturday 12 December 2026")
    activity.refresh_from_db()
    assert activity.date == day(12)


def test_a_visit_is_planned_from_the_day_that_has_the_focus(page: Page, site: StudySite) -> None:
    page.goto(f"{DECEMBER}&whose={site.study.uid}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    page.get_by_role("link", name="Interim Monitoring Visit").click()
    expect(page.get_by_label("Planned start")).to_have_value("2026-12-10")
    expect(page.get_by_role("combobox", name="Study", exact=True)).to_have_value(re.compile("CARDIO-301"))


@pytest.mark.parametrize("view", ["month", "week", "agenda", "day"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_accessible(page: Page, site: StudySite, view: str, width: int, theme: str) -> None:
    plan(site, 8, 10)
    plan(site, 9, actual_start=day(9), actual_end=day(9))
    for number in range(6):
        ActivityFactory.create(site=site, study=site.study, date=day(9), subject=f"Call {number}")
    ActivityFactory.create(site=site, study=site.study, date=dt.date(2026, 11, 30), subject="Late")
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/calendar/?view={view}&date=2026-12-09")
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_day_of_the_month_opens_by_a_touch_on_a_phone(page: Page, site: StudySite) -> None:
    plan(site, 9)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(DECEMBER)
    find_cell(page, day(9)).click(position={"x": 20, "y": 48})
    expect(page.get_by_role("heading", name="Wednesday 9 December 2026", level=1)).to_be_visible()


@pytest.mark.parametrize("view", ["month", "week"])
def test_an_entry_is_moved_by_touch_alone_on_a_phone(
    browser: Browser, base_url: str, page: Page, site: StudySite, view: str
) -> None:
    visit = plan(site, 9)
    cookies: Any = page.context.cookies()
    phone = browser.new_context(base_url=base_url, viewport={"width": 390, "height": 844}, has_touch=True)
    phone.add_cookies(cookies)
    touched = phone.new_page()
    touched.goto(f"/calendar/?view={view}&date=2026-12-09")
    touched.locator(f"#day-{day(9)}").tap()
    expect(touched.get_by_role("heading", name="Wednesday 9 December 2026", level=1)).to_be_visible()
    touched.get_by_role("link", name=re.compile("^Move ")).first.tap()
    touched.get_by_label("New day").fill(str(day(16)))
    touched.get_by_role("button", name="Move").tap()
    expect(touched.locator("#messages")).to_contain_text("was moved to Wednesday 16 December 2026")
    phone.close()
    visit.refresh_from_db()
    assert visit.planned_start == day(16)


def test_the_printed_page_has_the_days_and_nothing_to_click(page: Page, site: StudySite) -> None:
    plan(site, 9)
    page.goto(DECEMBER)
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="December 2026")).to_be_visible()
    expect(find_entry(page, day(9))).to_be_visible()
    for hidden in (".site-header", ".page-actions", ".calendar-tools"):
        expect(page.locator(hidden).first).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_pages_that_copy_a_visit_are_accessible(page: Page, site: StudySite, width: int) -> None:
    StudySiteFactory.create(study_country=site.study_country, name="04002", city="Linz")
    visit = plan(site, 9)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/records/monitoring_event__ctms/{visit.uid}/copies/")
    assert find_violations(page) == []
    # A day that is typed for a site ticks it.
    page.get_by_label("Planned start at 04002 · Linz, if another").fill("2026-12-22")
    expect(page.get_by_role("checkbox", name="04002 · Linz")).to_be_checked()
    expect(page.get_by_text("1 ticked")).to_be_visible()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("button", name="Create 1")).to_be_visible()
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
