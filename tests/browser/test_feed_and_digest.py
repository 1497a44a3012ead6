"""A user's calendar feed, daily digest and time zone, in the browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ctms.accounts.models import User
from ctms.core.clock import get_now
from ctms.reports.choices import MailState
from ctms.reports.models import DigestMail
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    user = UserFactory.create(username="carla", is_superuser=True, digest_hour=7)
    site = StudySiteFactory.create(owner=user)
    today = get_now().date()
    for days in (-3, -1, 0):
        date = today + dt.timedelta(days=days)
        ActivityFactory.create(study=site.study, site=site, date=date, complete=False, subject="Ask for lab kits")
    for days, state in ((1, MailState.SENT), (2, MailState.NOTHING), (3, MailState.FAILED)):
        reason = "The e-mail was not sent (SMTPRecipientsRefused)." if state == MailState.FAILED else ""
        day = today - dt.timedelta(days=days)
        DigestMail.objects.create(user=user, day=day, state=state, rows=days, reason=reason, changed_at=get_now())
    return user


@pytest.fixture
def traveller(browser: Browser, browser_context_args: dict[str, Any], base_url: str) -> Iterator[Page]:
    """A page of a computer that is set to Vienna."""
    context = browser.new_context(**browser_context_args | {"timezone_id": "Europe/Vienna", "base_url": base_url})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_the_time_zone_of_the_computer_is_offered_once(traveller: Page, user: User, scheme: Any, width: int) -> None:
    page = traveller
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    enter_as(page, "carla")
    page.goto("/digest/")
    offer = page.get_by_role("form", name="Clock of this computer")
    expect(offer).to_contain_text("This computer is set to Europe/Vienna.")
    assert find_violations(page) == []
    offer.get_by_role("button", name="Use Europe/Vienna").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Dates and times are shown in Europe/Vienna.")).to_be_visible()
    assert page.url.endswith("/digest/")
    assert User.objects.get(pk=user.pk).time_zone == "Europe/Vienna"
    page.goto("/")
    expect(page.get_by_role("form", name="Clock of this computer")).to_have_count(0)


def test_it_can_be_declined_and_is_not_offered_where_it_is_the_same(traveller: Page, page: Page, user: User) -> None:
    enter_as(page, "carla")
    page.goto("/digest/")
    expect(page.locator(".time-zone-offer")).to_have_count(0)
    enter_as(traveller, "carla")
    traveller.goto("/digest/")
    traveller.get_by_role("button", name="Keep UTC").click()
    expect(traveller.locator(".time-zone-offer")).to_have_count(0)
    assert User.objects.get(pk=user.pk).time_zone == "UTC"


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_address_of_the_calendar_is_shown_once_and_read_by_others(
    page: Page, user: User, scheme: Any, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    enter_as(page, "carla")
    page.goto("/calendar/")
    page.get_by_role("link", name="Subscribe").click()
    page.get_by_role("button", name="Create address").click()
    address = page.get_by_label("Your address").input_value()
    assert "/calendar/feed.ics?key=" in address
    assert find_violations(page) == []
    path = address.partition("8000")[2]
    page.context.clear_cookies()
    answer = page.request.get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert "SUMMARY:Ask for lab kits" in answer.text()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_the_digest_is_accessible_and_within_the_window(
    page: Page, user: User, scheme: Any, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    enter_as(page, "carla")
    page.goto("/digest/")
    expect(page.get_by_role("heading", name="Overdue 2")).to_be_visible()
    expect(page.get_by_role("heading", name="Due today 1")).to_be_visible()
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("It comes at").select_option("09:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your digest comes at 09:00.")).to_be_visible()
