"""The frame of the study teams' pages: its menus, its keys and the palette."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from ctms.accounts.models import User
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def user() -> User:
    return UserFactory.create(username="carla", is_staff=True, is_superuser=True, first_name="Carla", last_name="Craig")


def log_in(page: Page) -> None:
    enter_as(page, "carla")
    page.goto("/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def test_a_menu_opens_closes_and_is_walked_by_keyboard(page: Page) -> None:
    log_in(page)
    summary = page.locator(".user-menu summary")
    summary.focus()
    page.keyboard.press("ArrowDown")
    log_out = page.get_by_role("button", name="Log out")
    expect(log_out).to_be_visible()
    page.keyboard.press("End")
    expect(log_out).to_be_focused()
    page.keyboard.press("Escape")
    expect(log_out).to_be_hidden()
    expect(summary).to_be_focused()


def test_a_key_pressed_while_a_menu_opens_counts(page: Page) -> None:
    log_in(page)
    summary = page.locator(".user-menu summary")
    summary.focus()
    summary.evaluate(
        """summary => {
            const press = (key) => summary.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
            press("ArrowDown");
            press("End");
            return new Promise((done) => summary.parentElement.addEventListener("toggle", () => setTimeout(done)));
        }"""
    )
    expect(page.get_by_role("button", name="Log out")).to_be_focused()


def test_a_click_elsewhere_closes_a_menu(page: Page) -> None:
    log_in(page)
    page.locator(".user-menu summary").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.get_by_role("heading", name="Home").click()
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1440])
def test_an_open_menu_is_inside_the_window_and_accessible(page: Page, width: int) -> None:
    log_in(page)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator(".user-menu summary").click()
    expect(page.locator(".user-menu .menu:popover-open")).to_be_visible()
    box = page.locator(".user-menu .menu").bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= width) == (True, True)
    assert find_violations(page) == []


def test_on_a_phone_the_tabs_are_a_menu(page: Page) -> None:
    log_in(page)
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.get_by_role("link", name="Home", exact=True)).to_have_count(0)
    page.get_by_label("Pages", exact=True).click()
    expect(page.get_by_role("link", name="Home", exact=True)).to_be_visible()


def test_the_palette_goes_to_a_page_by_keyboard_alone(page: Page) -> None:
    log_in(page)
    page.keyboard.press("Control+k")
    palette = page.get_by_role("combobox", name="Go to a page or record")
    expect(palette).to_be_focused()
    assert find_violations(page) == []
    page.keyboard.type("change passw")
    expect(page.get_by_role("option")).to_have_text(["Change password"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/password/")


def test_the_palette_closes_with_escape_and_goes_nowhere(page: Page) -> None:
    log_in(page)
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox", name="Go to a page or record")).to_be_hidden()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def test_menus_work_without_scripts(browser: Browser, base_url: str) -> None:
    with browser.new_context(java_script_enabled=False, base_url=base_url) as context:
        page = context.new_page()
        log_in(page)
        page.locator(".user-menu summary").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login/")
