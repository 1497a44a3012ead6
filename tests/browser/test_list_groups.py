"""A list that is grouped by a column, in a browser: the menu, headings with counts, keys, and a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from activities.choices import Channel
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.bulk import create_activities

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/records/crm_activity__v/"
HEADING = ".list-table .group-line"


@pytest.fixture
def carla(page: Page) -> Page:
    """The page of somebody who is logged in, and sixty activities over all channels."""
    UserFactory.create(username="carla", is_superuser=True)
    create_activities(60)
    enter_as(page, "carla")
    return page


def test_a_list_is_grouped_by_the_menu_and_a_heading_leads_to_its_group(carla: Page) -> None:
    carla.goto(LIST)
    carla.locator("summary", has_text="Sort and group").click()
    carla.get_by_role("group", name="Group by").get_by_role("link", name="Channel", exact=True).click()
    expect(carla).to_have_url(re.compile(r"\?group=channel__v$"))
    expect(carla.locator("summary", has_text="Grouped by Channel")).to_be_visible()
    each = 60 // len(Channel)
    expect(carla.locator(HEADING).first).to_have_text(re.compile(rf"^\s*Channel: .+ {each}\s*$"))
    assert not find_violations(carla)
    # Keys pass over headings, and a heading that has the focus is no row.
    for _ in range(each + 1):
        carla.keyboard.press("j")
    expect(carla.locator(".list-table tr.is-current")).to_have_count(1)
    carla.locator(HEADING).first.get_by_role("link").focus()
    carla.keyboard.press("Enter")
    expect(carla.locator(".filter-chip")).to_have_count(1)
    expect(carla.locator(HEADING)).to_have_count(1)
    expect(carla.locator("[data-list-count]")).to_have_text(str(each))
    carla.go_back()
    expect(carla.locator(".filter-chip")).to_have_count(0)


def test_a_group_goes_on_over_the_next_page_on_a_phone(carla: Page) -> None:
    carla.set_viewport_size({"width": 390, "height": 844})
    carla.goto(f"{LIST}?group=complete__v&size=25")
    expect(carla.locator(HEADING)).to_have_text(re.compile(r"No\s+30"))
    carla.get_by_role("link", name="Next page").click()
    expect(carla.locator(HEADING)).to_have_count(2)
    expect(carla.locator(HEADING).first).to_have_text(re.compile(r"No\s+30\s+continued"))
    assert carla.evaluate("document.documentElement.scrollWidth") <= 390
    assert not find_violations(carla)
