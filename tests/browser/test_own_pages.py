"""The Vault's own pages: without accessibility violations, within the window at every width, usable by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from ctms.core.clock import get_now
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

OWN_PAGES = ["/login/", "/", "/password/"]
WIDTHS = [360, 768, 1440, 2560]


@pytest.fixture
def user() -> User:
    """With an activity of today, so that the home page has rows."""
    user = UserFactory.create(username="carla", is_staff=True, is_superuser=True, last_name="Craig-with-a-long-name")
    site = StudySiteFactory.create()
    StudyAssignmentFactory.create(user=user, study=site.study)
    ActivityFactory.create(site=site, date=get_now().date(), subject="Protocol amendment " * 10)
    return user


def log_in(page: Page) -> None:
    enter_as(page, "carla")
    page.goto("/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def open_page(page: Page, path: str) -> None:
    if path != "/login/":
        log_in(page)
    page.goto(path)


@pytest.mark.parametrize("path", OWN_PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(page: Page, user: User, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_page(page, path)
    assert find_violations(page) == []


@pytest.mark.parametrize("path", OWN_PAGES)
def test_nothing_is_wider_than_the_window(page: Page, user: User, path: str) -> None:
    open_page(page, path)
    widest = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        widest[width] = page.evaluate("document.documentElement.scrollWidth")
    assert widest == {width: width for width in WIDTHS}


def test_a_refused_log_in_is_announced_and_tied_to_the_form(page: Page, user: User) -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill("carla")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Please enter a correct username and password.")
    expect(page.get_by_label("Username")).to_have_value("carla")
    assert find_violations(page) == []


def test_the_user_menu_opens_and_logs_out_by_keyboard(page: Page, user: User) -> None:
    log_in(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.locator(".user-menu summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".user-menu .menu:popover-open")).to_be_visible()
    page.get_by_role("button", name="Log out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/")
