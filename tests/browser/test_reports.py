"""A report in a browser: built by the words of the requirement documents, shared, scheduled, and sent when it fails."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from crm_sync.alerts.jobs import ALERT_JOB_KEY
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs import queue
from ctms.jobs.models import JobDefinition
from ctms.reports.models import Report
from exceptions_log.models import ExceptionItem
from tests.admin_rows import BUILDERS
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.crm_sync.world import World, build_world
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.reports.flash.flashes import tick
from tests.smtp import read_part, run_smtp_sink

pytestmark = pytest.mark.django_db(transaction=True)
READER = [
    f"{name}:read" for name in ("report__sys", "exception_message__sys", "exception_item__sys", "integration__sys")
]


@pytest.fixture
def vault(page: Page, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A Vault with a CRM; Carla, who builds reports, is logged in, and Irene looks after the transfer."""
    monkeypatch.setattr(queue, "send_message", lambda _run: None)
    users = {"carla": ("Carla", "Craig"), "irene": ("Irene", "Ito")}
    for username, (first, last) in users.items():
        UserFactory.create(
            username=username,
            first_name=first,
            last_name=last,
            email=f"{username}@example.org",
            is_superuser=username == "carla",
            is_staff=username == "carla",
            security_profile=SecurityProfileFactory.create(permissions=READER, sees_all_studies=True),
        )
    with RunningSandbox(names=["na"]) as sandbox:
        yield build_world(crm=sandbox["na"])


def test_the_user_exception_report_of_the_documents_reaches_who_it_is_shared_with_when_a_transfer_fails(
    page: Page, vault: World, settings: Any
) -> None:
    activity = ActivityFactory.create(subject="A call with nobody that the CRM knows")
    vault.transfer()
    [item] = vault.list_exceptions()
    enter_as(page, "carla")
    create_report_type(page, name="Messages with items")
    create_report(page, report_type="Messages with items", item=item)
    report = Report.objects.get(name="User Exception Report", delivered_key=None)
    assert [each["field"] for each in report.filters] == ["status__v", "created_date__v", "integration__sys"]
    share_report(page, user="Irene Ito")
    schedule_report(page, report=report)
    # Alerts would be overdue, because here only flash reports are run.
    alerts = JobDefinition.objects.get(key=ALERT_JOB_KEY)
    alerts.status = RecordStatus.INACTIVE
    save_record(record=alerts, actor=build_admin_actor())
    # The time comes, and comes again after the person has an account.
    due = find_next_time(hour=6)
    with run_smtp_sink(settings) as sink:
        tick(due)
        mails = sink.take()
        vault.add_accounts([activity.person])
        vault.transfer()
        assert vault.list_exceptions() == []
        tick(due + dt.timedelta(days=1))
        later = sink.take()
    assert [to for to, _ in mails] == ["carla@example.org", "irene@example.org"]
    assert all(item.item in read_part(mail, "plain") for _, mail in mails)
    assert later == []


def create_report_type(page: Page, *, name: str) -> None:
    """Admin > Configuration > Report Types."""
    page.goto("/admin/reports/reporttype/add/")
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_label("Primary Reporting Object").select_option(label="User Exception Messages")
    page.get_by_label("Add Related Object").select_option(label="User Exception Items (Child)")
    page.get_by_role("button", name="Save", exact=True).click()


def create_report(page: Page, *, report_type: str, item: ExceptionItem) -> None:
    """Reports > Create, with a preview that follows each step."""
    page.goto("/")
    page.get_by_role("navigation", name="Main").last.get_by_role("link", name="Reports").click()
    page.get_by_role("link", name="Create").last.click()
    page.get_by_label("Report type").select_option(label=report_type)
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


def share_report(page: Page, *, user: str) -> None:
    """Sharing Settings of the report whose page is open."""
    page.get_by_role("link", name="Share", exact=True).click()
    page.get_by_label("User", exact=True).select_option(label=user)
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("rowheader", name=user)).to_be_visible()


def schedule_report(page: Page, *, report: Report) -> None:
    """Daily at 06:00, and only with records."""
    page.goto(f"/reports/{report.uid}/schedule/")
    page.get_by_label("Frequency").select_option(label="Weekly")
    expect(page.get_by_label("Weekday")).to_be_visible()
    page.get_by_label("Frequency").select_option(label="Daily")
    expect(page.get_by_label("Weekday")).to_be_hidden()
    expect(page.get_by_label("Day of the month")).to_be_hidden()
    page.get_by_label("Time", exact=False).first.fill("06:00")
    page.get_by_label("Email and Vault notification preferences").select_option(
        label="Only send when at least one record is returned"
    )
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Every day at 06:00 (UTC).", exact=True)).to_be_visible()


def find_next_time(*, hour: int) -> dt.datetime:
    """Return when clocks in UTC show the hour next."""
    now = get_now()
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today > now else today + dt.timedelta(days=1)


@pytest.fixture
def item(page: Page) -> ExceptionItem:
    """What a transfer could not send, and somebody who is logged in and may see it."""
    UserFactory.create(username="carla", is_superuser=True, is_staff=True, first_name="Carla", last_name="Craig")
    created = BUILDERS["exceptions_log.ExceptionItem"]()
    assert isinstance(created, ExceptionItem)
    enter_as(page, "carla")
    return created


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
