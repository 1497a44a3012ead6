"""The admin console without a mouse: filters, records, errors, actions, sidebar and user menu; and what axe finds."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from ctms.accounts.models import FailedLogIn
from ctms.clinical.models import Study
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory

pytestmark = pytest.mark.django_db(transaction=True)

STUDIES = "/admin/clinical/study/"
NARROW = 390
# More than any page of these tests has.
MOST_STOPS = 150
FIND_DANGLING = """
() => [...document.querySelectorAll("[aria-describedby]")].flatMap(
    (input) => input.getAttribute("aria-describedby").split(" ").filter((id) => !document.getElementById(id)))
"""


@pytest.fixture
def console(page: Page) -> Page:
    """The console of an admin, with a study that is in use and one that is not."""
    UserFactory.create(username="ada", is_staff=True, is_superuser=True, first_name="Ada", last_name="Adams")
    StudyFactory.create(name="ST-100", status=RecordStatus.ACTIVE)
    StudyFactory.create(name="ST-200", status=RecordStatus.INACTIVE)
    enter_as(page, "ada")
    return page


def is_focused(part: Locator) -> bool:
    return bool(part.evaluate("(element) => element === document.activeElement"))


def go_to(page: Page, part: Locator, *, key: str = "Tab") -> None:
    """Press the key until the part has the focus."""
    expect(part).to_be_visible()
    for _ in range(MOST_STOPS):
        if is_focused(part):
            return
        page.keyboard.press(key)
    pytest.fail(f"{MOST_STOPS} times {key} do not lead to {part}.")


def open_page(page: Page, path: str) -> Locator:
    """Open the page and return its main part."""
    page.goto(path)
    main = page.get_by_role("main")
    expect(main).to_be_visible()
    return main


def test_the_first_link_leads_over_the_sidebar_to_the_page(console: Page) -> None:
    main = open_page(console, STUDIES)
    expect(console.get_by_role("heading", level=1)).to_have_text(re.compile(r"^\s*Studies\s*$"))
    expect(console.get_by_role("navigation", name="Console").get_by_role("link", name="Studies")).to_have_attribute(
        "aria-current", "page"
    )
    console.keyboard.press("Tab")
    expect(console.get_by_role("link", name="Skip to content")).to_be_focused()
    console.keyboard.press("Enter")
    expect(main).to_be_focused()


def test_a_list_is_filtered_in_a_dialog_that_keeps_the_focus(console: Page) -> None:
    main = open_page(console, STUDIES)
    opener = console.get_by_role("button", name="Filters", exact=True)
    go_to(console, opener)
    expect(opener).to_have_attribute("aria-expanded", "false")
    console.keyboard.press("Enter")
    dialog = console.get_by_role("dialog", name="Filters")
    expect(dialog.get_by_role("heading", name="Filters")).to_be_focused()

    console.keyboard.press("Shift+Tab")
    expect(dialog.get_by_role("link", name="Show counts")).to_be_focused()
    console.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Close filters")).to_be_focused()
    console.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()

    console.keyboard.press("Space")
    go_to(console, dialog.get_by_role("link", name="Inactive"))
    console.keyboard.press("Enter")
    expect(main.get_by_role("link", name="ST-100")).to_be_hidden()
    expect(main.get_by_role("link", name="ST-200")).to_be_visible()
    opener = console.get_by_role("button", name=re.compile("^Filters ?, some are applied"))
    go_to(console, opener)
    console.keyboard.press("Enter")
    chosen = dialog.get_by_role("group", name="By status").get_by_role("link", name="Inactive")
    expect(chosen).to_have_attribute("aria-current", "true")


def test_an_error_leads_to_its_field(console: Page) -> None:
    main = open_page(console, STUDIES)
    go_to(console, main.get_by_role("link", name="ST-100"))
    console.keyboard.press("Enter")
    field = console.locator("#id_name")
    go_to(console, field)
    console.keyboard.press("ControlOrMeta+a")
    console.keyboard.press("Delete")
    save = console.get_by_role("button", name="Save", exact=True)
    go_to(console, save)
    console.keyboard.press("Enter")

    summary = console.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(console).to_have_title(re.compile("^ *Error: "))
    console.keyboard.press("Tab")
    console.keyboard.press("Enter")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("This field is required"))
    assert console.evaluate(FIND_DANGLING) == []

    console.keyboard.type("ST-101")
    go_to(console, save)
    console.keyboard.press("Enter")
    expect(main.get_by_role("link", name="ST-101").first).to_be_visible()
    assert Study.objects.filter(name="ST-101").exists()


def test_an_action_is_run_for_a_row(console: Page) -> None:
    FailedLogIn.objects.create(username="bob", address="192.0.2.7", at=get_now())
    main = open_page(console, "/admin/accounts/failedlogin/")
    row = main.get_by_role("row").filter(has_text="192.0.2.7")
    go_to(console, row.get_by_role("checkbox"))
    console.keyboard.press("Space")
    actions = main.get_by_label("Select action to run")
    go_to(console, actions, key="Shift+Tab")
    console.keyboard.type("U")
    go_to(console, main.get_by_role("button", name="Run"))
    console.keyboard.press("Enter")
    expect(main.get_by_text("Unlocked: 1 wrong password forgotten.")).to_be_visible()


def test_the_user_menu_chooses_a_theme_and_logs_out(console: Page) -> None:
    open_page(console, STUDIES)
    opener = console.get_by_role("button", name="User menu of Ada Adams")
    log_out = console.get_by_role("button", name="Log out")
    go_to(console, opener)
    console.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    dark = console.get_by_role("group", name="Theme").get_by_role("button", name="Dark")
    go_to(console, dark, key="ArrowDown")
    console.keyboard.press("Enter")
    expect(dark).to_have_attribute("aria-pressed", "true")
    expect(console.locator("html")).to_have_class(re.compile(r"\bdark\b"))
    console.keyboard.press("Escape")
    expect(log_out).to_be_hidden()
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "false")

    console.keyboard.press("ArrowUp")
    expect(log_out).to_be_focused()
    console.keyboard.press("Enter")
    expect(log_out).to_be_hidden()
    console.goto(STUDIES)
    expect(console.get_by_role("button", name="Log in")).to_be_visible()


def test_the_sidebar_is_hidden_and_comes_back(console: Page) -> None:
    open_page(console, STUDIES)
    sidebar = console.get_by_role("navigation", name="Console")
    button = console.get_by_role("button", name="Sidebar", exact=True)
    go_to(console, button)
    console.keyboard.press("Space")
    expect(sidebar).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    console.keyboard.press("Space")
    expect(sidebar).to_be_visible()


def test_on_a_narrow_window_sidebar_and_actions_open_and_close_by_key(console: Page) -> None:
    console.set_viewport_size({"width": NARROW, "height": 900})
    open_page(console, f"{STUDIES}{Study.objects.get(name='ST-100').pk}/change/")
    opener = console.get_by_role("button", name="Sidebar", exact=True)
    go_to(console, opener)
    console.keyboard.press("Enter")
    expect(console.get_by_role("button", name="Close sidebar")).to_be_focused()
    console.keyboard.press("Escape")
    expect(console.get_by_role("navigation", name="Console")).to_be_hidden()
    expect(opener).to_be_focused()

    actions = console.get_by_role("button", name="Actions", exact=True)
    trail = console.get_by_role("link", name="Audit trail")
    go_to(console, actions)
    console.keyboard.press("Enter")
    go_to(console, trail)
    console.keyboard.press("Escape")
    expect(trail).to_be_hidden()
    expect(actions).to_be_focused()


@pytest.mark.parametrize("width", [1440, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_frame(console: Page, theme: str, width: int) -> None:
    console.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    console.set_viewport_size({"width": width, "height": 900})
    main = open_page(console, "/admin/")
    assert find_violations(console) == []

    open_page(console, STUDIES)
    assert find_violations(console) == []
    console.get_by_role("button", name="Filters", exact=True).click()
    expect(console.get_by_role("dialog", name="Filters")).to_be_visible()
    assert find_violations(console) == []
    console.keyboard.press("Escape")

    if width == NARROW:
        console.get_by_role("button", name="Sidebar", exact=True).click()
    console.get_by_role("button", name="User menu of Ada Adams").click()
    expect(console.get_by_role("button", name="Log out")).to_be_visible()
    assert find_violations(console) == []

    open_page(console, STUDIES)
    main.get_by_role("link", name="ST-100").click()
    console.locator("#id_name").fill("")
    console.get_by_role("button", name="Save", exact=True).click()
    expect(console.get_by_role("alert")).to_be_focused()
    if width == NARROW:
        console.get_by_role("button", name="Actions", exact=True).click()
        expect(console.get_by_role("link", name="Audit trail")).to_be_visible()
    assert find_violations(console) == []
