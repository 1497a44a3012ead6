"""An admin tests one record of a connection: finds it, sees the request, sends it alone and reads the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from activities.models import Activity
from crm_sync.sandbox.serving.running import RunningSandbox
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.crm_sync.world import World, build_world
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    settings.CRM_SANDBOX_ORIGINS = {}
    with RunningSandbox(names=["na"]) as sandbox:
        yield build_world(crm=sandbox["na"])


@pytest.fixture
def activity(world: World) -> Activity:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create_batch(2, person=person, subject="Another one")
    return ActivityFactory.create(person=person, subject="Dose modification after neutropenia " * 6)


@pytest.mark.parametrize("width", [390, 1440])
def test_a_record_is_found_looked_at_and_sent_alone(page: Page, world: World, activity: Activity, width: int) -> None:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    page.set_viewport_size({"width": width, "height": 900})
    enter_as(page, "ada")
    page.goto(f"/admin/connections/connection/{world.connection.pk}/")
    page.get_by_role("link", name="Test One Record").click()
    page.get_by_role("link", name="CRM Call Outbound").click()
    check_page(page, width)
    page.get_by_label("Name, number, UID or CRM id").fill(activity.name)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name=f"Look at {activity.name}").click()

    expect(page.get_by_text("Would be created")).to_be_visible()
    expect(page.get_by_role("heading", name="Request, not sent")).to_be_visible()
    expect(page.get_by_label("Body of the request")).to_contain_text(str(activity.uid))
    check_page(page, width)
    assert world.list_interactions() == []

    page.get_by_role("button", name="Send this record").click()
    expect(page.get_by_text("NA created the record")).to_be_visible()
    expect(page.get_by_label("Body of the answer")).to_contain_text('"success": true')
    expect(page.get_by_role("button", name="Send this record")).to_have_count(0)
    check_page(page, width)
    assert [row["Vault_External_ID_vod__c"] for row in world.list_interactions()] == [str(activity.uid)]

    page.get_by_role("link", name="in Job Status").click()
    expect(page.get_by_text(f"{activity.name}: NA created the record").first).to_be_visible()


def check_page(page: Page, width: int) -> None:
    """No scrolling sideways, and nothing that keeps people out."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert find_violations(page, within=".vault-stack") == []
