"""A report in a browser: built by the words of the requirement documents, with a preview that follows each step."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from ctms.reports.models import Report
from exceptions_log.models import ExceptionItem
from tests.admin_rows import BUILDERS
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def item(page: Page) -> ExceptionItem:
    """What a transfer could not send, and somebody who is logged in and may see it."""
    UserFactory.create(username="carla", is_superuser=True, is_staff=True, first_name="Carla", last_name="Craig")
    created = BUILDERS["exceptions_log.ExceptionItem"]()
    assert isinstance(created, ExceptionItem)
    enter_as(page, "carla")
    return created


def test_the_user_exception_report_is_built_as_the_documents_say(page: Page, item: ExceptionItem) -> None:
    # Admin > Configuration > Report Types
    page.goto("/admin/reports/reporttype/add/")
    page.get_by_label("Name", exact=False).first.fill("Messages with items")
    page.get_by_label("Primary Reporting Object").select_option(label="User exception messages")
    page.get_by_label("Add Related Object").select_option(label="User exception items (Child)")
    page.get_by_role("button", name="Save", exact=True).click()
    # Reports > Create
    page.goto("/")
    page.get_by_role("navigation", name="Main").last.get_by_role("link", name="Reports").click()
    page.get_by_role("link", name="Create").last.click()
    page.get_by_label("Report type").select_option(label="Messages with items")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("textbox", name="Name").fill("User Exception Report")
    filters = page.get_by_role("region", name="User Exception Message filters")
    preview = page.get_by_role("region", name="Preview", exact=True)
    for field in ("Status", "Created date", "Integration"):
        filters.get_by_label("Field of another condition", exact=True).select_option(label=field)
        filters.get_by_role("button", name="Add condition").click()
        expect(filters.get_by_role("group", name=field, exact=True)).to_be_visible()
    expect(preview.get_by_text("The preview comes back when this is complete")).to_be_visible()
    filters.get_by_label("Status: operator").select_option(label="is")
    filters.get_by_label("Active", exact=True).check()
    filters.get_by_label("Created date: operator").select_option("within")
    filters.get_by_label("Created date: period").select_option(label="in the last … days")
    filters.get_by_label("Created date: how many").fill("1")
    filters.get_by_label(str(item.message.integration), exact=True).check()
    expect(preview.get_by_role("table")).to_be_visible()
    # Edit Columns
    page.get_by_text("Edit Columns").click()
    columns = page.get_by_role("region", name="Columns", exact=True)
    for label in ("First failed", "Attempts"):
        columns.get_by_label(label, exact=False).first.check()
        expect(preview.get_by_role("columnheader", name=re.compile(label))).to_be_visible()
    assert find_violations(page) == []
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_role("heading", name="User Exception Report")).to_be_visible()
    expect(page.get_by_text("is saved")).to_be_visible()
    expect(page.get_by_role("cell", name=item.error_message).first).to_be_visible()
    report = Report.objects.get(name="User Exception Report", delivered_key=None)
    assert [each["field"] for each in report.filters] == ["status__v", "created_date__v", "integration__sys"]


def test_columns_move_and_conditions_leave_by_keyboard_and_what_was_typed_stays(
    page: Page, item: ExceptionItem
) -> None:
    page.goto("/reports/new/?type=object:exception_item__sys")
    name = page.get_by_role("textbox", name="Name")
    name.fill("By keyboard")
    chosen = page.get_by_role("list", name="Columns in their order")
    before = chosen.get_by_role("listitem").all_text_contents()
    chosen.get_by_role("button", name=re.compile("back")).first.press("Enter")
    expect(chosen.get_by_role("listitem").first).to_have_text(re.compile(re.escape(before[1].strip())))
    expect(name).to_have_value("By keyboard")
    page.get_by_label("Group by 1: column").select_option(label="Error type")
    expect(page.get_by_label("Chart: kind")).to_be_visible()
    expect(page.get_by_role("region", name="Preview", exact=True).get_by_text("Total")).to_be_visible()
    page.get_by_label("Field of another condition", exact=True).select_option(label="Error type")
    page.get_by_role("button", name="Add condition").press("Enter")
    expect(page.get_by_label("Error type: operator")).to_be_focused()
    page.get_by_role("button", name="Remove the condition on Error type").press("Enter")
    expect(page.get_by_label("Error type: operator")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).first.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    page.get_by_role("link", name=re.compile("Total:")).click()
    expect(page.get_by_text("Back to the report")).to_be_visible()
