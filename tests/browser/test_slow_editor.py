"""The layout editor while the server is slow: nothing that an admin does before it answers is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from ctms.configuration.models import PageLayout
from ctms.configuration.selectors import read_sections
from tests.browser.sessions import enter_as
from tests.browser.slowness import HeldRequests
from tests.factories.accounts import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = "#layout-status"


@pytest.fixture
def editor(page: Page) -> Page:
    """The layout of Study."""
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    enter_as(page, "ada")
    page.goto(f"/admin/configuration/pagelayout/{get_layout().pk}/change/")
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()
    return page


@pytest.fixture
def held(editor: Page) -> HeldRequests:
    return HeldRequests(editor, "**/pagelayout/*/change/")


def get_layout() -> PageLayout:
    return PageLayout.objects.get(of_object="study__v")


def find_button(editor: Page, name: str) -> Locator:
    return editor.get_by_role("button", name=name, exact=True)


def find_item(editor: Page, name: str) -> Locator:
    return editor.locator(f'[data-section]:not([data-related]) [data-item="{name}"]')


def find_middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def begin_drag(editor: Page, item: str, before: str) -> None:
    editor.mouse.move(*find_middle(find_item(editor, item).locator("[data-drag]")))
    editor.mouse.down()
    x, y = find_middle(find_item(editor, before))
    editor.mouse.move(x, y - 8, steps=4)
    expect(editor.locator(".vault-drop")).to_be_visible()


def test_keys_that_are_faster_than_the_server_all_count(editor: Page, held: HeldRequests) -> None:
    down = find_button(editor, "Move Study number down")
    down.focus()
    for _ in range(8):
        editor.keyboard.press("Enter")
    for _ in range(8):
        held.answer()
    # Six places down in its own section, and two in the next.
    expect(editor.locator(STATUS)).to_have_text("Study number: position 2 of 5 in Dates.")
    expect(down).to_be_focused()


def test_what_is_half_pressed_when_an_answer_comes_is_pressed(editor: Page, held: HeldRequests) -> None:
    down = find_button(editor, "Move Study number down")
    down.press("Enter")
    editor.keyboard.down("Space")
    held.answer()
    editor.keyboard.up("Space")
    held.answer()
    expect(editor.locator(STATUS)).to_have_text("Study number: position 3 of 7 in Study Details.")

    down.press("Enter")
    editor.mouse.move(*find_middle(down))
    editor.mouse.down()
    held.answer()
    editor.mouse.up()
    held.answer()
    expect(editor.locator(STATUS)).to_have_text("Study number: position 5 of 7 in Study Details.")


def test_what_is_entered_meanwhile_and_the_focus_stay(editor: Page, held: HeldRequests) -> None:
    editor.get_by_label("New section of fields").fill("Money")
    find_button(editor, "Remove Sponsor").click()
    title = editor.get_by_label("Title of the section Dates")
    title.press("End")
    editor.keyboard.type(" and")
    no_sites = editor.locator('[data-section][aria-label="Study Sites"]').get_by_label("Prevent record creation")
    no_sites.check()
    title.focus()
    held.answer()
    expect(editor.locator(STATUS)).to_have_text("Sponsor removed from Study Details.")
    editor.keyboard.type(" days")
    title = editor.get_by_label("Title of the section Dates")
    expect(title).to_have_value("Dates and days")
    expect(title).to_be_focused()
    expect(no_sites).to_be_checked()
    expect(editor.get_by_label("New section of fields")).to_have_value("Money")

    find_button(editor, "Add section").dblclick()  # adds one section
    held.answer_all()
    expect(editor.get_by_label("Title of the section Money")).to_be_focused()
    expect(editor.get_by_label("New section of fields")).to_have_value("")
    find_button(editor, "Save").click()
    expect(editor.get_by_text("Study page layout was saved.")).to_be_visible()
    titles = [section.title for section in read_sections(get_layout())]
    assert (titles.count("Money"), "Dates and days" in titles) == (1, True)


def test_save_waits_for_what_was_pressed_before_it(editor: Page, held: HeldRequests) -> None:
    find_button(editor, "Move Study number down").click()
    find_button(editor, "Save").click()
    held.wait_for(1)
    assert held.count == 1
    held.answer_all()
    expect(editor.get_by_text("Study page layout was saved.")).to_be_visible()
    assert read_sections(get_layout())[0].items[:2] == ("study_name__v", "name__v")


def test_a_change_that_fails_stops_those_after_it(editor: Page, held: HeldRequests, page_problems: list[str]) -> None:
    down = find_button(editor, "Move Study number down")
    for _ in range(3):
        down.press("Enter")
    find_button(editor, "Save").click()
    held.answer()
    held.refuse(500)
    expect(editor.locator(STATUS)).to_contain_text("The change after it was not made. The layout was not saved.")
    assert (held.count, get_layout().version) == (0, 1)
    down.press("Enter")
    held.answer()
    expect(editor.locator(STATUS)).to_have_text("Study number: position 3 of 7 in Study Details.")
    assert len(page_problems) == 1
    page_problems.clear()


def test_a_drag_goes_on_when_an_answer_comes_and_ends_where_it_was_dropped(editor: Page, held: HeldRequests) -> None:
    find_button(editor, "Remove Study number").click()
    begin_drag(editor, "status__v", before="sponsor__v")
    held.answer()
    expect(editor.locator(".vault-ghost")).to_be_visible()
    editor.mouse.up()
    held.answer()
    expect(editor.locator(STATUS)).to_have_text("Status: position 3 of 6 in Study Details.")

    # Dropped before a field that a change still under way moves one place up.
    find_button(editor, "Remove Study name").click()
    begin_drag(editor, "state__v", before="sponsor__v")
    editor.mouse.up()
    held.answer_all()
    expect(editor.locator(STATUS)).to_have_text("Lifecycle state: position 3 of 5 in Study Details.")
