"""A record beside its list: opened, walked through, changed and closed, by mouse and by keyboard."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from activities.models import Activity
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import HeldRequests
from tests.factories.accounts import UserFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/records/crm_activity__v/"
ROW = ".list-table tbody tr"
CURRENT = f"{ROW}.is-current .cell-link"
# Pictures to look at: SHOTS=<folder> pytest tests/browser/test_peek.py
SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
def carla(page: Page) -> Page:
    """The page of somebody who is logged in and has forty activities at a site, and room beside the list."""
    UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")
    study = StudyFactory.create(name="CARDIO-301")
    country = StudyCountryFactory.create(study=study)
    site = StudySiteFactory.create(study_country=country, name="04001", city="Graz", site_name="University Hospital")
    create_activities(40, people=create_people(6, prefix="Nurse"), site=site, study=study, study_country=country)
    page.set_viewport_size({"width": 1440, "height": 900})
    enter_as(page, "carla")
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def get_peek(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Record beside the list")


def list_titles(page: Page) -> list[str]:
    return page.locator(f"{ROW} .cell-link").all_inner_texts()


def expect_shown(page: Page, title: str) -> None:
    """The record is shown as a whole, and its row is the current one."""
    peek = get_peek(page)
    expect(peek.get_by_role("heading", level=1)).to_have_text(title)
    expect(peek.get_by_role("heading", name="History")).to_be_visible()
    expect(page.locator(CURRENT)).to_have_text(title)


def read_uid(page: Page) -> str:
    found = re.search(r"[?&]peek=([0-9a-f-]{36})", page.url)
    return found[1] if found else ""


def take_pictures(page: Page) -> None:
    if not SHOTS:
        return
    for width, height in ((1440, 900), (1100, 700), (900, 700), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(path=Path(SHOTS) / f"peek-{width}-{scheme}.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


def test_it_opens_by_key_beside_the_list_and_closes_back_to_its_row(carla: Page) -> None:
    carla.goto(LIST)
    titles = list_titles(carla)
    press(carla, "j", "j", "Space")
    expect_shown(carla, titles[1])
    peek = get_peek(carla)
    expect(peek.locator(".key-facts")).to_contain_text("Channel")
    expect(peek).to_contain_text("2 of 40")
    assert read_uid(carla) == str(Activity.objects.get(subject=titles[1]).uid)
    assert find_violations(carla) == []
    # The list stays within reach beside it.
    box, region = peek.bounding_box(), carla.locator(".table-region").bounding_box()
    assert box is not None
    assert region is not None
    assert region["x"] + region["width"] <= box["x"]
    assert box["y"] + box["height"] <= 900
    take_pictures(carla)
    press(carla, "Escape")
    expect(peek).to_be_hidden()
    expect(carla.locator(CURRENT)).to_be_focused()
    expect(carla).not_to_have_url(re.compile("peek="))


def test_keys_and_buttons_walk_through_the_list_and_over_the_edge_of_its_page(carla: Page) -> None:
    carla.goto(f"{LIST}?size=3&sort=name__v")
    first = list_titles(carla)
    press(carla, "j", "Space")
    expect_shown(carla, first[0])
    peek = get_peek(carla)
    expect(peek.get_by_role("button", name="Previous record")).to_have_attribute("aria-disabled", "true")
    press(carla, "j", "ArrowDown")
    expect_shown(carla, first[2])
    peek.get_by_role("button", name="Next record").click()
    expect(peek).to_contain_text("4 of 40")
    second = list_titles(carla)
    assert not set(first) & set(second)
    expect_shown(carla, second[0])
    press(carla, "k")
    expect_shown(carla, first[2])
    carla.reload()
    expect_shown(carla, first[2])
    expect(peek.locator("[data-peek-status]")).to_contain_text(f"{first[2]}: 3 of 40")


def test_enter_opens_the_record_and_back_shows_it_beside_the_list_again(carla: Page) -> None:
    carla.goto(LIST)
    titles = list_titles(carla)
    press(carla, "j", "Space")
    expect_shown(carla, titles[0])
    press(carla, "j", "Enter")
    expect(carla.locator("body.page-record h1")).to_have_text(titles[1])
    carla.go_back()
    expect_shown(carla, titles[1])
    carla.go_back()
    expect(get_peek(carla)).to_be_hidden()
    expect(carla).to_have_url(re.compile(f"{LIST}$"))
    carla.go_forward()
    expect_shown(carla, titles[1])


def test_by_mouse_it_opens_from_the_row_and_its_menu_and_follows_the_row_that_is_clicked(carla: Page) -> None:
    carla.goto(LIST)
    titles = list_titles(carla)
    carla.locator(ROW).nth(0).hover()
    carla.locator(ROW).nth(0).locator(".row-peek").click()
    expect_shown(carla, titles[0])
    carla.locator(ROW).nth(3).locator("td[data-field=channel__v]").click()
    expect_shown(carla, titles[3])
    get_peek(carla).get_by_role("button", name="Close").click()
    expect(get_peek(carla)).to_be_hidden()
    carla.locator(ROW).nth(5).locator(".menu-cell summary").click()
    carla.get_by_role("link", name="Peek").click()
    expect_shown(carla, titles[5])


def test_a_field_that_is_changed_is_seen_in_the_row(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "j", "j", "Space")
    expect_shown(carla, list_titles(carla)[1])
    peek = get_peek(carla)
    peek.locator("#field-subject__v").dblclick()
    peek.locator("#field-subject__v").get_by_role("textbox").fill("What was said")
    press(carla, "Enter")
    expect(carla.locator(ROW).nth(1).locator(".cell-link")).to_have_text("What was said")
    expect_shown(carla, "What was said")
    expect(peek.get_by_text("Subject was saved.")).to_be_visible()
    assert Activity.objects.filter(subject="What was said").count() == 1
    assert read_uid(carla)


def test_a_slip_throws_nothing_away_that_was_typed(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "j", "Space")
    title = list_titles(carla)[0]
    expect_shown(carla, title)
    peek = get_peek(carla)
    peek.locator("#field-subject__v").dblclick()
    peek.locator("#field-subject__v").get_by_role("textbox").fill("Half a thought")
    carla.once("dialog", lambda dialog: dialog.dismiss())
    peek.get_by_role("button", name="Next record").click()
    expect(peek.locator("#field-subject__v").get_by_role("textbox")).to_have_value("Half a thought")
    expect(carla.locator(CURRENT)).to_have_text(title)
    # Escape is for the field first, then for the panel.
    peek.locator("#field-subject__v").get_by_role("textbox").focus()
    press(carla, "Escape")
    expect(peek.locator("#field-subject__v form")).to_be_hidden()
    expect(peek).to_be_visible()


def test_the_keys_of_the_object_act_on_the_record_shown_and_the_next_comes_into_its_place(carla: Page) -> None:
    carla.goto(f"{LIST}?complete__v=false&sort=date__v")
    titles = list_titles(carla)
    press(carla, "j", "j", "Space")
    expect_shown(carla, titles[1])
    press(carla, "c")
    expect(carla.locator("#messages")).to_contain_text(f"Complete: {titles[1]} was saved.")
    assert Activity.objects.get(subject=titles[1]).complete
    peek = get_peek(carla)
    expect(peek).to_contain_text("No longer in this list")
    expect(peek.locator(".key-facts")).to_contain_text("Complete")
    press(carla, "j")
    expect_shown(carla, titles[2])
    press(carla, "r")
    entry = peek.locator("#field-date__v").get_by_role("textbox")
    expect(entry).to_be_focused()
    entry.fill("2026-08-07")
    press(carla, "Enter")
    expect(peek.locator("#field-date__v")).to_contain_text("7 Aug 2026")
    assert Activity.objects.get(subject=titles[2]).date == dt.date(2026, 8, 7)


def test_an_action_leads_back_to_the_list_with_the_record_beside_it(carla: Page) -> None:
    carla.goto(f"{LIST}?sort=date__v")
    title = list_titles(carla)[1]
    press(carla, "j", "j", "Space")
    expect_shown(carla, title)
    peek = get_peek(carla)
    peek.get_by_text("Actions", exact=True).click()
    peek.get_by_role("button", name="Deactivate").click()
    expect(carla.locator("#messages")).to_contain_text("is Inactive now")
    expect_shown(carla, title)
    expect(peek.locator(".record-bar")).to_contain_text("Inactive")
    expect(carla).to_have_url(re.compile(r"\?sort=date__v&peek="))


def test_no_action_reaches_the_record_before_while_the_next_is_on_its_way(carla: Page) -> None:
    carla.goto(f"{LIST}?sort=date__v")
    titles = list_titles(carla)
    press(carla, "j", "Space")
    expect_shown(carla, titles[0])
    held = HeldRequests(carla, "**/peek/")
    press(carla, "j")
    held.wait_for(1)
    expect(get_peek(carla).get_by_role("heading", level=1)).to_have_text(titles[1])
    press(carla, "c", "e")
    press(carla, "j")
    held.wait_for(2)
    held.answer_last()
    expect_shown(carla, titles[2])
    held.answer_all()
    held.settle()
    expect_shown(carla, titles[2])
    expect(carla).to_have_url(re.compile(re.escape(LIST) + r"\?sort=date__v&peek="))
    assert set(Activity.objects.values_list("version", flat=True)) == {1}


def test_a_record_that_is_gone_is_said_to_be_gone(carla: Page, page_problems: list[str]) -> None:
    carla.goto(f"{LIST}?peek=00000000-0000-4000-8000-000000000000")
    expect(get_peek(carla).get_by_role("alert")).to_contain_text("was deleted, or is not visible to you")
    press(carla, "Escape")
    expect(get_peek(carla)).to_be_hidden()
    assert all("404" in problem for problem in page_problems)
    page_problems.clear()


def test_a_change_in_a_cell_is_seen_beside_the_list(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "j", "Space")
    expect_shown(carla, list_titles(carla)[0])
    carla.locator(ROW).first.locator("[data-field=date__v]").dblclick()
    editor = carla.locator("#cell-editor")
    editor.get_by_role("textbox", name="Date").fill("2027-07-05")
    editor.get_by_role("button", name="Save Date").click()
    expect(get_peek(carla).locator("#field-date__v")).to_contain_text("5 Jul 2027")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 740), (900, 700)])
def test_where_there_is_no_room_it_lies_over_the_list(carla: Page, width: int, height: int) -> None:
    carla.set_viewport_size({"width": width, "height": height})
    carla.goto(LIST)
    title = list_titles(carla)[1]
    carla.locator(ROW).nth(1).locator(".menu-cell summary").click()
    carla.get_by_role("link", name="Peek").click()
    expect_shown(carla, title)
    assert carla.evaluate("document.documentElement.scrollWidth") <= width
    assert find_violations(carla) == []
    # Nothing beneath is reached: the focus stays in the sheet.
    for _ in range(40):
        press(carla, "Tab")
        assert carla.evaluate("document.activeElement === document.body || !!document.activeElement.closest('#peek')")
    get_peek(carla).get_by_role("button", name="Next record").click()
    expect_shown(carla, list_titles(carla)[2])
    carla.go_back()
    expect(get_peek(carla)).to_be_hidden()
    expect(carla).to_have_url(re.compile(f"{LIST}$"))


@pytest.fixture
def plain(browser: Browser, carla: Page, base_url: str) -> Iterator[Page]:
    """The same in a browser without JavaScript."""
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    page = context.new_page()
    enter_as(page, "carla")
    yield page
    context.close()


def test_without_javascript_the_link_leads_to_the_page_of_the_record(plain: Page) -> None:
    plain.goto(f"{LIST}?peek=nonsense")
    title = list_titles(plain)[0]
    plain.locator(ROW).first.locator(".menu-cell summary").click()
    plain.get_by_role("link", name="Peek").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text(title)
    expect(plain.locator("body.page-record")).to_be_visible()
