"""Log-in by JWT bearer by hand: the form asks for what the flow takes; a certificate goes from here to the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.configuration.steps import apply_step, get_step
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.crm_sync.world import World, build_world
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    settings.CRM_SANDBOX_ORIGINS = {}
    with RunningSandbox(names=["na"]) as sandbox:
        yield build_world(crm=sandbox["na"])


@pytest.fixture
def console(page: Page, world: World) -> str:
    """The address of the authorization's pages, for a page that an admin has open."""
    apply_step(step=get_step("connected_app_action"), actor=build_admin_actor())
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)
    enter_as(page, "ada")
    return f"/admin/connections/connectionauthorization/{world.connection.authorization_id}"


def enter_consumer_key(page: Page, console: str, key: str) -> None:
    page.goto(f"{console}/enter-connected-app-details/")
    page.get_by_label("JWT bearer (certificate)").check()
    page.get_by_label("Connected App Consumer Key").fill(key)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("JWT bearer (certificate), log-in at My Domain (the Connection URL)")).to_be_visible()


def create_certificate(page: Page, console: str) -> None:
    page.goto(f"{console}/create-certificate/")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("Create Certificate: saved.")).to_be_visible()


def test_the_form_shows_what_the_chosen_flow_takes(page: Page, console: str) -> None:
    page.goto(f"{console}/enter-connected-app-details/")
    secret, audience = (
        page.get_by_label("Connected App Consumer Secret"),
        page.get_by_label("test.salesforce.com (sandboxes)"),
    )
    page.get_by_label("JWT bearer (certificate)").check()
    expect(secret).to_be_hidden()
    expect(audience).to_be_visible()
    for flow in ("Client credentials", "Username and password"):
        page.get_by_label(flow, exact=True).check()
        expect(secret).to_be_visible()
        expect(audience).to_be_hidden()


def test_a_downloaded_certificate_that_the_crm_has_logs_in(page: Page, console: str, world: World) -> None:
    enter_consumer_key(page, console, world.crm.connected_app.client_id)
    create_certificate(page, console)
    with page.expect_download() as started:
        page.get_by_role("link", name="Download Certificate").click()
    world.crm.organisation.upload_certificate(pem=Path(started.value.path()).read_text())

    page.goto(f"/admin/connections/connection/{world.connection.pk}/test-connection/")
    page.get_by_role("button", name="Test now").click()
    expect(page.get_by_text("The connection works: every step passed.")).to_be_visible()
    expect(page.get_by_text("na.crm.test gave a token by JWT bearer (certificate).")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_its_pages_are_accessible_and_fit(page: Page, console: str, world: World, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    enter_consumer_key(page, console, world.crm.connected_app.client_id)
    create_certificate(page, console)
    for name in ("change", "enter-connected-app-details", "create-certificate"):
        page.goto(f"{console}/{name}/")
        assert find_violations(page, within="#content, main") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
