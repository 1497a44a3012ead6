"""Pages on paper: the content alone, black on white, whole tables."""

from __future__ import annotations

import re
import zlib

import pytest
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyPersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

_LEFT_OUT = (
    ".site-header, .toolbar .search-box, .page-actions, .button, .fact-edit, .section-index, .tick-cell, .menu-cell, "
    ".list-foot, .star, .record-side"
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
    region = page.locator(".table-region")
    assert region.evaluate("node => getComputedStyle(node).overflowX") == "visible"
    head = region.locator("thead")
    assert head.evaluate("node => getComputedStyle(node).display") == "table-header-group"
    assert region.locator("thead th").first.evaluate("node => getComputedStyle(node).position") == "static"
    page.set_viewport_size({"width": 1030, "height": 700})  # a sheet in landscape
    assert page.evaluate("document.documentElement.scrollWidth") <= 1030
    assert count_sheets(page) > 1
