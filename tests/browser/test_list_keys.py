"""Lists by keyboard, dense or with room, and on a phone."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import StudySite
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/records/crm_activity__v/"
ROW = ".list-table tbody tr"
CURRENT = f"{ROW}.is-current"


@pytest.fixture
def carla(page: Page) -> Page:
    """The page of somebody who is logged in and has forty activities at a site."""
    UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")
    study = StudyFactory.create(name="CARDIO-301")
    country = StudyCountryFactory.create(study=study)
    site = StudySiteFactory.create(study_country=country, name="04001", city="Graz", site_name="University Hospital")
    people = create_people(6, prefix="Nurse")
    create_activities(40, people=people, site=site, study=study, study_country=country)
    enter_as(page, "carla")
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_key_that_completes_asks_about_a_day_to_come_and_leads_back(carla: Page) -> None:
    future = Activity.objects.latest("date")
    future.date, future.subject = timezone.localdate() + dt.timedelta(days=40), "Visit to come"
    save_record(record=future, actor=build_admin_actor())
    carla.goto(f"{LIST}?sort=-date__v")
    press(carla, "j", "c")
    expect(carla.get_by_role("alert")).to_contain_text("Is the activity complete already?")
    assert not find_violations(carla)
    carla.get_by_role("button", name="Complete", exact=True).click()
    expect(carla).to_have_url(re.compile(r"\?sort=-date__v"))
    future.refresh_from_db()
    assert future.complete


def test_keys_move_select_edit_and_open_a_row(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "j", "j", "k", "ArrowDown")
    expect(carla.locator(ROW).nth(1)).to_have_class("is-current")
    press(carla, "x", "j", "j", "Shift+X")
    expect(carla.get_by_text("3 selected")).to_be_visible()
    title = carla.locator(CURRENT).locator(".cell-link").inner_text()
    press(carla, "Enter")
    expect(carla.get_by_role("heading", level=1)).to_have_text(title)
    carla.go_back()
    expect(carla.locator(CURRENT).locator(".cell-link")).to_have_text(title)
    expect(carla.get_by_text("3 selected")).to_be_visible()
    press(carla, "e")
    expect(carla).to_have_url(re.compile("/edit/$"))


def test_the_palette_does_what_the_page_can_do_and_shows_its_key(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "j", "Control+k")
    palette = carla.get_by_role("dialog", name="Go to")
    expect(palette.get_by_role("option", name="Create activity")).to_contain_text("n")
    palette.get_by_role("combobox").fill("edit")
    expect(palette.get_by_role("option").first).to_contain_text("Edit")
    press(carla, "Enter")
    expect(carla.get_by_role("heading", level=1)).to_contain_text("Edit")


def test_a_question_mark_lists_the_keys(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "?")
    keys = carla.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("next and previous row")
    assert find_violations(carla) == []
    press(carla, "Escape")
    expect(keys).to_be_hidden()


def test_a_user_keeps_the_density_of_lists_for_all_objects(carla: Page) -> None:
    carla.goto(LIST)
    comfortable = carla.locator(ROW).first.bounding_box()
    carla.get_by_role("button", name="Compact").click()
    expect(carla.locator(".list-table.compact")).to_be_visible()
    compact = carla.locator(ROW).first.bounding_box()
    assert comfortable is not None
    assert compact is not None
    assert compact["height"] < comfortable["height"]
    carla.goto("/records/site__v/")
    expect(carla.locator(".list-table.compact")).to_be_visible()
    assert User.objects.get(username="carla").has_compact_lists


def test_the_subject_leads_and_a_site_is_named_with_its_city(carla: Page) -> None:
    carla.goto(LIST)
    headings = carla.locator(".list-table thead th a").all_inner_texts()
    assert headings[0] == "Subject"
    assert headings[-1] == "Name"
    expect(carla.locator(ROW).first).to_contain_text("04001 · Graz")


@pytest.mark.parametrize("width", [390, 360])
def test_a_row_has_two_lines_on_a_phone(carla: Page, width: int) -> None:
    carla.set_viewport_size({"width": width, "height": 800})
    carla.goto(LIST)
    heights = carla.evaluate(f"[...document.querySelectorAll('{ROW}')].map((row) => row.offsetHeight)")
    assert len(heights) == 40
    assert max(heights) <= 64
    assert carla.evaluate("document.documentElement.scrollWidth") <= width
    assert find_violations(carla) == []


@pytest.mark.parametrize("width", [390, 360])
def test_a_site_has_its_number_and_its_name_on_the_first_line_on_a_phone(carla: Page, width: int) -> None:
    site = StudySite.objects.get()
    site.site_name = "Universitätsklinikum für Innere Medizin und Pneumologie Graz"
    save_record(record=site, actor=build_admin_actor())
    carla.set_viewport_size({"width": width, "height": 800})
    carla.goto("/records/site__v/")
    row = carla.locator(ROW).first
    number, name, state = (row.locator(each).first.bounding_box() for each in (".cell-link", ".caption-cell", ".chip"))
    assert number
    assert name
    assert state
    assert number["x"] + number["width"] < name["x"]
    assert name["x"] + name["width"] <= width - 48
    assert abs(number["y"] + number["height"] - name["y"] - name["height"]) < 6
    assert state["y"] >= number["y"] + number["height"]
    assert carla.evaluate("document.documentElement.scrollWidth") <= width


def test_a_row_is_completed_by_one_key_and_stays_the_current_one(carla: Page) -> None:
    carla.goto(f"{LIST}?complete__v=false&sort=date__v")
    carla.get_by_role("columnheader", name="Subject").wait_for()
    press(carla, "j")
    title = carla.locator(CURRENT).locator(".cell-link").inner_text()
    press(carla, "c")
    expect(carla.locator("#messages")).to_contain_text(f"Complete: {title} was saved.")
    expect(carla.locator("[data-list-count]")).to_have_text("19")
    expect(carla.get_by_role("link", name=title, exact=True)).to_be_hidden()
    assert Activity.objects.get(subject=title).complete


def test_selected_rows_are_completed_together_after_a_preview(carla: Page) -> None:
    carla.goto(f"{LIST}?complete__v=false")
    press(carla, "j", "x", "j", "j", "Shift+X")
    carla.get_by_role("group", name="Selected rows").get_by_role("button", name="Complete").click()
    expect(carla.get_by_role("heading", level=1)).to_contain_text("3 activities")
    expect(carla.locator("main")).to_contain_text("Complete")


def test_a_value_is_changed_in_its_cell(carla: Page) -> None:
    carla.goto(LIST)
    row = carla.locator(ROW).nth(1)
    row.locator("[data-field=date__v]").dblclick()
    editor = carla.locator("#cell-editor")
    editor.get_by_role("textbox", name="Date").fill("2026-07-05")
    editor.get_by_role("button", name="Save Date").click()
    expect(carla.locator(ROW).first.locator("[data-field=date__v]")).to_have_text("5 Jul 2026")
    expect(carla.locator(ROW).first.locator("[data-field=date__v]")).to_be_focused()
    # The same by keyboard: to the cell, e, and Escape leaves everything as it was.
    press(carla, "e")
    expect(editor.get_by_role("textbox", name="Date")).to_be_focused()
    press(carla, "Escape")
    expect(editor).to_be_hidden()
    expect(carla.locator(ROW).first.locator("[data-field=date__v]")).to_be_focused()


def test_a_change_in_a_cell_shows_what_somebody_else_saved_meanwhile(carla: Page) -> None:
    carla.goto(LIST)
    carla.locator(ROW).first.locator("[data-field=date__v]").dblclick()
    editor = carla.locator("#cell-editor")
    editor.get_by_role("textbox", name="Date").fill("2026-07-05")
    activity = Activity.objects.order_by("-date")[0]
    activity.date = dt.date(2026, 7, 1)
    save_record(record=activity, actor=build_admin_actor())
    editor.get_by_role("button", name="Save Date").click()
    expect(editor.get_by_role("alert")).to_contain_text("1 Jul 2026")
    editor.get_by_role("button", name="Save mine over it").click()
    expect(carla.locator(ROW).first.locator("[data-field=date__v]")).to_have_text("5 Jul 2026")


def test_a_row_is_rescheduled_by_key_where_its_date_stands(carla: Page) -> None:
    carla.goto(f"{LIST}?complete__v=false&sort=date__v")
    press(carla, "j", "r")
    editor = carla.locator("#cell-editor")
    expect(editor.get_by_role("textbox", name="Date")).to_be_focused()
    editor.get_by_role("textbox", name="Date").fill("2026-01-01")
    press(carla, "Enter")
    expect(carla.locator(ROW).first.locator("[data-field=date__v]")).to_have_text("1 Jan 2026")
    assert Activity.objects.order_by("date")[0].date == dt.date(2026, 1, 1)


def test_the_key_that_reschedules_does_nothing_on_a_row_that_is_complete(carla: Page) -> None:
    carla.goto(f"{LIST}?complete__v=true")
    press(carla, "j", "r", "x")
    expect(carla.get_by_text("1 selected")).to_be_visible()
    expect(carla.locator("#cell-editor")).to_be_hidden()


def test_a_key_creates_a_record(carla: Page) -> None:
    carla.goto(LIST)
    press(carla, "n")
    expect(carla).to_have_url(re.compile(f"{LIST}create/"))


def test_a_click_with_shift_selects_the_rows_between_and_takes_them_back(carla: Page) -> None:
    carla.goto(LIST)
    ticks = carla.locator(f"{ROW} .tick-cell input")
    ticks.nth(2).click()
    ticks.nth(6).click(modifiers=["Shift"])
    expect(carla.get_by_text("5 selected")).to_be_visible()
    assert [at for at, tick in enumerate(ticks.all()) if tick.is_checked()] == [2, 3, 4, 5, 6]
    # Upwards too, and what is taken back is taken back for all of them.
    ticks.nth(4).click()
    ticks.nth(2).click(modifiers=["Shift"])
    expect(carla.get_by_text("2 selected")).to_be_visible()


def open_view(page: Page, name: str) -> None:
    page.goto(LIST)
    page.locator("#list-head details").first.locator("summary").click()
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#list-head summary").first).to_contain_text(name)


def test_overdue_shows_what_is_past_and_open(carla: Page) -> None:
    open_view(carla, "Overdue")
    expect(carla.locator(ROW)).to_have_count(20)


def test_my_sites_shows_what_is_at_the_sites_that_i_own(carla: Page) -> None:
    open_view(carla, "My sites")
    expect(carla.get_by_role("heading", name="No activity matches")).to_be_visible()
    [site] = StudySite.objects.all()
    site.owner = User.objects.get(username="carla")
    save_record(record=site, actor=build_admin_actor())
    ActivityFactory.create(subject="Elsewhere")
    open_view(carla, "My sites")
    expect(carla.locator("[data-list-count]")).to_have_text("40")
    expect(carla.get_by_text("Elsewhere")).to_be_hidden()


def test_this_week_shows_monday_to_sunday(carla: Page) -> None:
    today = timezone.localdate()
    monday = today - dt.timedelta(days=today.weekday())
    for subject, days in (("Sunday before", -1), ("Monday", 0), ("Sunday", 6), ("Monday after", 7)):
        ActivityFactory.create(subject=subject, date=monday + dt.timedelta(days=days))
    open_view(carla, "This week")
    expect(carla.locator(f"{ROW} .cell-link")).to_have_text(["Monday", "Sunday"])
