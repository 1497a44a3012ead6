"""The profile page with its tokens, and the page of the REST API: in a browser, offline, in both themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from ctms.clinical.models import Study
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(page: Page) -> User:
    profile = SecurityProfileFactory.create(
        name="Clinical research associate", permissions=["study__v:read", "study__v:create"], sees_all_studies=True
    )
    user = UserFactory.create(username="carla", first_name="Carla", last_name="Craig", security_profile=profile)
    enter_as(page, user.username)
    page.goto("/profile/")
    return user


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_user_chooses_a_theme_and_creates_and_revokes_a_token(page: Page, user: User, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_text(theme, exact=True).click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your profile was saved.")).to_be_visible()
    assert page.locator("html").get_attribute("data-theme") == theme.lower()
    page.get_by_label("Name").fill("Site payments export")
    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label("Your new token").input_value()
    assert re.fullmatch(r"vault_[\w-]{43}", token)
    assert find_violations(page) == []
    page.goto("/profile/")
    assert token not in page.content()
    page.get_by_role("link", name="Revoke Site payments export").click()
    expect(page.get_by_role("button", name="Revoke token")).to_be_visible()
    assert find_violations(page) == []
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_text("The token Site payments export was revoked.")).to_be_visible()
    expect(page.get_by_role("link", name="Revoke Site payments export")).to_have_count(0)


def test_the_page_of_the_api_works_without_any_other_host_and_writes_in_the_session(page: Page, user: User) -> None:
    study = StudyFactory.create()
    page.goto("/api/v1/docs/")
    expect(page.get_by_role("heading", name="CTMS Vault")).to_be_visible()
    page.get_by_text("Studies", exact=True).click()
    page.locator("#operations-Studies-list_study__v .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .microlight").first).to_contain_text(study.name)
    page.locator("#operations-Studies-create_study__v .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.locator("#operations-Studies-create_study__v textarea").fill('{"name__v": "S-1"}')
    page.locator("#operations-Studies-create_study__v").get_by_role("button", name="Execute").click()
    # The codes that the document lists stand beside, from the beginning.
    answer = page.locator("#operations-Studies-create_study__v .live-responses-table .response-col_status")
    expect(answer.last).to_have_text("201")
    assert Study.objects.get(name="S-1").created_by == user
