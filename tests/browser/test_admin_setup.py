"""An admin sets up a connection from nothing, through the pages, in the order of the requirement documents."""

from __future__ import annotations

import pytest
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from playwright.sync_api import Page, expect

from connections.choices import GrantFlow
from connections.models import Connection, ConnectionAuthorization
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.accounts.models import User
from ctms.configuration.selectors import get_application_settings
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobDefinition
from tests.factories.accounts import USER_PASSWORD, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary-4d1f60"
PASSWORD, CONSUMER_KEY, CONSUMER_SECRET = f"{CANARY}-password", f"{CANARY}-key", f"{CANARY}-secret"


@pytest.fixture
def admin() -> User:
    return UserFactory.create(username="ada", is_staff=True, is_superuser=True, first_name="Ada", last_name="Adams")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Address and text, headers included, of every answer that the Vault gives while the test runs."""
    given: list[tuple[str, str]] = []
    original = BaseHandler.get_response

    def get_response(handler: BaseHandler, request: HttpRequest) -> HttpResponseBase:
        response = original(handler, request)
        body = response.content.decode(errors="replace") if isinstance(response, HttpResponse) else ""
        given.append((request.path, f"{response.headers}{body}"))
        return response

    monkeypatch.setattr(BaseHandler, "get_response", get_response)
    return given


def log_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(USER_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


def open_from_landing_page(page: Page, name: str) -> None:
    page.goto("/admin/")
    page.get_by_role("main").or_(page.locator(".vault-index")).get_by_role("link", name=name, exact=True).click()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def assign_connected_app_action(page: Page) -> None:
    open_from_landing_page(page, "Objects")
    page.get_by_role("link", name="Connection authorization", exact=True).click()
    page.get_by_role("navigation").get_by_role("link", name="Actions", exact=True).click()
    page.get_by_role("link", name="Edit Object Type Actions").click()
    page.get_by_label("Enter Connected App Details: Basic Auth").check()
    save(page)
    expect(page.get_by_text("The object type actions were saved.")).to_be_visible()


def create_connection(page: Page) -> None:
    open_from_landing_page(page, "Connections")
    page.goto("/admin/connections/connection/add/")
    page.get_by_label("Name").first.fill("North America")
    page.locator("#id_url").fill("https://na.my.salesforce.com")
    create_authorization_in_place(page)
    page.locator("#id_description").fill("Medical CRM of North America")
    save(page)
    expect(page.get_by_role("link", name="CRM Call Outbound Integration")).to_be_visible()


def create_authorization_in_place(page: Page) -> None:
    with page.expect_popup() as opened:
        page.locator("#add_id_authorization").dispatch_event("click")
    popup = opened.value
    popup.locator("#id_name").fill("Integration user")
    popup.locator("#id_username").fill("integration@crm.example.com")
    with popup.expect_event("close"):
        save(popup)
    expect(page.locator("#id_authorization")).to_have_text("Integration user")


def enter_credentials(page: Page) -> None:
    open_from_landing_page(page, "Connection Authorizations")
    page.get_by_role("link", name="Integration user", exact=True).click()
    expect(page.get_by_text("Not set").first).to_be_visible()

    page.get_by_role("link", name="Set Password").click()
    page.get_by_label("Password*", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm Password").fill("something else")
    save(page)
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("Password*", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm Password").fill(PASSWORD)
    save(page)
    expect(page.get_by_text("by Ada Adams")).to_have_count(1)

    page.get_by_role("link", name="Enter Connected App Details").click()
    page.get_by_label("Connected App Consumer Key").fill(CONSUMER_KEY)
    page.get_by_label("Connected App Consumer Secret").fill(CONSUMER_SECRET)
    page.get_by_label("Client credentials").check()
    save(page)
    expect(page.get_by_text("by Ada Adams")).to_have_count(2)


def set_identifiers(page: Page) -> None:
    open_from_landing_page(page, "Application Settings")
    page.get_by_label("Enable Global CRM Connection Identifier Mapping").check()
    page.get_by_label("Clinical Person Identifier").fill("external_id__v")
    page.get_by_label("CRM Account Identifier").fill("External_ID_vod__c")
    save(page)
    expect(page.get_by_text("was added successfully")).to_be_visible()


def activate_transfer(page: Page) -> None:
    open_from_landing_page(page, "Job Definitions")
    page.get_by_role("link", name="CRM/Clinical Operations Transfer").click()
    page.locator("#id_status").select_option(label="Active")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_an_admin_sets_up_a_connection_from_nothing(page: Page, admin: User, answers: list[tuple[str, str]]) -> None:
    log_in(page)
    assign_connected_app_action(page)
    create_connection(page)
    enter_credentials(page)
    set_identifiers(page)
    activate_transfer(page)

    connection = Connection.objects.get()
    authorization = ConnectionAuthorization.objects.get()
    assert (connection.name, connection.url, connection.authorization, connection.status) == (
        "North America",
        "https://na.my.salesforce.com",
        authorization,
        RecordStatus.ACTIVE,
    )
    assert connection.integrations.count() == 4
    assert (
        authorization.password.reveal(),
        authorization.consumer_key.reveal(),
        authorization.consumer_secret.reveal(),
        authorization.grant_flow,
        authorization.password_set_by,
    ) == (PASSWORD, CONSUMER_KEY, CONSUMER_SECRET, GrantFlow.CLIENT_CREDENTIALS, admin)
    settings = get_application_settings()
    assert (
        settings.enable_global_crm_mapping,
        settings.clinical_person_identifier,
        settings.crm_account_identifier,
    ) == (True, "external_id__v", "External_ID_vod__c")
    assert JobDefinition.objects.get(key=TRANSFER_JOB_KEY).status == RecordStatus.ACTIVE

    # Visited again with everything set: no answer that the browser ever got holds a secret.
    for path in ("/admin/connections/connectionauthorization/", "/admin/audit/auditentry/"):
        page.goto(path)
    assert {path for path, text in answers if "Set Password" in text}  # what the browser was given is what is looked at
    assert [path for path, text in answers if CANARY in text] == []
