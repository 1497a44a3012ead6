"""Lists in a browser: searched, filtered, sorted, paged and arranged in place, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from activities.choices import Channel
from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.records.models import ListPreference
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import intercept
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/records/crm_activity__v/"
WIDTHS = [360, 768, 1440, 2560]


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")


@pytest.fixture
def site(user: User) -> StudySite:
    """A site with sixty activities, and one of another study."""
    study = StudyFactory.create(name="CARDIO-301")
    site = StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study), name="0142")
    people = create_people(6, prefix="Nurse")
    create_activities(60, people=people, site=site, study=study, study_country=site.study_country)
    ActivityFactory.create(subject="Elsewhere", channel=Channel.OTHER)
    return site


@pytest.fixture
def carla(page: Page, site: StudySite) -> Page:
    """The page of somebody who is logged in."""
    log_in(page)
    return page


@pytest.fixture
def plain(browser: Browser, site: StudySite, base_url: str) -> Iterator[Page]:
    """The same in a browser without JavaScript."""
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    page = context.new_page()
    log_in(page)
    yield page
    context.close()


def log_in(page: Page) -> None:
    enter_as(page, "carla")


def open_list(page: Page, query: str = "") -> None:
    page.goto(f"{LIST}?{query}" if query else LIST)
    page.evaluate("window.here = true")  # gone as soon as the page is loaded anew


def is_still_here(page: Page) -> bool:
    return bool(page.evaluate("window.here === true"))


def read_query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def get_count(page: Page) -> Locator:
    return page.locator("[data-list-count]")


def choose_filter(page: Page, field: str) -> None:
    """Open the menu of filters and, in it, that field's, which takes the focus once it is there."""
    page.locator("summary", has_text="Add filter").click()
    page.locator(".menu-holder[open]").get_by_role("link", name=field, exact=True).click()
    expect(page.locator("#filter-form :is(input, select):focus")).to_be_visible()


def list_headings(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.locator("thead th:not(.tick-cell, .menu-cell)").all_inner_texts()]


def list_subjects(page: Page) -> list[str]:
    return page.locator('tbody [data-label="Subject"]').all_inner_texts()


def read_number(subject: str) -> int:
    """Lists sort numbers in texts as numbers."""
    return int(subject.rpartition(" ")[2])


# -- Searching and filtering --------------------------------------------------------------------------------------


def test_the_list_follows_what_is_typed_into_the_search(carla: Page) -> None:
    open_list(carla)
    carla.get_by_label("Search activities").press_sequentially("elsewhere")
    expect(carla).to_have_url(re.compile(r"\?q=elsewhere$"))  # half of the word finds it as well
    expect(get_count(carla)).to_have_text("1")
    expect(carla.get_by_label("Search activities")).to_be_focused()
    assert list_subjects(carla) == ["Elsewhere"]
    assert (read_query(carla), is_still_here(carla)) == ({"q": ["elsewhere"]}, True)
    expect(carla.locator("[data-list-status]")).to_have_text("Activities: 1")
    carla.get_by_role("link", name="Clear", exact=True).click()
    expect(get_count(carla)).to_have_text("61")
    expect(carla.get_by_label("Search activities")).to_have_value("")


def test_a_filter_is_added_changed_and_removed_in_its_menu(carla: Page) -> None:
    open_list(carla)
    choose_filter(carla, "Channel")
    carla.get_by_label("Phone", exact=True).check()
    carla.get_by_label("Video", exact=True).check()
    carla.get_by_role("button", name="Apply").click()
    expect(get_count(carla)).to_have_text("20")
    assert read_query(carla) == {"channel__v": ["video__v", "phone__v"]}
    carla.get_by_text("Channel: Video or Phone").click()
    expect(carla.get_by_label("Phone", exact=True)).to_be_checked()
    carla.get_by_label("Video", exact=True).uncheck()
    carla.get_by_role("button", name="Apply").click()
    expect(get_count(carla)).to_have_text("10")
    expect(carla.get_by_text("Channel: Phone")).to_be_visible()
    carla.get_by_role("link", name="Remove filter: Channel Phone").click()
    expect(get_count(carla)).to_have_text("61")
    assert (read_query(carla), is_still_here(carla)) == ({}, True)


def test_a_reference_is_chosen_from_suggestions(carla: Page, site: StudySite) -> None:
    open_list(carla)
    choose_filter(carla, "Study")
    carla.get_by_role("combobox", name="Study: record to add").press_sequentially("cardio")
    option = carla.get_by_role("option", name=re.compile("CARDIO-301"))
    option.click()
    carla.get_by_role("button", name="Apply").click()
    expect(get_count(carla)).to_have_text("60")
    expect(carla.get_by_text("Study: CARDIO-301")).to_be_visible()
    assert read_query(carla) == {"study__v": [str(site.study.uid)]}


def test_a_filter_is_added_by_keyboard_alone(carla: Page) -> None:
    open_list(carla)
    carla.locator("summary", has_text="Add filter").focus()
    carla.keyboard.press("Enter")
    expect(carla.locator(".menu-holder[open] > .menu:popover-open")).to_be_visible()
    carla.locator(".menu-holder[open]").get_by_role("link", name="Complete", exact=True).focus()
    carla.keyboard.press("Enter")
    expect(carla.get_by_label("Complete: operator")).to_be_focused()
    carla.keyboard.press("Tab")
    carla.keyboard.press("Space")
    carla.keyboard.press("Enter")
    expect(get_count(carla)).to_have_text("30")
    expect(carla.locator("#list-results")).to_be_focused()


def test_only_the_inputs_of_the_chosen_operator_are_shown(carla: Page) -> None:
    open_list(carla)
    choose_filter(carla, "Date")
    carla.get_by_label("Date: operator").select_option("between")
    expect(carla.get_by_label("Date: from")).to_be_visible()
    expect(carla.get_by_label("Date: value")).to_be_hidden()
    carla.get_by_label("Date: operator").select_option("not_within")
    expect(carla.get_by_label("Date: from")).to_be_hidden()
    expect(carla.get_by_label("Date: how many")).to_be_hidden()
    carla.get_by_label("Date: period").select_option("last_months")
    carla.get_by_label("Date: how many").fill("2")
    carla.get_by_role("button", name="Apply").click()
    expect(carla.get_by_text("Date: not in the last 2 months")).to_be_visible()
    assert (read_query(carla), is_still_here(carla)) == ({"date__v__not_within": ["last_2_months"]}, True)


def test_conditions_are_combined_in_the_menu_and_what_is_wrong_is_said_in_it(carla: Page) -> None:
    open_list(carla, "complete__v=false")
    choose_filter(carla, "Combine conditions…")
    carla.get_by_label("Field of another condition", exact=True).select_option("channel__v")
    carla.get_by_role("button", name="Add “any of” group").click()
    carla.get_by_label("Phone", exact=True).check()
    carla.get_by_label("Field of another condition in this group").select_option("date__v")
    carla.get_by_role("button", name="Add to this group").click()
    carla.get_by_label("Date: operator").select_option("between")
    carla.get_by_label("Date: from").fill("2026-03-02")
    carla.get_by_label("Date: until").fill("2026-03-01")
    carla.get_by_role("button", name="Apply").click()
    expect(carla.get_by_text("“From” (2026-03-02) is after “until” (2026-03-01)")).to_be_visible()
    carla.get_by_label("Date: until").fill("2026-03-09")
    carla.get_by_role("button", name="Apply").click()
    expect(carla.get_by_text("Any of: Channel: Phone, or Date: from 2 Mar 2026 until 9 Mar 2026")).to_be_visible()
    assert read_query(carla) == {
        "complete__v": ["false"],
        "any1.channel__v": ["phone__v"],
        "any1.date__v__from": ["2026-03-02"],
        "any1.date__v__to": ["2026-03-09"],
    }
    assert is_still_here(carla)


def test_what_is_not_understood_is_said_and_left_out(carla: Page) -> None:
    open_list(carla, "date__v__from=31")
    expect(carla.get_by_role("alert")).to_contain_text("Date (date__v__from): '31' is no day. Enter it as")
    carla.get_by_role("link", name="Leave it out").click()
    expect(get_count(carla)).to_have_text("61")
    expect(carla.get_by_role("alert")).to_have_count(0)


# -- Order, pages, columns ----------------------------------------------------------------------------------------


def test_headings_sort_and_the_pager_turns_pages_in_place(carla: Page) -> None:
    open_list(carla, "size=25")
    carla.locator("thead").get_by_role("link", name="Subject").click()
    expect(carla.locator('[aria-sort="ascending"]')).to_contain_text("Subject")
    first = list_subjects(carla)
    carla.get_by_role("link", name="Next page").click()
    expect(carla.get_by_text("26–50 of 61")).to_be_visible()
    assert first == sorted(first, key=read_number)
    assert read_number(first[-1]) <= read_number(list_subjects(carla)[0])
    carla.get_by_role("link", name="Last page").click()
    expect(carla.get_by_text("37–61 of 61")).to_be_visible()
    carla.get_by_role("link", name="First page").click()
    expect(carla.get_by_text("1–25 of 61")).to_be_visible()
    assert (list_subjects(carla), is_still_here(carla)) == (first, True)
    carla.go_back()
    expect(carla.get_by_text("37–61 of 61")).to_be_visible()


def test_columns_are_chosen_and_moved_and_stay_so(carla: Page) -> None:
    open_list(carla)
    carla.locator("summary", has_text="Columns").click()
    carla.get_by_label("Channel", exact=True).uncheck()
    carla.get_by_label("Notes", exact=True).check()
    up = carla.get_by_role("button", name="Move Person to the left")
    up.focus()
    carla.keyboard.press("Enter")
    expect(up).to_be_focused()
    carla.get_by_role("button", name="Apply").click()
    expect(carla.locator("thead")).to_contain_text("Notes")
    expected = ["Subject", "Person", "Date", "Complete", "Study", "Site", "Owner", "Notes", "Name"]
    assert (list_headings(carla), is_still_here(carla)) == (expected, True)
    open_list(carla)
    assert list_headings(carla) == expected
    carla.locator("summary", has_text="Columns").click()
    carla.get_by_role("button", name="Reset").click()
    expect(carla.locator("thead")).to_contain_text("Channel")


def test_the_page_size_is_remembered(carla: Page) -> None:
    open_list(carla)
    carla.get_by_role("button", name="25 rows").click()
    expect(carla.get_by_text("1–25 of 61")).to_be_visible()
    assert (is_still_here(carla), ListPreference.objects.get().page_size) == (True, 25)


# -- Rows ---------------------------------------------------------------------------------------------------------


def test_rows_are_ticked_one_by_one_from_to_and_all(carla: Page) -> None:
    open_list(carla)
    ticks = carla.locator("tbody .tick-cell input")
    bar = carla.get_by_role("group", name="Selected rows")
    expect(bar).to_be_hidden()
    ticks.nth(1).check()
    expect(bar.get_by_text("1 selected")).to_be_visible()
    ticks.nth(4).click(modifiers=["Shift"])
    expect(bar.get_by_text("4 selected")).to_be_visible()
    carla.get_by_label("Select every row shown").check()
    expect(bar.get_by_text("50 selected")).to_be_visible()
    bar.get_by_label("All 61 matching").check()
    expect(bar.get_by_text("All selected")).to_be_visible()
    bar.get_by_role("button", name="Clear selection").click()
    expect(bar).to_be_hidden()
    expect(carla.locator("tbody .tick-cell input:checked")).to_have_count(0)


def test_the_menu_of_a_row_leads_to_its_record(carla: Page) -> None:
    open_list(carla)
    name = carla.locator("tbody .cell-link").first.inner_text()
    carla.get_by_label(f"Actions for {name}").click()
    carla.get_by_role("link", name="Open", exact=True).click()
    expect(carla.get_by_role("heading", name=name)).to_be_visible()


def test_a_list_is_exported_as_it_is_shown(carla: Page, tmp_path: Path) -> None:
    open_list(carla, "q=elsewhere&columns=name__v,subject__v")
    carla.locator("summary", has_text="Import / export").click()
    with carla.expect_download() as download:
        carla.get_by_role("link", name="Plain table").click()
    path = tmp_path / "list.csv"
    download.value.save_as(path)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["Subject", "Elsewhere"]


# -- Everybody ----------------------------------------------------------------------------------------------------


def test_without_javascript_a_list_is_filtered_sorted_arranged_and_paged(plain: Page) -> None:
    plain.goto(LIST)
    plain.locator("summary", has_text="Add filter").click()
    plain.locator(".menu-holder[open]").get_by_role("link", name="Study", exact=True).click()
    plain.get_by_role("combobox", name="Study: record to add").fill("CARDIO-301")
    plain.get_by_role("button", name="Apply").click()
    expect(get_count(plain)).to_have_text("60")
    plain.get_by_label("Search activities").fill("000003")
    plain.keyboard.press("Enter")
    expect(get_count(plain)).to_have_text("10")
    plain.locator("thead").get_by_role("link", name="Subject").click()
    assert list_subjects(plain)[:3] == ["Activity 3", "Activity 9", "Activity 15"]
    plain.locator("summary", has_text="Columns").click()
    plain.get_by_role("button", name="Move Person to the left").click()
    assert list_headings(plain)[:3] == ["Subject", "Person", "Date"]
    plain.get_by_role("link", name=re.compile("Remove filter: Study")).click()
    plain.get_by_role("link", name="Clear", exact=True).click()
    plain.get_by_role("link", name="Last page").click()
    expect(plain.get_by_text("12–61 of 61")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        LIST,
        f"{LIST}?q=nothing",
        f"{LIST}?date__v__from=x",
        f"{LIST}filters/date__v/",
        f"{LIST}filters/?study__v=mine&any1.channel__v=phone__v&any1.date__v__within=last_30_days",
        f"{LIST}views/",
        "/records/training__v/",
    ],
)
def test_axe_finds_no_violation(carla: Page, path: str, scheme: str) -> None:
    carla.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    carla.goto(path)
    assert find_violations(carla) == []


def test_axe_finds_no_violation_in_open_menus(carla: Page) -> None:
    open_list(carla, "channel__v=phone__v")
    for summary in ("Columns", "Import / export", "Channel: Phone"):
        carla.locator("summary", has_text=summary).click()
        expect(carla.locator(".menu-holder[open] > .menu:popover-open")).to_be_visible()
        if summary == "Channel: Phone":
            expect(carla.locator("#filter-form :is(input, select):focus")).to_be_visible()
        assert find_violations(carla) == []


@pytest.mark.parametrize("query", ["", "channel__v=phone__v&complete__v=true&date__v__from=2026-01-01", "q=nothing"])
def test_nothing_is_wider_than_the_window(carla: Page, query: str) -> None:
    open_list(carla, query)
    widest = {}
    for width in WIDTHS:
        carla.set_viewport_size({"width": width, "height": 800})
        widest[width] = carla.evaluate("document.documentElement.scrollWidth")
    assert widest == {width: width for width in WIDTHS}


def test_on_a_phone_the_headings_are_a_menu_of_sorts(carla: Page) -> None:
    carla.set_viewport_size({"width": 390, "height": 800})
    open_list(carla)
    expect(carla.locator("thead")).not_to_be_in_viewport()
    carla.locator("summary", has_text="Sort").click()
    carla.locator(".menu-holder[open]").get_by_role("link", name="Subject", exact=True).click()
    expect(carla.locator('tbody [data-label="Subject"]').first).to_contain_text("Activity 0")


# -- When the server does not answer ------------------------------------------------------------------------------


def test_a_page_that_does_not_come_is_said_until_the_next_comes(carla: Page, page_problems: list[str]) -> None:
    open_list(carla, "cursor=first")
    intercept(carla, "**/*cursor=*", lambda route: route.abort(), times=1)
    carla.get_by_role("link", name="Next page").click()
    alert = carla.get_by_role("alert")
    expect(alert).to_have_text("This could not be loaded: the server did not answer. Try again.")
    carla.get_by_role("link", name="Next page").click()
    expect(get_count(carla)).to_have_text("61")
    expect(alert).to_have_count(0)
    assert is_still_here(carla)
    assert [problem for problem in page_problems if "uncaught" in problem] == []
    page_problems.clear()
