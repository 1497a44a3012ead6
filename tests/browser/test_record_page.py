"""The record page in a browser: fields changed where they stand, history, menus; by keyboard and at every width."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from activities.choices import Channel
from ctms.accounts.models import User, UserSession
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.choices import SiteState
from ctms.clinical.models import StudySite
from ctms.configuration.steps import apply_step, get_step
from ctms.records.fields.titles import get_title
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import intercept
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Pictures to look at: SHOTS=<folder> pytest tests/browser/test_record_page.py
SHOTS = os.environ.get("SHOTS", "")
SUBJECTS = ("Query resolution for visit 4", "Protocol amendment 3 explained", "Delivery of study drug", "Screening log")


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="carla", first_name="Carla", last_name="Craig", is_staff=True, is_superuser=True)


@pytest.fixture
def site(user: User) -> StudySite:
    """A site with everything around it, changed a few times."""
    apply_step(step=get_step("activity_section.site__v"), actor=build_admin_actor())
    study = StudyFactory.create(name="CARDIO-301", study_name="Cardiac outcomes")
    country = StudyCountryFactory.create(study=study)
    investigator = InvestigatorFactory.create(
        first_name="Hannah", last_name="van der Berg-Oosterhuis", email="h@example.org"
    )
    site = StudySiteFactory.create(
        study_country=country,
        name="0142",
        site_name="Charité – Universitätsmedizin Berlin, Campus Mitte",
        principal_investigator=investigator,
        city="Berlin",
        address_country="DE",
    )
    actor = Actor(user=user, source="page")
    for number in range(12):
        ActivityFactory.create(
            site=site,
            person=investigator,
            subject=SUBJECTS[number % len(SUBJECTS)],
            date=dt.date(2026, 3, 1) + dt.timedelta(days=number),
            channel=Channel.values[number % len(Channel.values)],
            complete=number % 3 == 0,
        )
    MedicalActivityFactory.create(study=study, site=site, person=investigator, date=dt.date(2026, 3, 20))
    MonitoringEventFactory.create_batch(2, site=site)
    StudyCommunicationLogFactory.create(site=site)
    StudyPersonFactory.create(site=site, person=PersonFactory.create(first_name="Amélie", last_name="Fontaine"))
    site.lifecycle_state = SiteState.ACTIVE
    site.principal_investigator = InvestigatorFactory.create(first_name="Jonas", last_name="Weber")
    save_record(record=site, actor=actor)
    for city in ("Potsdam", "Berlin"):
        site.city = city
        save_record(record=site, actor=actor, reason="Moved" if city == "Potsdam" else "")
    return site


def log_in(page: Page) -> None:
    enter_as(page, "carla")


def open_record(page: Page, record: Any) -> None:
    log_in(page)
    page.goto(f"/records/{record.object_name}/{record.uid}/")
    expect(page.get_by_role("heading", level=1)).to_have_text(get_title(record))


def take_pictures(page: Page, name: str) -> None:
    if not SHOTS:
        return
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(page: Page, site: StudySite, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_record(page, site)
    assert find_violations(page) == []
    page.get_by_role("link", name="Edit Site name").click()
    expect(page.get_by_role("textbox", name="Site name")).to_be_visible()
    assert find_violations(page) == []
    take_pictures(page, "record")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize(
    "factory",
    [
        StudyFactory,
        StudyCountryFactory,
        StudyPersonFactory,
        InvestigatorFactory,
        MonitoringEventFactory,
        StudyCommunicationLogFactory,
        ActivityFactory,
        MedicalActivityFactory,
    ],
)
def test_axe_finds_no_violation_on_the_page_of_any_object(page: Page, user: User, factory: Any, width: int) -> None:
    record = factory.create()
    page.set_viewport_size({"width": width, "height": 900})
    open_record(page, record)
    page.get_by_role("complementary", name="History").get_by_role("heading", name="History").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        assert find_violations(page) == [], scheme


def test_the_title_is_changed_in_the_heading_by_keyboard(page: Page, site: StudySite) -> None:
    activity = ActivityFactory.create(site=site, subject="Before")
    open_record(page, activity)
    page.get_by_role("link", name="Edit Subject").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Subject")).to_be_focused()
    assert find_violations(page) == []
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("After")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("After")
    expect(page.get_by_role("link", name="Edit Subject")).to_be_focused()
    expect(page).to_have_title("After · CTMS Vault")


# -- Fields changed where they stand --------------------------------------------------------------
@pytest.mark.parametrize("way", ["menu", "key"])
def test_an_activity_is_rescheduled_where_its_date_stands(page: Page, site: StudySite, way: str) -> None:
    activity = ActivityFactory.create(site=site, complete=False, subject="Monitoring call")
    open_record(page, activity)
    if way == "key":
        page.keyboard.press("r")
    else:
        page.get_by_text("Actions", exact=True).click()
        page.get_by_role("link", name="Reschedule…").click()
    entry = page.get_by_role("textbox", name="Date")
    expect(entry).to_be_focused()
    entry.fill("2026-09-01")
    page.keyboard.press("Enter")
    expect(page.locator("#field-date__v")).to_contain_text("1 Sep 2026")
    activity.refresh_from_db()
    assert activity.date == dt.date(2026, 9, 1)


def test_a_field_is_changed_by_keyboard_alone(page: Page, site: StudySite) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit City").focus()
    page.keyboard.press("Enter")
    entry = page.get_by_role("textbox", name="City")
    expect(entry).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Bonn")
    page.keyboard.press("Enter")
    expect(page.locator("#field-city__v dd")).to_contain_text("Bonn")
    expect(page.get_by_role("link", name="Edit City")).to_be_focused()
    history = page.get_by_role("complementary", name="History")
    history.get_by_role("heading", name="History").click()
    expect(history.get_by_role("listitem").first).to_contain_text("Bonn")
    expect(page.locator("#record-status")).to_contain_text("City was saved.")
    site.refresh_from_db()
    assert site.city == "Bonn"


def test_suggestions_open_close_and_follow_the_arrow_keys_where_a_field_stands(page: Page, site: StudySite) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit Principal investigator").click()
    entry = page.get_by_role("combobox", name="Principal investigator")
    expect(entry).to_be_focused()
    entry.click()
    expect(entry).to_have_attribute("aria-expanded", "true")
    entry.click()
    expect(entry).to_have_attribute("aria-expanded", "false")
    entry.fill("a")
    expect(page.get_by_role("option").nth(0)).to_contain_class("active")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_contain_class("active")


def test_escape_gives_up_and_a_double_click_begins(page: Page, site: StudySite) -> None:
    open_record(page, site)
    page.locator("#field-city__v dd").dblclick()
    expect(page.get_by_role("textbox", name="City")).to_be_focused()
    page.keyboard.type("Never")
    page.keyboard.press("Escape")
    expect(page.locator("#field-city__v dd")).to_have_text("Berlin")
    expect(page.get_by_role("link", name="Edit City")).to_be_focused()


def test_what_is_wrong_stands_beside_the_field_with_what_was_typed(page: Page, site: StudySite) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit Site number").click()
    entry = page.get_by_role("textbox", name="Site number")
    entry.fill(" ")
    page.keyboard.press("Enter")
    expect(page.locator("#field-name__v .errorlist")).to_have_text("Fill in Site number.")
    expect(entry).to_be_focused()
    assert find_violations(page) == []
    entry.fill("0199")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("0199")
    expect(page).to_have_title("0199 · CTMS Vault")


def test_a_reference_is_chosen_among_what_fits_and_fills_the_head(page: Page, site: StudySite) -> None:
    activity = ActivityFactory.create(subject="Loose", study=site.study)
    StudySiteFactory.create(name="0143")  # of another study
    open_record(page, activity)
    page.get_by_role("link", name="Edit Site", exact=True).click()
    expect(page.get_by_role("combobox", name="Site")).to_be_focused()
    page.keyboard.type("01")
    options = page.get_by_role("option").filter(has_text="01")
    expect(options.first).to_contain_text("0142")
    expect(options.filter(has_text="0143")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Site")).to_have_value(re.compile("^0142"))
    take_pictures(page, "inline-reference")
    page.keyboard.press("Enter")
    expect(page.locator("#field-site__v dd a").first).to_contain_text("0142")
    expect(page.locator("#field-study_country__v dd")).to_contain_text("Germany")


def test_two_fields_open_at_once_keep_what_is_typed_and_do_not_contradict_each_other(
    page: Page, site: StudySite
) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit City").click()
    page.get_by_role("textbox", name="City").fill("Bonn")
    page.get_by_role("link", name="Edit Site name").click()
    page.get_by_role("textbox", name="Site name").fill("New name")
    page.keyboard.press("Enter")
    expect(page.locator("#field-site_name__v")).to_have_text("New name")
    expect(page.get_by_role("textbox", name="City")).to_have_value("Bonn")
    page.get_by_role("textbox", name="City").press("Enter")
    expect(page.locator("#field-city__v dd")).to_contain_text("Bonn")
    site.refresh_from_db()
    assert (site.site_name, site.city) == ("New name", "Bonn")


def test_a_conflict_shows_both_values_until_the_user_decides(page: Page, site: StudySite) -> None:
    open_record(page, site)
    for button, city in (("Keep theirs", "Potsdam"), ("Save mine over it", "Bonn")):
        page.goto(f"/records/site__v/{site.uid}/")
        page.get_by_role("link", name="Edit City").click()
        entry = page.get_by_role("textbox", name="City")
        expect(entry).to_be_focused()  # with the version that the form was opened at
        site.refresh_from_db()
        site.city, site.send_to_crm = "Potsdam", not site.send_to_crm
        save_record(record=site, actor=build_admin_actor())
        entry.fill("Bonn")
        page.keyboard.press("Enter")
        alert = page.locator("#field-city__v").get_by_role("alert")
        expect(alert).to_contain_text("Ada Admin changed this record")
        expect(alert.locator("dd")).to_have_text(["Potsdam", "Bonn"])
        assert find_violations(page) == []
        take_pictures(page, "inline-conflict")
        page.locator("#field-city__v").get_by_text(button).click()
        expect(page.locator("#field-city__v > dd")).to_have_text(city)


def test_leaving_with_something_typed_asks_first(page: Page, site: StudySite) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit City").click()
    page.get_by_role("textbox", name="City").fill("Bonn")
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    assert asked == ["beforeunload"]


def test_a_server_that_does_not_answer_leaves_what_was_typed(
    page: Page, site: StudySite, page_problems: list[str]
) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit City").click()
    entry = page.get_by_role("textbox", name="City")
    entry.fill("Bonn")
    intercept(page, "**/fields/city__v/", lambda route: route.abort())
    page.keyboard.press("Enter")
    expect(page.locator("#field-city__v").get_by_role("alert")).to_contain_text("the server did not answer")
    expect(entry).to_have_value("Bonn")
    assert [problem for problem in page_problems if not problem.startswith("console error")] == []
    page_problems.clear()


def test_a_log_in_page_does_not_land_in_a_field(page: Page, site: StudySite, page_problems: list[str]) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit City").click()
    entry = page.get_by_role("textbox", name="City")
    entry.fill("Bonn")
    UserSession.objects.all().delete()
    page.keyboard.press("Enter")
    alert = page.locator("#field-city__v").get_by_role("alert")
    expect(alert).to_contain_text("logged out")
    expect(entry).to_have_value("Bonn")
    page_problems.clear()


# -- Head, history, menus -------------------------------------------------------------------------
def test_the_star_and_the_recent_menu(page: Page, site: StudySite) -> None:
    open_record(page, site)
    star = page.get_by_role("button", name="Favourite: 0142")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(star).to_be_focused()
    page.goto(f"/records/study__v/{site.study.uid}/")
    page.locator(".recent-menu summary").click()
    shown = "0142 · Charité – Universitätsmedizin Berlin, Campus Mitte Study Site"
    expect(page.locator(".recent-menu a")).to_have_text([shown, shown])
    page.goto("/")
    expect(page.get_by_role("region", name="Favourites").get_by_role("link", name="0142")).to_be_visible()
    take_pictures(page, "home")


def test_older_history_is_added_below(page: Page, site: StudySite, user: User) -> None:
    for number in range(20):
        site.city = f"City {number}"
        save_record(record=site, actor=Actor(user=user, source="page"))
    open_record(page, site)
    history = page.get_by_role("complementary", name="History")
    expect(history.get_by_role("listitem")).to_have_count(0)  # folded away
    folded = page.locator(".record-sections").bounding_box()
    history.get_by_role("heading", name="History").click()
    expect(history.get_by_role("listitem")).to_have_count(16)  # the last leads on
    history.get_by_role("link", name="Show older").click()
    expect(history.get_by_role("listitem")).to_have_count(24)
    expect(history).to_contain_text("created this record")
    unfolded = page.locator(".record-sections").bounding_box()
    assert folded is not None
    assert unfolded is not None
    assert folded["width"] - unfolded["width"] > 200
    page.reload()  # it stays as the user left it
    expect(history.get_by_role("listitem")).to_have_count(16)
    assert find_violations(page) == []
    page.goto(f"/records/site__v/{site.uid}/history/")
    take_pictures(page, "timeline")


def test_a_record_is_deactivated_and_deleted_from_its_menu(page: Page, user: User) -> None:
    event = MonitoringEventFactory.create()
    MonitoringEventParticipantFactory.create_batch(2, monitoring_event=event)
    open_record(page, event)
    page.get_by_text("Actions", exact=True).click()
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("status").filter(has_text="is Inactive now.")).to_be_visible()
    take_pictures(page, "event")
    page.get_by_text("Actions", exact=True).click()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Delete monitoring event")
    assert find_violations(page) == []
    take_pictures(page, "delete")
    page.get_by_label("Reason").fill("Entered twice")
    page.get_by_role("button", name="Delete monitoring event and 2 other records").click()
    expect(page.get_by_text("was deleted.")).to_be_visible()


def test_a_deletion_that_is_not_possible_says_what_keeps_the_record(page: Page, site: StudySite) -> None:
    log_in(page)
    page.goto(f"/records/site__v/{site.uid}/delete/")
    expect(page.get_by_role("link", name="Activities").last).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    assert find_violations(page) == []
    take_pictures(page, "delete-prevented")


def test_a_medical_activity_is_read_only(page: Page, user: User) -> None:
    activity = MedicalActivityFactory.create()
    open_record(page, activity)
    expect(page.get_by_text("comes from the Medical CRM")).to_be_visible()
    page.locator("#field-subject__v h1").dblclick()
    expect(page.locator(".fact-edit, .inline-edit, .page-actions a, .page-actions summary")).to_have_count(0)
    assert find_violations(page) == []
    take_pictures(page, "medical")


@pytest.mark.parametrize("width", [360, 768, 1100, 1440, 2560])
def test_nothing_is_wider_than_the_window(page: Page, site: StudySite, width: int) -> None:
    open_record(page, site)
    page.get_by_role("link", name="Edit Principal investigator").click()
    expect(page.get_by_role("combobox", name="Principal investigator")).to_be_visible()
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_record_is_changed_without_javascript(browser: Browser, base_url: str, site: StudySite) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    page = context.new_page()
    open_record(page, site)
    page.get_by_role("link", name="Edit City").click()
    page.get_by_role("textbox", name="City").fill("Bonn")
    page.get_by_role("button", name="Save City").click()
    expect(page.get_by_text("City of 0142 was saved.")).to_be_visible()
    expect(page.locator("#field-city__v dd")).to_contain_text("Bonn")
    context.close()
