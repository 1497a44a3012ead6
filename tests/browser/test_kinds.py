"""Fields of several inputs and links that leave the Vault, as people use them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from activities.models import Activity
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def activity() -> Activity:
    for label, kind in (("Fee", "currency"), ("Topics", "multi_select"), ("Slides", "url")):
        values = ["Safety", "Recruitment", "Data entry"] if kind == "multi_select" else []
        field = CustomField(of_object="crm_activity__v", label=label, kind=kind, picklist_values=values)
        create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    return ActivityFactory.create(subject="Call")


def test_money_ticks_and_addresses_are_typed_and_shown(page: Page, activity: Activity) -> None:
    UserFactory.create(username="carla", is_superuser=True)
    enter_as(page, "carla")
    page.goto(f"/records/crm_activity__v/{activity.uid}/edit/")
    page.get_by_label("Fee", exact=True).fill("1,250.5")
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_label("Safety").check()
    page.get_by_label("Data entry").check()
    page.get_by_label("Slides", exact=True).fill("example.org/slides")
    assert find_violations(page) == []
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator("#field-fee__c")).to_contain_text("1,250.50 EUR")
    expect(page.locator("#field-topics__c")).to_contain_text("Safety, Data entry")
    link = page.locator("#field-slides__c").get_by_role("link", name="https://example.org/slides")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    activity.refresh_from_db()
    assert activity.custom_fields == {
        "fee__c": {"amount": "1250.50", "currency": "EUR"},
        "topics__c": "Safety;Data entry",
        "slides__c": "https://example.org/slides",
    }
