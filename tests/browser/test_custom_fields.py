"""An admin works on a picklist: renames, orders and retires values by keyboard, and sees where the field is used."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def field() -> CustomField:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    field = CustomField(
        of_object="person__sys", label="Colour", kind="picklist", picklist_values=["Red", "Blue", "Grey"]
    )
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    PersonFactory.create(custom_fields={"colour__c": "Red"})
    return field


def test_values_are_renamed_ordered_and_retired_by_keyboard(page: Page, field: CustomField) -> None:
    enter_as(page, "ada")
    page.goto(f"/admin/configuration/customfield/{field.pk}/change/")
    page.get_by_label("Label of Red").fill("Crimson")
    page.get_by_label("Blue: position").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.get_by_label("Grey: active").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Red: delete")).to_be_disabled()
    assert find_violations(page, within="#customfield_form") == []
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Colour", exact=True)).to_be_visible()
    field.refresh_from_db()
    assert [(each["label"], each["is_active"]) for each in field.picklist_values] == [
        ("Blue", True),
        ("Crimson", True),
        ("Grey", False),
    ]


def test_where_a_field_is_used_is_one_click_away(page: Page, field: CustomField) -> None:
    enter_as(page, "ada")
    page.goto(f"/admin/configuration/customfield/{field.pk}/change/")
    page.get_by_role("link", name="Where is this used?").click()
    expect(page.get_by_text("1 record has a value in it.")).to_be_visible()
    expect(page.get_by_role("link", name="Person page layout")).to_be_visible()
    assert find_violations(page, within=".vault-head, .vault-scroll") == []
