"""Home in the browser: what is due is done and rescheduled where it stands, by mouse and by keyboard alone."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.choices import AssignmentRole
from ctms.clinical.models import StudySite
from ctms.core.models import allow_record_writes
from tests.admin_rows import create_exception_item, create_exception_message
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import intercept
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Pictures to look at: SHOTS=<folder> pytest tests/browser/test_home.py
SHOTS = os.environ.get("SHOTS", "")


def find_day(days: int) -> dt.date:
    return timezone.localdate() + dt.timedelta(days=days)


@pytest.fixture
def carla() -> User:
    return UserFactory.create(username="carla", is_superuser=True, is_staff=True, first_name="Carla", last_name="Craig")


@pytest.fixture
def site(carla: User) -> StudySite:
    """A site of Carla's with two activities that are overdue, and one of today."""
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study, role=AssignmentRole.STUDY_MANAGER)
    country = StudyCountryFactory.create(study=study)
    site = StudySiteFactory.create(
        study_country=country, name="04001", site_name="Hospital Graz", city="Graz", owner=carla
    )
    person = PersonFactory.create(first_name="Diego", last_name="Peña", email="diego@example.org")
    for days, subject in ((-9, "Consent forms"), (-2, "Drug accountability"), (0, "Weekly call")):
        ActivityFactory.create(site=site, person=person, date=find_day(days), subject=subject)
    return site


@pytest.fixture
def home(page: Page, site: StudySite) -> Page:
    enter_as(page, "carla")
    page.goto("/")
    return page


def show_charts(page: Page) -> None:
    """Scroll to the charts, which are replaced when they come into sight."""
    page.locator("#panel-charts h2").evaluate("heading => heading.scrollIntoView()")


def get_row(page: Page, title: str) -> Locator:
    return page.locator("[data-row]", has_text=title)


def get_group(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=name, exact=True)


def find(subject: str) -> Activity:
    return Activity.objects.get(subject=subject)


def test_done_takes_the_row_away_and_undo_brings_it_back(home: Page) -> None:
    home.get_by_role("button", name="Done: Consent forms").click()
    toast = home.locator(".toast")
    expect(toast).to_contain_text("Complete: Consent forms was saved.")
    expect(get_row(home, "Consent forms")).to_have_count(0)
    expect(get_row(home, "Drug accountability").locator("[data-row-link]")).to_be_focused()
    assert find("Consent forms").complete is True
    toast.hover()  # what the pointer is on stays longer than ten seconds
    assert find_violations(home) == []
    toast.get_by_role("button", name="Undo").click()
    expect(get_group(home, "Overdue").get_by_text("Consent forms")).to_be_visible()
    expect(toast).to_contain_text("Undone")
    assert find("Consent forms").complete is False


def test_undo_is_offered_for_ten_seconds_and_then_in_the_history(home: Page) -> None:
    home.clock.install()
    home.clock.pause_at(timezone.now() + dt.timedelta(minutes=1))  # a busy machine takes seconds for a click
    home.get_by_role("button", name="Done: Weekly call").click()
    expect(home.locator(".toast")).to_be_attached()
    home.clock.run_for(100)
    expect(home.locator(".toast .message")).to_be_visible()
    home.mouse.move(1, 1)
    home.clock.run_for(9_000)
    expect(home.locator(".toast")).to_be_visible()
    home.clock.run_for(2_000)
    expect(home.locator(".toast")).to_have_count(0)
    expect(home.locator(".due-done summary")).to_be_visible()
    home.goto(f"/records/crm_activity__v/{find('Weekly call').uid}/history/")
    expect(home.get_by_role("button", name="Undo").first).to_be_visible()


def test_what_is_due_is_worked_through_by_keyboard_alone(home: Page) -> None:
    home.keyboard.press("j")
    expect(get_row(home, "Consent forms").locator("[data-row-link]")).to_be_focused()
    home.keyboard.press("c")
    expect(get_row(home, "Consent forms")).to_have_count(0)
    expect(get_row(home, "Drug accountability").locator("[data-row-link]")).to_be_focused()
    home.keyboard.press("r")
    entry = home.get_by_label("New date of Drug accountability")
    expect(entry).to_be_focused()
    entry.fill(find_day(30).isoformat())
    home.keyboard.press("Enter")
    expect(get_row(home, "Drug accountability")).to_have_count(0)
    expect(home.locator(".toast")).to_contain_text("Date of")
    expect(get_row(home, "Weekly call").locator("[data-row-link]")).to_be_focused()
    assert (find("Consent forms").complete, find("Drug accountability").date) == (True, find_day(30))
    home.keyboard.press("r")
    home.keyboard.press("Escape")
    expect(home.locator("#reschedule")).to_be_hidden()
    expect(get_row(home, "Weekly call").locator("[data-row-link]")).to_be_focused()
    home.keyboard.press("k")
    home.keyboard.press("Enter")
    expect(home.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize(("step", "days"), [("+1 day", 1), ("+1 week", 7)])
def test_a_step_moves_what_is_overdue_from_today_on(home: Page, step: str, days: int) -> None:
    home.get_by_role("link", name="Reschedule: Consent forms").click()
    expect(home.locator("#reschedule")).to_be_visible()
    assert find_violations(home) == []
    home.get_by_role("button", name=step).click()
    expect(home.locator(".toast")).to_contain_text("Undo")
    expect(get_group(home, "Overdue").get_by_text("Consent forms")).to_have_count(0)
    assert find("Consent forms").date == find_day(days)


def test_what_somebody_else_moved_meanwhile_is_shown_with_both_dates(home: Page, carla: User) -> None:
    activity = find("Consent forms")
    activity.date = find_day(3)
    save_record(record=activity, actor=Actor(user=UserFactory.create(first_name="Colin"), source="page"))
    home.get_by_role("link", name="Reschedule: Consent forms").click()
    home.get_by_role("button", name="+1 week").click()
    expect(home.get_by_role("alert")).to_contain_text("Nothing was saved")
    home.get_by_role("button", name="Save mine over it").click()
    expect(home.get_by_role("heading", name="Home")).to_be_visible()
    assert find("Consent forms").date == find_day(7)


def test_done_on_what_somebody_else_changed_says_so_and_changes_nothing(home: Page) -> None:
    activity = find("Consent forms")
    activity.subject = "Consent forms, all"
    save_record(record=activity, actor=Actor(user=UserFactory.create(), source="page"))
    home.get_by_role("button", name="Done: Consent forms").click()
    expect(home.locator(".toast .error")).to_be_visible()
    expect(get_row(home, "Consent forms, all")).to_be_visible()
    assert find("Consent forms, all").complete is False


def test_a_server_that_does_not_answer_is_told_and_the_row_stays(home: Page, page_problems: list[str]) -> None:
    intercept(home, "**/change/complete/", lambda route: route.abort())
    home.get_by_role("button", name="Done: Consent forms").click()
    expect(home.locator(".toast")).to_contain_text("Nothing was saved: the server did not answer.")
    expect(get_row(home, "Consent forms")).to_be_visible()
    page_problems.clear()


def test_charts_come_with_their_sight_and_lead_to_lists(home: Page) -> None:
    show_charts(home)
    expect(home.get_by_text("Nothing was completed since")).to_be_visible()
    home.get_by_role("button", name="Done: Consent forms").click()
    expect(get_row(home, "Consent forms")).to_have_count(0)
    show_charts(home)
    bar = home.locator("#panel-charts svg a").first
    expect(bar).to_be_visible()
    expect(home).to_have_title(re.compile(r"^Home · "))  # not that of the page of the charts
    home.get_by_role("button", name="Done: Drug accountability").click()
    expect(bar).to_be_visible()  # it stays until it is drawn anew
    expect(home.locator("#panel-charts svg a").first).to_have_accessible_name(re.compile(r": 2$"))
    assert find_violations(home) == []
    bar.click()
    expect(home.locator("[data-list-count]")).to_have_text("2")


def test_what_is_logged_over_the_page_is_on_it_at_once(home: Page, site: StudySite) -> None:
    ActivityFactory.create(site=site, date=find_day(0), subject="Logged over it")
    home.evaluate("document.dispatchEvent(new CustomEvent('vault:saved', { detail: {} }))")
    expect(get_group(home, "Today").get_by_text("Logged over it")).to_be_visible()


def test_on_a_phone_the_first_screen_shows_what_is_overdue(page: Page, site: StudySite) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    enter_as(page, "carla")
    page.goto("/")
    expect(get_row(page, "Consent forms")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Done: Consent forms")).to_be_in_viewport(ratio=1)


def test_without_script_everything_is_done_and_leads_back(
    browser: Browser, browser_context_args: dict[str, Any], site: StudySite
) -> None:
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    page = context.new_page()
    enter_as(page, "carla")
    page.goto("/")
    page.get_by_role("button", name="Done: Consent forms").click()
    expect(page.get_by_role("status")).to_contain_text("Complete: Consent forms was saved.")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(get_group(page, "Overdue").get_by_text("Consent forms")).to_be_visible()
    page.get_by_role("link", name="Reschedule: Consent forms").click()
    page.get_by_role("textbox", name="Date").fill(find_day(40).isoformat())
    page.get_by_role("button", name="Save Date").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.get_by_role("link", name="Show Contacts of the last six months").click()
    expect(page.get_by_role("heading", name="Contacts of the last six months").last).to_be_visible()
    assert find("Consent forms").date == find_day(40)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["", "?view=team"])
def test_axe_finds_no_violation(page: Page, carla: User, site: StudySite, scheme: str, view: str) -> None:
    fill(site, carla)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    enter_as(page, "carla")
    page.goto(f"/{view}")
    if not view:
        show_charts(page)
        expect(page.locator("#panel-charts svg").first).to_be_visible()
        expect(page.locator("#panel-administration .rows").first).to_be_visible()
    assert find_violations(page) == []
    take_pictures(page, f"home-{view[6:]}", scheme)
    if not view:
        page.get_by_role("button", name="Done: Consent forms").click()
        expect(page.locator(".toast .message")).to_be_visible()
        page.get_by_role("link", name="Reschedule: Drug accountability").click()
        take_pictures(page, "home-reschedule", scheme)


def take_pictures(page: Page, name: str, scheme: str) -> None:
    """Take pictures of the first screen and of the whole page, if somebody wants to look at them."""
    if not SHOTS:
        return
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}-first.png")
        page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)


def fill(site: StudySite, carla: User) -> None:
    """Add five sites, work of a week, what was done, calls, failures and changes of a colleague."""
    colin = UserFactory.create(username="colin", first_name="Colin", last_name="Cole")
    message = create_exception_message()
    names = ("Investigator", "Müller-Lüdenscheidt")
    people = [PersonFactory.create(first_name="Irene", last_name=name, email="irene@example.org") for name in names]
    for number, city in enumerate(("Wien", "Salzburg", "Innsbruck", "Linz", "Klagenfurt am Wörthersee")):
        other = StudySiteFactory.create(
            study_country=site.study_country,
            name=f"0400{number + 2}",
            site_name=f"Klinikum {city}",
            city=city,
            owner=carla,
        )
        MonitoringEventFactory.create(site=other, planned_start=find_day(5 + number * 3), planned_end=None)
        for days in range(-160, 12, 9):
            ActivityFactory.create(
                site=other,
                person=people[number % 2],
                date=find_day(days + number),
                complete=days < -8,
                channel=list(Channel)[(days + number) % 6],
                owner=carla if number % 2 else colin,
                subject=f"{city}: query about the informed consent, version {abs(days)}",
            )
        with allow_record_writes():
            StudySite.objects.filter(pk=other.pk).update(
                last_contact=find_day(-9 * number - 1),
                next_contact=find_day(2 + number),
                overdue_since=find_day(-number - 2) if number % 2 else None,
            )
        other.city = f"{city} (new wing)"
        save_record(record=other, actor=Actor(user=colin, source="page"))
        call = MedicalActivityFactory.create(
            site=other,
            person=people[0],
            subject="Call of the medical team",
            connection=message.connection,
            complete=True,
        )
        if number < 2:
            create_exception_item(
                message=message,
                key=str(call.uid),
                item=str(call),
                record_object=call.object_name,
                record_uid=call.uid,
                error_message="Person: no account of EMEA has the External ID P-000123. Ask the data steward.",
            )
