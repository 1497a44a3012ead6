"""Pages on paper: the content alone, black on white, whole tables."""

from __future__ import annotations

import re
import zlib
from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.records.timelines.page import get_timeline_url
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyPersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

_LEFT_OUT = (
    ".site-header, .toolbar .search-box, .page-actions, .button, .fact-edit, .section-index, .tick-cell, .menu-cell, "
    ".pages, .page-sizes, .star, .record-side"
)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="carla", first_name="Carla", last_name="Craig", is_superuser=True)


@pytest.fixture
def site(user: User) -> StudySite:
    site = StudySiteFactory.create(name="0142", site_name="Charité")
    StudyPersonFactory.create_batch(3, site=site)
    return site


def show_on_paper(page: Page, address: str, *, scheme: str = "light") -> None:
    enter_as(page, "carla")
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark" if scheme == "dark" else "light")


def count_sheets(page: Page) -> int:
    """Return the number of sheets of the page's PDF, whose objects may be compressed."""
    found = page.pdf(prefer_css_page_size=True)
    parts = [found]
    for start in re.finditer(rb"stream\r?\n", found):
        try:
            parts.append(zlib.decompressobj().decompress(found[start.end() :]))
        except zlib.error:
            continue  # no compressed stream
    return sum(len(re.findall(rb"/Type\s*/Page\b", part)) for part in parts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_record_on_paper_has_its_content_alone(page: Page, site: StudySite, scheme: str) -> None:
    show_on_paper(page, f"/records/site__v/{site.uid}/", scheme=scheme)
    assert page.locator(_LEFT_OUT).locator("visible=true").count() == 0
    expect(page.locator("#print-head")).to_contain_text("CTMS Vault")
    expect(page.locator("#print-head")).to_contain_text("Printed by Carla Craig")
    expect(page.locator("#print-head")).to_contain_text("(UTC)")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    link = page.get_by_role("table").get_by_role("link").first
    assert link.evaluate("node => getComputedStyle(node).textDecorationLine") == "none"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(22, 32, 31)"
    assert count_sheets(page) == 1


def test_a_list_on_paper_has_all_columns_and_their_headings_on_each_sheet(page: Page, site: StudySite) -> None:
    ActivityFactory.create_batch(40, site=site, subject="A subject that is long enough to take two lines of its column")
    show_on_paper(page, f"/records/crm_activity__v/?size=50&site__v={site.uid}")
    expect(page.locator(".filter-chip summary")).to_contain_text("Site: 0142")
    assert page.locator(_LEFT_OUT).locator("visible=true").count() == 0
    expect(page.locator(".pager > .tabular")).to_have_text("1–40 of 40")
    expect(page.locator(".pager > .tabular")).to_be_visible()
    region = page.locator(".table-region")
    assert region.evaluate("node => getComputedStyle(node).overflowX") == "visible"
    head = region.locator("thead")
    assert head.evaluate("node => getComputedStyle(node).display") == "table-header-group"
    assert region.locator("thead th").first.evaluate("node => getComputedStyle(node).position") == "static"
    page.set_viewport_size({"width": 1030, "height": 700})  # a sheet in landscape
    assert page.evaluate("document.documentElement.scrollWidth") <= 1030
    assert count_sheets(page) > 1


@pytest.mark.parametrize("of", ["person", "site", "study person"])
def test_a_timeline_on_paper_says_what_it_leaves_out(page: Page, site: StudySite, of: str) -> None:
    today = timezone.localdate()
    study_person = site.study_people.all()[0]
    for days in range(-40, 8):
        ActivityFactory.create(
            person=study_person.person,
            study_person=study_person,
            site=site,
            channel="phone__v",
            date=today + timedelta(days=days),
            subject="Call",
        )
    record = {"person": study_person.person, "site": site, "study person": study_person}[of]
    show_on_paper(page, f"{get_timeline_url(record)}?channel=phone__v")
    for hidden in (_LEFT_OUT, ".timeline-filters", ".quick-periods"):
        assert page.locator(hidden).locator("visible=true").count() == 0
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Timeline of "))
    expect(page.get_by_text("Channel: Phone.", exact=True)).to_be_visible()
    expect(page.get_by_text("There is more to come, which is not on this page.")).to_be_visible()
    expect(page.get_by_text("There are earlier entries, which are not on this page.")).to_be_visible()
    entry = page.locator(".event").first
    assert entry.evaluate("node => getComputedStyle(node).breakInside") == "avoid"
    # A heading cannot be kept with its entries in a grid.
    assert page.locator("ol.events").evaluate("node => getComputedStyle(node).display") == "block"
    page.set_viewport_size({"width": 700, "height": 1000})  # a sheet in portrait
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert count_sheets(page) > 1


def test_a_month_of_six_weeks_on_paper_is_one_sheet(page: Page, site: StudySite, user: User) -> None:
    for number in range(4):
        ActivityFactory.create(site=site, owner=user, date=date(2026, 8, 12), complete=False, subject=f"Call {number}")
    show_on_paper(page, "/calendar/?view=month&date=2026-08-12")
    expect(page.locator("td[data-date]")).to_have_count(42)
    assert page.locator(_LEFT_OUT).locator("visible=true").count() == 0
    expect(page.locator('td[data-date="2026-08-12"]')).to_contain_text("Call 0")
    assert count_sheets(page) == 1
