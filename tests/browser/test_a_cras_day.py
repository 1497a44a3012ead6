"""Tasks of a CRA's day in lists, at 300 ms to the server, with the effort that each may take."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from activities.models import Activity
from ctms.clinical.models import MonitoringEvent, StudySite
from ctms.core.clock import get_now
from tests.browser.sessions import enter_as
from tests.browser.test_bulk import waiting, work
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyAssignmentFactory, StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["waiting"]
LIST = "/records/crm_activity__v/"
WRONG, RIGHT = dt.date(2026, 5, 3), dt.date(2026, 4, 4)
LATENCY = 300  # milliseconds


@dataclass(kw_only=True)
class Effort:
    """A user who counts clicks and keys; a text that is typed counts as one key."""

    page: Page
    clicks: int = 0
    keys: int = 0

    def click(self, what: Locator, *, shift: bool = False) -> None:
        self.clicks += 1
        what.click(modifiers=["Shift"] if shift else [])

    def press(self, *keys: str) -> None:
        self.keys += len(keys)
        for key in keys:
            self.page.keyboard.press(key)

    def enter(self, text: str) -> None:
        self.keys += 1
        self.page.keyboard.type(text)

    def reach(self, what: Locator, *, within: int = 60) -> None:
        """Go to it by the Tab key alone, and open it."""
        expect(what).to_be_visible()
        end = self.keys + within
        while not what.evaluate("element => element === document.activeElement"):
            self.press("Tab")
            assert self.keys < end
        self.press("Enter")


@pytest.fixture
def site() -> StudySite:
    """A site of Carla's study, with eight activities on a wrong day and others."""
    carla = UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study)
    country = StudyCountryFactory.create(study=study)
    site = StudySiteFactory.create(study_country=country, name="04001", city="Graz", owner=carla)
    people = create_people(2, prefix="Nurse")
    create_activities(12, people=people, site=site, study=study, study_country=country)
    for number in range(8):
        ActivityFactory.create(site=site, person=people[0], date=WRONG, complete=False, subject=f"Call {number}")
    return site


@pytest.fixture
def effort(page: Page, site: StudySite) -> Effort:
    """Carla, logged in, far from the server."""
    enter_as(page, "carla")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    return Effort(page=page)


def count_on(day: dt.date) -> int:
    return Activity.objects.filter(date=day).count()


def test_a_date_typed_wrong_on_eight_activities_takes_five_clicks(effort: Effort, waiting: list[int]) -> None:
    page = effort.page
    page.goto(LIST)  # the newest come first: those with the wrong day
    ticks = page.locator(".list-table tbody .tick-cell input")
    effort.click(ticks.nth(0))
    effort.click(ticks.nth(7), shift=True)
    effort.click(page.get_by_role("group", name="Selected rows").get_by_role("button", name="Reschedule"))
    expect(page.get_by_label("New value of Date")).to_be_focused()
    page.get_by_label("New value of Date").fill(RIGHT.isoformat())
    effort.click(page.get_by_role("button", name="Preview"))
    effort.click(page.get_by_role("button", name="Change 8"))
    expect(page.get_by_role("progressbar")).to_be_visible()
    work(waiting)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert (count_on(WRONG), count_on(RIGHT)) == (0, 8)
    assert effort.clicks <= 5
    assert effort.keys == 0


def test_overdue_at_my_sites_is_one_click_from_home(effort: Effort, site: StudySite) -> None:
    page = effort.page
    ActivityFactory.create(subject="Elsewhere", date=WRONG, complete=False)
    page.goto("/")
    effort.click(page.get_by_role("link", name="Overdue at my sites"))
    expect(page.locator("#list-head summary").first).to_contain_text("Overdue at my sites")
    expect(page.locator("[data-list-count]")).to_have_text("14")
    expect(page.get_by_text("Elsewhere")).to_be_hidden()
    assert effort.clicks == 1


def test_overdue_at_my_sites_is_reached_by_keyboard_alone(effort: Effort) -> None:
    effort.page.goto("/")
    effort.reach(effort.page.get_by_role("link", name="Overdue at my sites"))
    expect(effort.page.locator("[data-list-count]")).to_have_text("14")
    assert effort.clicks == 0


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_not_contacted_for_60_days_at_my_sites_is_one_click_from_home(effort: Effort, site: StudySite, by: str) -> None:
    page = effort.page
    ActivityFactory.create(site=site, date=get_now().date(), complete=True)
    StudySiteFactory.create(study_country=site.study_country, name="04002", city="Linz", owner=site.owner)
    StudySiteFactory.create(study_country=site.study_country, name="04003", city="Wels")
    page.goto("/")
    link = page.get_by_role("link", name="Not contacted for 60 days")
    if by == "mouse":
        effort.click(link)
    else:
        effort.reach(link)
    expect(page.locator("#list-head summary").first).to_contain_text("Not contacted for 60 days, my sites")
    expect(page.locator("[data-list-count]")).to_have_text("1")
    expect(page.get_by_role("link", name="04002")).to_be_visible()
    assert effort.clicks == (by == "mouse")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_all_that_happened_with_a_doctor_is_two_steps_away(effort: Effort, site: StudySite, by: str) -> None:
    page, doctor = effort.page, site.principal_investigator
    assert doctor is not None
    ActivityFactory.create(site=site, person=doctor, date=get_now().date(), complete=True, subject="Seen today")
    page.goto(f"/search/?q={doctor.last_name}")
    found = page.get_by_role("main").get_by_role("link", name=str(doctor)).first
    recent = page.get_by_role("link", name="Last 90 days")
    if by == "mouse":
        effort.click(found)
        effort.click(recent)
    else:
        effort.reach(found)
        effort.reach(recent)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Timeline of {doctor}")
    expect(page.get_by_role("link", name="Seen today", exact=True)).to_be_visible()
    assert effort.clicks == (2 if by == "mouse" else 0)


def test_the_same_date_is_corrected_by_keyboard_alone(effort: Effort, waiting: list[int]) -> None:
    page = effort.page
    page.goto(LIST)
    effort.press("j", "x", *"jjjjjjj", "Shift+X", "Control+k")
    effort.enter("resch")
    palette = page.get_by_role("dialog", name="Go to")
    # First that of the row, then that of the selection.
    expect(palette.get_by_role("option").nth(1)).to_contain_text("Selected rows")
    effort.press("ArrowDown", "Enter")
    expect(page.get_by_label("New value of Date")).to_be_focused()
    effort.enter("04042026")  # day and month in the order of the browser
    effort.press("Enter")
    change = page.get_by_role("button", name="Change 8")
    expect(change).to_be_visible()
    while not change.evaluate("button => button === document.activeElement"):
        effort.press("Tab")
        assert effort.keys < 60
    effort.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    work(waiting)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert (count_on(WRONG), count_on(RIGHT)) == (0, 8)
    assert effort.clicks == 0
    assert effort.keys <= 50


def test_a_list_goes_out_as_a_file_is_edited_and_comes_back_in_five_clicks(
    effort: Effort, waiting: list[int], tmp_path: Path
) -> None:
    page = effort.page
    page.goto(f"{LIST}?date__v={WRONG}&columns=name__v,date__v,subject__v")
    expect(page.locator("[data-list-count]")).to_have_text("8")
    effort.click(page.get_by_text("Import / export"))
    with page.expect_download() as download:
        effort.click(page.get_by_role("link", name="Plain table"))
    text = download.value.path().read_text(encoding="utf-8-sig")
    file = tmp_path / "activities.csv"
    file.write_text(text.replace(WRONG.isoformat(), RIGHT.isoformat()), encoding="utf-8")
    # The menu is still open.
    effort.click(page.get_by_role("link", name="Import from a file"))
    page.get_by_label("File", exact=True).set_input_files(file)
    effort.click(page.get_by_role("button", name="Check the file"))
    effort.click(page.get_by_role("button", name="Import 8 rows"))
    expect(page.get_by_role("progressbar")).to_be_visible()
    work(waiting)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert (count_on(WRONG), count_on(RIGHT)) == (0, 8)
    assert effort.clicks <= 5


def test_next_months_visits_at_six_sites_are_planned_in_twelve_clicks(effort: Effort, site: StudySite) -> None:
    for number in range(2, 7):
        StudySiteFactory.create(study_country=site.study_country, name=f"0400{number}", owner=site.owner)
    page = effort.page
    page.goto("/")
    effort.click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Calendar"))
    effort.click(page.get_by_role("link", name="Next", exact=True))
    effort.click(page.get_by_role("link", name="Plan a visit", exact=True))
    effort.click(page.get_by_role("link", name="Interim Monitoring Visit"))
    effort.click(page.get_by_role("combobox", name="Site", exact=True))
    effort.enter("04001")
    effort.click(page.get_by_role("option", name="04001 · Hospital"))
    effort.click(page.get_by_role("button", name="Save", exact=True))
    effort.click(page.get_by_text("Actions", exact=True))
    effort.click(page.get_by_role("link", name="Copy to several sites"))
    effort.click(page.get_by_role("checkbox", name="Tick all others"))
    effort.click(page.get_by_role("button", name="Preview"))
    effort.click(page.get_by_role("button", name="Create 5"))
    expect(page.locator("#messages")).to_contain_text("5 monitoring events created.")
    expect(page.locator(".calendar-grid")).to_be_visible()
    assert MonitoringEvent.objects.filter(planned_start__gt=dt.date.today()).count() == 6  # noqa: DTZ011  any zone
    assert effort.clicks <= 12


def test_the_same_visits_are_planned_by_keyboard_alone(effort: Effort, site: StudySite) -> None:
    for number in range(2, 7):
        StudySiteFactory.create(study_country=site.study_country, name=f"0400{number}", owner=site.owner)
    page = effort.page
    page.goto("/calendar/")
    shown = page.get_by_role("heading", level=1)
    before = shown.inner_text()
    effort.press("n")
    expect(shown).not_to_have_text(before)
    effort.press("v")
    expect(page.get_by_role("link", name="Interim Monitoring Visit")).to_be_visible()
    go_by_tab(effort, page.get_by_role("link", name="Interim Monitoring Visit"))
    effort.press("Enter")
    go_by_tab(effort, page.get_by_role("combobox", name="Site", exact=True))
    effort.enter("04001")
    expect(page.get_by_role("option", name="04001 · Hospital")).to_be_visible()
    effort.press("Enter")
    expect(page.get_by_role("combobox", name="Site", exact=True)).not_to_have_value("04001")
    go_by_tab(effort, page.get_by_role("button", name="Save", exact=True))
    effort.press("Enter")
    expect(page.locator("#messages")).to_contain_text("Monitoring Event created")
    effort.press("Control+k")
    effort.enter("several")
    expect(page.get_by_role("dialog", name="Go to").get_by_role("option").first).to_contain_text(
        "Copy to several sites"
    )
    effort.press("Enter")
    go_by_tab(effort, page.get_by_role("checkbox", name="Tick all others"))
    effort.press("Space")
    go_by_tab(effort, page.get_by_role("button", name="Preview"))
    effort.press("Enter")
    expect(page.get_by_role("button", name="Create 5")).to_be_visible()
    go_by_tab(effort, page.get_by_role("button", name="Create 5"))
    effort.press("Enter")
    expect(page.locator("#messages")).to_contain_text("5 monitoring events created.")
    assert MonitoringEvent.objects.count() == 6
    assert effort.clicks == 0


def go_by_tab(effort: Effort, what: Locator) -> None:
    """Press Tab until the element has the focus."""
    expect(what).to_be_visible()
    while not what.evaluate("element => element === document.activeElement"):
        effort.press("Tab")
        assert effort.keys < 200
