"""Job Status follows a run while an admin looks, and says so when it no longer can."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.leases import LeaseHandle, acquire_lease
from ctms.jobs.models import JobRun
from tests.admin_rows import create_job_run
from tests.browser.slowness import HeldRequests
from tests.factories.accounts import USER_PASSWORD, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

RUNNING = "/admin/jobs/jobrun/running/"


@pytest.fixture
def run() -> JobRun:
    return create_job_run(
        state=RunState.RUNNING, started_at=get_now() - timedelta(minutes=1), finished_at=None, result={}
    )


@pytest.fixture
def lease(run: JobRun) -> LeaseHandle:
    handle = acquire_lease(key=f"{run.definition.key}:{run.unit_key}", run=run)
    assert handle is not None
    handle.renew(progress={"study__v": {"done": 100, "total": 1000}})
    return handle


@pytest.fixture
def admin_page(page: Page) -> Page:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True, first_name="Ada", last_name="Adams")
    page.goto(RUNNING)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(USER_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(rf"^[^?]*{RUNNING}$"))  # the address of the log-in ends with it as well
    return page


def test_progress_is_followed_without_reloading_and_the_focus_stays(
    run: JobRun, lease: LeaseHandle, admin_page: Page
) -> None:
    page = admin_page
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "10")
    cancel = page.get_by_role("link", name=f"Cancel {run}")
    cancel.focus()
    lease.renew(progress={"study__v": {"done": 700, "total": 1000}})
    expect(bar).to_have_attribute("value", "70")
    expect(page.get_by_text("700 of 1,000")).to_be_visible()
    expect(cancel).to_be_focused()
    JobRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, finished_at=get_now())
    expect(page.get_by_text("Nothing runs.")).to_be_visible()


def test_an_admin_cancels_a_run(run: JobRun, lease: LeaseHandle, admin_page: Page) -> None:
    page = admin_page
    page.get_by_role("link", name=f"Cancel {run}").click()
    page.get_by_role("button", name="Cancel run").click()
    expect(page.get_by_text(f"{run} stops after its current batch.")).to_be_visible()
    expect(page.get_by_text("Is being cancelled")).to_be_visible()
    lease.renew()
    assert lease.is_cancelled


def test_who_has_been_logged_out_is_told_that_the_page_is_old(
    lease: LeaseHandle, admin_page: Page, page_problems: list[str]
) -> None:
    page = admin_page
    expect(page.get_by_text("what is shown is old")).to_be_hidden()
    page.context.clear_cookies()
    expect(page.get_by_text("what is shown is old")).to_be_visible()
    expect(page.get_by_text("100 of 1,000")).to_be_visible()
    page_problems.clear()


def test_a_click_that_is_half_done_when_the_progress_is_read_anew_counts(
    run: JobRun, lease: LeaseHandle, admin_page: Page
) -> None:
    held = HeldRequests(admin_page, f"**{RUNNING}")
    admin_page.get_by_role("link", name=f"Cancel {run}").hover()
    held.wait_for(1)
    admin_page.mouse.down()
    held.answer()
    admin_page.mouse.up()
    admin_page.wait_for_url(f"**/jobrun/{run.pk}/cancel/")
