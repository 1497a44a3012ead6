"""An admin changes layouts, fields and object types, and the study teams' pages change with them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from tests.browser.sessions import enter_as
from tests.browser.test_admin_setup import add_related_section, open_from_landing_page, save, save_layout
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db(transaction=True)

EVENT_FORM = "/records/monitoring_event__ctms/create/"


@pytest.fixture(autouse=True)
def admin(page: Page) -> User:
    user: User = UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    enter_as(page, "ada")
    return user


def test_an_activity_section_that_an_admin_adds_is_on_the_page_of_a_study(page: Page) -> None:
    path = f"/records/study__v/{StudyFactory.create().uid}/"
    section = page.get_by_role("region", name="Activities", exact=True)
    page.goto(path)
    expect(page.get_by_role("region", name="Study Sites", exact=True)).to_be_visible()
    expect(section).to_have_count(0)
    add_related_section(page, "Activities on the Study page", "crm_activity__v:study__v")
    save_layout(page)
    page.goto(path)
    expect(section.get_by_role("link", name="Create")).to_be_visible()


def test_a_custom_field_that_an_admin_adds_is_filled_in_and_shown(page: Page) -> None:
    person = PersonFactory.create()
    page.goto("/admin/configuration/customfield/add/?of_object=person__sys")
    page.locator("#id_label").fill("Favourite colour")
    expect(page.locator("#id_api_name")).to_have_value("favourite_colour__c")
    save(page)
    expect(page.get_by_role("link", name="Favourite colour", exact=True)).to_be_visible()
    page.goto(f"/records/person__sys/{person.uid}/edit/")
    page.get_by_label("Favourite colour").fill("Teal")
    save(page)
    page.wait_for_url(f"**/records/person__sys/{person.uid}/")
    expect(page.locator("main").get_by_text("Teal").first).to_be_visible()
    person.refresh_from_db()
    assert person.custom_fields == {"favourite_colour__c": "Teal"}


def test_an_object_type_that_an_admin_deactivates_is_offered_no_more(page: Page) -> None:
    close_out, interim = (
        page.locator("main").get_by_role("link", name=name) for name in ("Close Out Visit", "Interim Monitoring Visit")
    )
    page.goto(EVENT_FORM)
    expect(close_out).to_be_visible()
    open_from_landing_page(page, "Objects")
    page.get_by_role("link", name="Monitoring Event", exact=True).click()
    page.get_by_role("main").get_by_role("navigation").get_by_role("link", name="Object Types", exact=True).click()
    page.get_by_role("button", name="Deactivate Close Out Visit").click()
    expect(page.get_by_role("button", name="Activate Close Out Visit", exact=True)).to_be_visible()
    page.goto(EVENT_FORM)
    expect(interim).to_be_visible()
    expect(close_out).to_have_count(0)
