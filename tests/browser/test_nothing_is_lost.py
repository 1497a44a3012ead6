"""What was typed stays: when the session ends meanwhile, when somebody logs in in another tab, when a key slips."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from activities.models import Activity
from ctms.clinical.models import Person
from tests.browser.sessions import enter_as
from tests.browser.slowness import intercept
from tests.factories.accounts import USER_PASSWORD, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def person() -> Person:
    return PersonFactory.create(first_name="Jonas", last_name="Weber", email="jonas.weber@example.org")


@pytest.fixture
def carla(page: Page, person: Person) -> Page:
    """Her browser, logged in."""
    UserFactory.create(username="carla", is_superuser=True)
    enter_as(page, "carla")
    page.goto("/")
    return page


def end_session(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")


def log_in(page: Page) -> None:
    page.get_by_label("Username").fill("carla")
    page.get_by_label("Password").fill(USER_PASSWORD)
    page.keyboard.press("Enter")


def log_in_elsewhere(page: Page) -> None:
    """In another tab, which makes the tokens of this one useless."""
    other = page.context.new_page()
    other.goto("/login/")
    log_in(other)
    expect(other.get_by_role("heading", name="Home")).to_be_visible()
    other.close()


def open_quick_log(page: Page) -> None:
    page.keyboard.press("l")
    expect(page.get_by_role("dialog")).to_be_visible()


def fill_in(page: Page, subject: str) -> None:
    page.get_by_role("combobox", name="Person", exact=True).fill("weber")
    page.locator(".listbox:not([hidden]) [role=option]", has_text="Jonas Weber").click()
    if page.get_by_role("dialog").count():
        page.get_by_role("dialog").get_by_text("Phone", exact=True).click()
    else:
        page.get_by_label("Channel").select_option(label="Phone")
    page.get_by_label("Subject").fill(subject)


def test_a_form_comes_back_through_the_log_in_page_and_is_saved(carla: Page) -> None:
    carla.goto("/records/crm_activity__v/create/")
    fill_in(carla, "Before the session ended")
    end_session(carla)
    carla.get_by_role("button", name="Save", exact=True).click()
    expect(carla.get_by_text("What you typed is kept")).to_be_visible()
    log_in(carla)
    expect(carla.get_by_role("heading", name="Nothing was saved yet")).to_be_visible()
    expect(carla.get_by_role("button", name="Go on")).to_be_focused()
    carla.keyboard.press("Enter")
    expect(carla.get_by_text("Activity created:")).to_be_visible()
    assert Activity.objects.get().subject == "Before the session ended"


def test_a_form_from_before_a_log_in_elsewhere_is_saved(carla: Page, page_problems: list[str]) -> None:
    carla.goto("/records/crm_activity__v/create/")
    fill_in(carla, "Two tabs")
    end_session(carla)
    log_in_elsewhere(carla)
    carla.get_by_role("button", name="Save", exact=True).click()
    carla.get_by_role("button", name="Go on").click()
    expect(carla.get_by_text("Activity created:")).to_be_visible()
    assert Activity.objects.get().subject == "Two tabs"
    page_problems.clear()


def test_quick_log_goes_on_after_a_log_in_elsewhere(carla: Page, page_problems: list[str]) -> None:
    open_quick_log(carla)
    fill_in(carla, "Logged quickly")
    end_session(carla)
    save = carla.get_by_role("dialog").get_by_role("button", name="Save", exact=True)
    save.click()
    expect(carla.get_by_text("Log in in another tab")).to_be_visible()
    log_in_elsewhere(carla)
    save.click()
    expect(carla.get_by_text("Activity created:")).to_be_visible()
    assert Activity.objects.get().subject == "Logged quickly"
    page_problems.clear()


def test_a_field_goes_on_after_a_log_in_elsewhere(carla: Page, person: Person, page_problems: list[str]) -> None:
    activity = ActivityFactory.create(person=person, subject="Old")
    carla.goto(f"/records/crm_activity__v/{activity.uid}/")
    subject = carla.locator("#field-subject__v")
    subject.dblclick()
    subject.get_by_role("textbox").fill("New")
    end_session(carla)
    carla.keyboard.press("Enter")
    expect(subject.get_by_role("alert")).to_contain_text("logged out")
    log_in_elsewhere(carla)
    subject.get_by_role("textbox").press("Enter")
    expect(subject.get_by_role("textbox")).to_have_count(0)
    expect(subject).to_contain_text("New")
    page_problems.clear()


def test_escape_asks_before_it_throws_away_what_was_typed(carla: Page) -> None:
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    open_quick_log(carla)
    carla.keyboard.press("Escape")
    expect(carla.get_by_role("dialog")).to_have_count(0)
    open_quick_log(carla)
    carla.once("dialog", refuse)
    carla.get_by_label("Subject").fill("Long thought about")
    carla.keyboard.press("Escape")
    expect(carla.get_by_label("Subject")).to_have_value("Long thought about")
    assert asked == ["Discard what you typed?"]

    carla.once("dialog", lambda dialog: dialog.accept())
    carla.get_by_role("button", name="Cancel").or_(carla.get_by_role("link", name="Cancel")).click()
    expect(carla.get_by_role("dialog")).to_have_count(0)
    # What was discarded keeps nobody on the page.
    carla.get_by_role("link", name="Studies", exact=True).first.click()
    expect(carla.get_by_role("heading", name="Studies", level=1)).to_be_visible()


def test_what_was_saved_is_not_said_to_be_lost_when_the_next_form_does_not_come(
    carla: Page, page_problems: list[str]
) -> None:
    open_quick_log(carla)
    fill_in(carla, "Saved once")

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            route.abort()
        else:
            route.continue_()

    intercept(carla, "**/quick/**", answer)
    carla.get_by_role("button", name="Save + Create").click()
    expect(carla.get_by_text("Activity created:")).to_be_visible()
    expect(carla.get_by_role("dialog")).to_have_count(0)
    assert Activity.objects.count() == 1
    page_problems.clear()
