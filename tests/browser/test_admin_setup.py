"""An admin sets a new Vault up, in the order of the requirement documents, until an activity is in the CRM.

Once by hand through every page, once with *Apply recommended configuration*; with *Manage Connections* alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from activities.models import Activity
from connections.models import Connection, ConnectionAuthorization
from connections.permissions import MANAGE_CONNECTIONS
from crm_sync.sandbox.serving.running import RunningOrganisation, RunningSandbox
from ctms.accounts.models import User
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "na.crm.test"


@pytest.fixture
def admin() -> User:
    profile = SecurityProfileFactory.create(permissions=[MANAGE_CONNECTIONS])
    return UserFactory.create(
        username="ada", is_staff=True, first_name="Ada", last_name="Adams", security_profile=profile
    )


@pytest.fixture
def crm(settings: Any) -> Iterator[RunningOrganisation]:
    """The organisation to connect to."""
    with RunningSandbox(names=["na"]) as sandbox:
        settings.CRM_SANDBOX_ORIGINS = {HOST: sandbox["na"].base_url}
        yield sandbox["na"]


@pytest.fixture
def activity(crm: RunningOrganisation) -> Activity:
    """What a study team has logged, of a person whom the CRM knows."""
    person = PersonFactory.create(external_id="P-1")
    crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": person.last_name, "External_ID_vod__c": "P-1"}]
    )
    return ActivityFactory.create(person=person, subject="First visit", study=None)


def log_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(USER_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile("^[^?]*/admin/$"))  # the address of the log-in ends with it as well


def open_from_landing_page(page: Page, name: str) -> None:
    page.goto("/admin/")
    page.get_by_role("main").get_by_role("link", name=name, exact=True).click()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def assign_connected_app_action(page: Page) -> None:
    open_from_landing_page(page, "Objects")
    page.get_by_role("link", name="Connection Authorization", exact=True).click()
    page.get_by_role("main").get_by_role("navigation").get_by_role("link", name="Actions", exact=True).click()
    page.get_by_role("link", name="Edit Object Type Actions").click()
    page.get_by_label("Enter Connected App Details: Basic Auth").check()
    save(page)
    expect(page.get_by_text("The object type actions were saved.")).to_be_visible()


def create_connection(page: Page, crm: RunningOrganisation) -> None:
    open_from_landing_page(page, "Connections")
    page.goto("/admin/connections/connection/add/")
    page.get_by_label("Name").first.fill("North America")
    page.locator("#id_url").fill(f"https://{HOST}")
    create_authorization_in_place(page, crm)
    page.locator("#id_description").fill("Medical CRM of North America")
    save(page)
    expect(page.get_by_role("link", name="CRM Call Outbound Integration")).to_be_visible()


def create_authorization_in_place(page: Page, crm: RunningOrganisation) -> None:
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Create Connection Authorization").click()
    popup = opened.value
    popup.locator("#id_name").fill("Integration user")
    popup.locator("#id_username").fill(crm.user.username)
    with popup.expect_event("close"):
        # Nobody waits for what it shows next: it is closed by then.
        popup.get_by_role("button", name="Save", exact=True).click(no_wait_after=True)
    expect(page.locator("#id_authorization")).to_have_text("Integration user")


def enter_credentials(page: Page, crm: RunningOrganisation) -> None:
    open_from_landing_page(page, "Connection Authorizations")
    page.get_by_role("link", name="Integration user", exact=True).click()
    expect(page.get_by_text("Not set").first).to_be_visible()

    page.get_by_role("link", name="Set Password").click()
    page.get_by_label("Password*", exact=True).fill(crm.user.password)
    page.get_by_label("Confirm Password").fill("something else")
    save(page)
    expect(page.get_by_role("alert").get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("Password*", exact=True).fill(crm.user.password)
    page.get_by_label("Confirm Password").fill(crm.user.password)
    save(page)
    expect(page.get_by_text("by Ada Adams")).to_have_count(1)

    page.get_by_role("link", name="Enter Connected App Details").click()
    page.get_by_label("Username and password").check()
    page.get_by_label("Connected App Consumer Key").fill(crm.connected_app.client_id)
    page.get_by_label("Connected App Consumer Secret").fill(crm.connected_app.client_secret)
    save(page)
    expect(page.get_by_text("by Ada Adams")).to_have_count(2)


def set_identifiers(page: Page) -> None:
    open_from_landing_page(page, "Application Settings")
    page.get_by_label("Enable Global CRM Connection Identifier Mapping").check()
    choose_or_fill(page, "Clinical Person Identifier", "external_id__v")
    page.get_by_label("CRM Account Identifier").fill("External_ID_vod__c")
    save(page)
    expect(page.get_by_text("was added successfully")).to_be_visible()


def choose_or_fill(page: Page, label: str, value: str) -> None:
    entry = page.get_by_label(label)
    if entry.evaluate("element => element.tagName") == "SELECT":
        entry.select_option(value)
    else:
        entry.fill(value)


def activate_job(page: Page, name: str) -> None:
    open_from_landing_page(page, "Job Definitions")
    page.get_by_role("link", name=name).click()
    page.locator("#id_status").select_option(label="Active")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def open_step(page: Page, title: str) -> None:
    """The page to which the checklist sends an admin for a step."""
    page.goto("/admin/")
    page.locator(".vault-checklist").get_by_role("link", name=title, exact=True).click()


def add_related_section(page: Page, step: str, relation: str) -> None:
    open_step(page, step)
    page.get_by_label("New section of related records").select_option(relation)
    page.get_by_role("button", name="Add related section").click()
    expect(page.locator("#layout-status")).not_to_be_empty()


def save_layout(page: Page) -> None:
    save(page)
    expect(page.get_by_text("page layout was saved.")).to_be_visible()


def add_activity_sections(page: Page) -> None:
    for label, field in (
        ("Investigator", "person__v"),
        ("Study", "study__v"),
        ("Study Country", "study_country__v"),
        ("Study Site", "site__v"),
        ("Study Person", "study_person__v"),
    ):
        add_related_section(page, f"Activities on the {label} page", f"crm_activity__v:{field}")
        save_layout(page)


def assign_fields(page: Page, object_title: str, object_types: list[str], *fields: str) -> None:
    open_from_landing_page(page, "Objects")
    page.get_by_role("link", name=object_title, exact=True).click()
    page.get_by_role("main").get_by_role("navigation").get_by_role("link", name="Object Types", exact=True).click()
    for object_type in object_types:
        page.get_by_role("link", name=f"Object type fields of {object_type}", exact=True).click()
        for field in fields:
            page.get_by_label(f"{field}: assigned", exact=True).check()
        save(page)
        expect(page.get_by_text("was changed successfully").filter(has_text=object_type)).to_be_visible()


def find_section(page: Page, title: str) -> Locator:
    return page.locator(f'[data-section][aria-label="{title}"]')


def add_field(page: Page, section: str, field: str) -> None:
    page.get_by_label(f"Field to add to {section}", exact=True).select_option(label=field)
    find_section(page, section).get_by_role("button", name="Add field").click()
    expect(find_section(page, section).get_by_role("button", name=f"Remove {field}", exact=True)).to_be_visible()


def remove_field(page: Page, field: str) -> None:
    page.get_by_role("button", name=f"Remove {field}", exact=True).click()
    expect(page.get_by_role("button", name=f"Remove {field}", exact=True)).to_have_count(0)


def configure_automation(page: Page) -> None:
    assign_fields(page, "Activity", ["Clinical Activity"], "Monitoring event", "Study communication")
    open_step(page, "Source fields on the Activity page")
    for field in ("Monitoring event", "Study communication"):
        add_field(page, "Study Details", field)
    save_layout(page)
    event_types = ["Pre-Study Visit", "Site Initiation Visit", "Interim Monitoring Visit", "Close Out Visit"]
    assign_fields(page, "Monitoring Event", event_types, "Activity update required", "Monitoring visit method")
    open_step(page, "Monitoring Event page")
    remove_field(page, "Activity update required")
    remove_field(page, "Monitoring visit method")
    add_field(page, "Monitoring Event Details", "Monitoring visit method")
    save_layout(page)
    log_types = ["Email", "Phone Call", "Video Call", "In-person Meeting", "Message", "Other"]
    assign_fields(page, "Study Communication", log_types, "Activity update required")
    open_step(page, "Study Communication page")
    remove_field(page, "Activity update required")
    save_layout(page)
    activate_job(page, "Generate Clinical Activities")


def activate_medical_activities(page: Page) -> None:
    open_from_landing_page(page, "Objects")
    page.get_by_role("link", name="Activity", exact=True).click()
    page.get_by_role("main").get_by_role("navigation").get_by_role("link", name="Object Types", exact=True).click()
    page.get_by_role("button", name="Activate Medical Activity").click()
    expect(page.get_by_role("button", name="Deactivate Medical Activity")).to_be_visible()


def arrange_exceptions(page: Page) -> None:
    step = "User Exception Items on the User Exception page"
    add_related_section(page, step, "exception_item__sys:exception_message__sys")
    title = page.get_by_label(re.compile("^Title of the section User exception items", re.IGNORECASE)).input_value()
    section = find_section(page, title)
    section.get_by_label("Prevent record creation").check()
    # A new section comes with the columns of the object's list, which stand in the prescribed order.
    columns = [row.get_attribute("data-item") for row in section.locator("[data-item]").all()]
    assert columns == ["name__v", "error_type__sys", "error_message__sys", "item__sys", "item_data__sys"]
    save_layout(page)


def run_test_transfer(page: Page) -> None:
    """Start Now on the checklist; what a worker would do next happens here."""
    page.goto("/admin/")
    page.get_by_role("button", name="Start Now: Test transfer").click()
    expect(page.get_by_text("A transfer is at work").first).to_be_visible()
    [run] = JobRun.objects.filter(state=RunState.QUEUED)
    execute_run(run.pk)
    page.goto("/admin/")
    step = page.locator("#test_transfer")
    expect(step).to_contain_text("reached its CRM, and no record fails.")


def list_left(page: Page) -> list[str]:
    """Required steps that the checklist does not show as done."""
    page.goto("/admin/")
    rows = page.locator(".vault-checklist li").filter(has_not=page.locator(".vault-badge.done"))
    return [str(row.get_attribute("id")) for row in rows.all() if row.get_by_text("Optional", exact=True).count() == 0]


def assert_transferred(crm: RunningOrganisation, activity: Activity) -> None:
    [interaction] = crm.organisation.list_records(object_name="Vault_Clinical_Interaction_vod__c")
    assert interaction["Subject_vod__c"] == activity.subject


def test_by_hand_through_every_page(page: Page, admin: User, crm: RunningOrganisation, activity: Activity) -> None:
    log_in(page)
    add_activity_sections(page)
    configure_automation(page)
    activate_medical_activities(page)
    assign_connected_app_action(page)
    create_connection(page, crm)
    enter_credentials(page, crm)
    set_identifiers(page)
    activate_job(page, "CRM/Clinical Operations Transfer")
    arrange_exceptions(page)
    assert list_left(page) == ["test_transfer"]
    run_test_transfer(page)
    assert list_left(page) == []
    assert_transferred(crm, activity)
    authorization = ConnectionAuthorization.objects.get()
    assert (authorization.password_set_by, Connection.objects.get().authorization) == (admin, authorization)


def test_with_the_recommended_configuration(
    page: Page, admin: User, crm: RunningOrganisation, activity: Activity
) -> None:
    log_in(page)
    page.get_by_role("button", name="Apply recommended configuration", exact=True).click()
    expect(page.get_by_text("steps applied as recommended.")).to_be_visible()
    assert list_left(page) == ["connection", "credentials", "test_transfer"]
    create_connection(page, crm)
    enter_credentials(page, crm)
    run_test_transfer(page)
    assert list_left(page) == []
    assert_transferred(crm, activity)
