"""A site is handed over to a colleague: by mouse in four clicks, and by keyboard alone, at 300 ms to the server."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.test_a_cras_day import LATENCY, Effort
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Pictures to look at: SHOTS=<folder> pytest tests/browser/test_hand_over.py
SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
def site() -> StudySite:
    """A site of Carla's with a visit and three calls, of which one is done; Bob is her colleague."""
    carla = UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")
    UserFactory.create(username="bob", is_superuser=True, first_name="Bob", last_name="Baker")
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study)
    site = StudySiteFactory.create(
        study_country=StudyCountryFactory.create(study=study), name="04001", city="Graz", owner=carla
    )
    MonitoringEventFactory.create(
        site=site,
        study=study,
        study_country=site.study_country,
        owner=carla,
        planned_start=dt.date(2026, 5, 4),
        planned_end=None,
    )
    person = PersonFactory.create(first_name="Nora", last_name="Nurse")
    for number, subject in enumerate(("Query resolution for visit 4", "Delivery of study drug", "Screening log")):
        ActivityFactory.create(
            site=site, person=person, owner=carla, complete=number == 2, subject=subject, date=dt.date(2026, 4, 9)
        )
    return site


@pytest.fixture
def effort(page: Page, site: StudySite) -> Effort:
    """Carla on the site's page, far from the server."""
    enter_as(page, "carla")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    page.goto(f"/records/site__v/{site.uid}/")
    return Effort(page=page)


def list_owners() -> set[str]:
    """The owners of the site and of what is open there."""
    owners = {StudySite.objects.get().owner, *(each.owner for each in Activity.objects.filter(complete=False))}
    return {str(each) for each in owners}


def test_a_site_is_handed_over_in_four_clicks_and_that_is_undone_by_one(effort: Effort) -> None:
    page = effort.page
    effort.click(page.locator(".page-actions summary", has_text="Actions"))
    effort.click(page.get_by_role("link", name="Hand over…"))
    to = page.get_by_role("combobox", name="To")
    expect(to).to_be_focused()
    effort.enter("bob")
    effort.click(page.get_by_role("option", name="Bob Baker"))
    expect(page.get_by_role("link", name="Query resolution for visit 4")).to_be_visible()
    effort.click(page.get_by_role("button", name="Hand over", exact=True))
    expect(page.get_by_text("4 records now belong to Bob Baker.")).to_be_visible()
    assert (effort.clicks, effort.keys) == (4, 1)
    assert list_owners() == {"Bob Baker"}
    assert str(Activity.objects.get(complete=True).owner) == "Carla Craig"
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("Undone: 4 changed.")).to_be_visible()
    assert list_owners() == {"Carla Craig"}


def test_a_site_is_handed_over_by_keyboard_alone(effort: Effort) -> None:
    page = effort.page
    effort.press("Control+k")
    effort.enter("hand over")
    expect(page.get_by_role("dialog", name="Go to").get_by_role("option").first).to_contain_text("Hand over")
    effort.press("Enter")
    expect(page.get_by_role("combobox", name="To")).to_be_focused()
    effort.enter("bob")
    expect(page.get_by_role("option", name="Bob Baker")).to_be_visible()
    effort.press("Enter")  # the only one
    expect(page.get_by_role("combobox", name="To")).to_have_value("Bob Baker (bob@example.org)")
    effort.press("Enter")
    expect(page.get_by_text("4 records now belong to Bob Baker.")).to_be_visible()
    assert effort.clicks == 0
    assert effort.keys <= 10
    assert list_owners() == {"Bob Baker"}


def test_what_is_ticked_is_counted_at_once_and_is_what_is_handed_over(effort: Effort) -> None:
    page = effort.page
    page.goto(f"{page.url}hand-over/")
    status = page.locator("#what-title [role=status]")
    expect(status).to_have_text("4 records")
    page.get_by_role("checkbox", name="Sites").uncheck()
    expect(status).to_have_text("3 records")
    page.get_by_label("Dated from").fill("2026-05-01")
    page.get_by_label("Dated from").press("Tab")
    expect(status).to_have_text("1 record")
    page.get_by_role("combobox", name="To").fill("bob")
    page.get_by_role("option", name="Bob Baker").click()
    page.get_by_role("button", name="Hand over", exact=True).click()
    expect(page.get_by_text("1 record now belongs to Bob Baker.")).to_be_visible()
    assert list_owners() == {"Carla Craig"}


def test_selected_rows_and_a_single_row_are_handed_over_from_a_list(effort: Effort) -> None:
    page = effort.page
    page.goto("/records/crm_activity__v/?sort=date__v")
    ticks = page.locator(".list-table tbody .tick-cell input")
    ticks.nth(0).check()
    ticks.nth(1).check()
    page.get_by_role("group", name="Selected rows").get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name="Hand over 2 activities")).to_be_visible()
    page.goto("/records/site__v/")
    page.locator(".list-table tbody .menu-cell summary").first.click()
    page.get_by_role("link", name="Hand over…").click()
    expect(page.get_by_role("heading", name="Hand over 04001")).to_be_visible()


def test_the_pages_are_accessible_and_fit(page: Page, site: StudySite) -> None:
    enter_as(page, "carla")
    bob, carla = User.objects.get(username="bob"), User.objects.get(username="carla")
    bob.is_superuser = False
    bob.save()
    addresses = {"site": f"/records/site__v/{site.uid}/hand-over/", "user": f"/hand-over/users/{carla.uid}/"}
    for name, address in addresses.items():
        page.goto(address)
        look(page, name)
    page.goto(addresses["site"])
    page.get_by_role("combobox", name="To").fill("carla")
    page.get_by_role("option", name="Carla Craig").click()
    page.get_by_role("button", name="Hand over", exact=True).click()
    expect(page.get_by_text("Carla Craig owns all of this already.").first).to_be_visible()
    look(page, "refused")
    call = Activity.objects.filter(complete=False)[0]
    page.goto(f"/records/crm_activity__v/hand-over/?uids={call.uid}")
    look(page, "one-activity")


def test_the_preview_is_accessible_and_fits(page: Page, site: StudySite) -> None:
    enter_as(page, "carla")
    page.goto(f"/records/site__v/{site.uid}/hand-over/")
    page.get_by_role("combobox", name="To").fill("bob")
    page.get_by_role("option", name="Bob Baker").click()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("button", name="Hand over 4 records")).to_be_visible()
    look(page, "preview")


def test_what_waits_is_shown_on_accessible_pages_that_lead_to_the_hand_over(page: Page, site: StudySite) -> None:
    carla = User.objects.get(username="carla")
    carla.is_active = False
    carla.save()
    enter_as(page, "bob")
    page.goto("/hand-over/")
    look(page, "waiting")
    page.goto(f"/records/site__v/{site.uid}/")
    expect(page.get_by_text("Carla Craig owns this site")).to_be_visible()
    look(page, "site-notice")
    page.goto("/")
    look(page, "home")
    page.get_by_role("link", name="Hand over from Carla Craig").click()
    expect(page.get_by_role("heading", name="Hand over what Carla Craig owns")).to_be_visible()


def look(page: Page, name: str) -> None:
    for width in (390, 1440):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            assert find_violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"hand-over-{name}-{width}-{scheme}.png", full_page=True)
