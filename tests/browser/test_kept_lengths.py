"""A form tells while typing how many characters a CRM keeps of a text, without moving anything."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import FieldRule
from crm_sync.models import FieldLength
from ctms.core.clock import get_now
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db(transaction=True)

# Pictures to look at: SHOTS=<folder> pytest tests/browser/test_kept_lengths.py
SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
def activity(page: Page) -> Activity:
    """An activity, and an organisation that takes 255 characters of its subject."""
    UserFactory.create(username="carla", is_superuser=True)
    connection = ConnectionFactory.create(name="EMEA", url="https://emea.my.salesforce.com")
    rule = FieldRule.objects.get(
        rule__integration__connection=connection,
        rule__integration__kind=IntegrationKind.CALL_OUTBOUND,
        target="Subject_vod__c",
    )
    FieldLength.objects.create(
        field_rule=rule, crm_field=f"{rule.rule.crm_object}.{rule.target}", length=255, known_since=get_now()
    )
    enter_as(page, "carla")
    return ActivityFactory.create(subject="Visit 4")


def shoot(page: Page, name: str) -> None:
    if not SHOTS:
        return
    for width, scheme in product((1440, 390), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.screenshot(path=str(Path(SHOTS) / f"{name}-{width}-{scheme}.png"), full_page=True)
    page.emulate_media(color_scheme="light")


def test_what_is_left_is_told_in_utf_16_units_and_what_is_too_long_is_saved(page: Page, activity: Activity) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/records/crm_activity__v/{activity.uid}/edit/")
    subject = page.get_by_label("Subject", exact=True)
    note = page.locator(".kept-lengths")
    expect(note).to_have_text("EMEA takes 255 characters; 248 left.")
    expect(subject).to_have_accessible_description("EMEA takes 255 characters.")
    after = page.locator(".field:has(.kept-lengths) + .field")
    place = after.bounding_box()

    subject.fill("🙂" * 120)
    expect(note).to_have_text("EMEA takes 255 characters; 15 left.")
    expect(page.locator(".kept-lengths + [aria-live=polite]")).to_have_text("EMEA takes 255 characters; 15 left.")
    subject.fill("🙂" * 128)
    expect(note).to_have_text("EMEA takes 255 characters; 1 too many.")
    assert after.bounding_box() == place
    assert find_violations(page) == []
    shoot(page, "form-over")

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_url(f"**/records/crm_activity__v/{activity.uid}/")
    assert Activity.objects.get().subject == "🙂" * 128


def test_the_quick_log_and_the_edit_in_place_tell_it_too(page: Page, activity: Activity) -> None:
    page.goto(f"/records/crm_activity__v/{activity.uid}/")
    page.keyboard.press("l")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Subject", exact=True).fill("x" * 250)
    expect(dialog.locator(".kept-lengths")).to_have_text("EMEA takes 255 characters; 5 left.")
    shoot(page, "quick")
    page.goto(f"/records/crm_activity__v/{activity.uid}/")
    page.get_by_role("button", name="Edit Subject").or_(page.get_by_role("link", name="Edit Subject")).first.click()
    entry = page.locator(".inline-edit input[name=subject__v]")
    entry.fill("x" * 260)
    expect(page.locator(".inline-edit .kept-lengths")).to_have_text("EMEA takes 255 characters; 5 too many.")
    shoot(page, "in-place-over")
