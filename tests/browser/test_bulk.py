"""Bulk edit and import in a browser: from the list to the outcome, by pointer and keyboard."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User, UserSession
from ctms.clinical.models import Person
from ctms.jobs import queue, services
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import LONGEST_WAIT
from tests.factories.accounts import USER_PASSWORD, UserFactory
from tests.factories.activities import MedicalActivityFactory
from tests.factories.bulk import create_activities
from tests.factories.clinical import PersonFactory
from tests.factories.configuration import activate_medical_activities

pytestmark = pytest.mark.django_db(transaction=True)

WIDTHS = [360, 768, 1440, 2560]
FILE = (
    "Object type;First name;Last name;Email;External ID\n"
    "Investigator;Zoë;Müller;zoe@example.org;P-1\n"
    "Person;Ann;Jones;ann@example.org;P-2\n"
    "Person;Bob;Brown;bob(at)example.org;P-3\n"
    "Nurse;Cem;Demir;cem@example.org;P-4\n"
)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs that wait for a worker; `work` is one."""
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_message", sent.append)
    return sent


def work(waiting: list[int]) -> None:
    """Run what waits, once the server has queued it."""
    limit = time.monotonic() + LONGEST_WAIT
    while not waiting:
        assert time.monotonic() < limit, "nothing was queued"
        time.sleep(0.01)
    while waiting:
        services.execute_run(waiting.pop(0))


def log_in(page: Page) -> None:
    enter_as(page, "carla")


def check_page(page: Page) -> None:
    """No accessibility violation in either scheme, and nothing wider than the window at any width."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        assert find_violations(page) == []
    page.emulate_media(color_scheme="light")
    window = page.viewport_size
    widest = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        widest[width] = page.evaluate("document.documentElement.scrollWidth")
    assert widest == {width: width for width in WIDTHS}
    if window is not None:
        page.set_viewport_size(window)


def test_planned_calls_are_completed_in_bulk(page: Page, user: User, waiting: list[int]) -> None:
    activate_medical_activities()
    person = PersonFactory.create(first_name="Ann", last_name="Smith")
    create_activities(5, people=[person], channel=Channel.PHONE, complete=False)
    MedicalActivityFactory.create(person=person, channel=Channel.PHONE)
    log_in(page)
    page.goto("/records/crm_activity__v/?channel__v=phone__v")
    page.get_by_label("Select every row shown").check()
    page.get_by_role("button", name="Edit…").click()
    expect(page.get_by_role("heading", name="Edit 6 activities")).to_be_visible()
    page.get_by_label("Complete", exact=True).check()
    page.get_by_label("New value of Complete").select_option("Yes")
    page.get_by_label("Subject", exact=True).check()
    page.get_by_label("New value of Subject").fill("Protocol training")
    check_page(page)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("nobody changes it here")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Change 5 activities").click()
    expect(page.get_by_text("0 of 6 records")).to_be_visible()
    check_page(page)
    work(waiting)
    expect(page.get_by_text("5 changed, 1 not changed.")).to_be_visible()
    check_page(page)
    assert Activity.objects.filter(complete=True, subject="Protocol training").count() == 5
    page.get_by_role("link", name="To the list of activities").click()
    page.wait_for_url("**/records/crm_activity__v/?channel__v=phone__v")


def test_a_page_that_shows_progress_leads_to_the_log_in_when_the_session_has_ended(
    page: Page, user: User, waiting: list[int], page_problems: list[str]
) -> None:
    create_activities(2, people=[PersonFactory.create()], channel=Channel.PHONE, complete=False)
    log_in(page)
    page.goto("/records/crm_activity__v/")
    page.get_by_label("Select every row shown").check()
    page.get_by_role("button", name="Edit…").click()
    page.get_by_label("Complete", exact=True).check()
    page.get_by_label("New value of Complete").select_option("Yes")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Change 2 activities").click()
    expect(page.get_by_text("0 of 2 records")).to_be_visible()
    address = page.url
    UserSession.objects.all().delete()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page_problems.clear()  # the refusal of the request is told in the console
    page.get_by_label("Username").fill("carla")
    page.get_by_label("Password").fill(USER_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("0 of 2 records")).to_be_visible()
    assert page.url == address


def test_a_reference_is_chosen_by_typing_and_all_matching_are_changed(
    page: Page, user: User, waiting: list[int]
) -> None:
    person = PersonFactory.create(first_name="Ann", last_name="Smith")
    PersonFactory.create(first_name="Zoë", last_name="Müller", email="zoe@example.org")
    create_activities(30, people=[person], channel=Channel.PHONE)
    log_in(page)
    page.goto("/records/crm_activity__v/?size=25")
    page.get_by_label("Select every row shown").check()
    page.get_by_label("All 30 matching").check()
    page.get_by_role("button", name="Edit…").click()
    expect(page.get_by_text("These are all activities that you can see")).to_be_visible()
    page.get_by_label("Person", exact=True).check()
    page.get_by_label("New value of Person").fill("Müller")
    page.get_by_role("option", name="Zoë Müller (zoe@example.org)").click()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Change 30 activities").click()
    work(waiting)
    expect(page.get_by_text("30 changed.")).to_be_visible()
    assert Activity.objects.filter(person__last_name="Müller").count() == 30


def test_a_file_is_imported_after_its_errors_were_seen(
    page: Page, user: User, waiting: list[int], tmp_path: Path
) -> None:
    PersonFactory.create(first_name="Ann", last_name="Smith", email="ann@example.org", external_id="P-2")
    path = tmp_path / "investigators.csv"
    path.write_text(FILE)
    log_in(page)
    page.goto("/records/person__sys/import/")
    check_page(page)
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("heading", name="investigators.csv")).to_be_visible()
    problems = page.get_by_role("region", name="Errors", exact=True)
    expect(problems.get_by_role("row")).to_have_count(3)
    expect(problems).to_contain_text("“Nurse” is none of the object types: Person, Investigator.")
    expect(page.get_by_role("region", name="Table: what would be written")).to_contain_text("Smith Jones")
    check_page(page)
    page.get_by_label("Valid rows only").check()
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.get_by_text("0 of 4 rows")).to_be_visible()
    work(waiting)
    expect(page.get_by_text("1 created, 1 changed, 2 not imported.")).to_be_visible()
    check_page(page)
    assert set(Person.objects.values_list("external_id", "name")) == {("P-1", "Zoë Müller"), ("P-2", "Ann Jones")}


def test_a_refused_file_is_told_beside_the_field(page: Page, user: User, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"PK\x03\x04")
    log_in(page)
    page.goto("/records/person__sys/import/")
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("alert")).to_contain_text("The workbook cannot be read.")
    check_page(page)


def test_without_javascript_a_list_is_edited_in_bulk(page: Page, user: User, waiting: list[int]) -> None:
    person = PersonFactory.create()
    log_in(page)
    page.route("**/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto("/records/person__sys/")
    page.locator(f"input[name=uids][value='{person.uid}']").check()
    page.get_by_role("button", name="Edit…").click()
    page.get_by_label("Phone", exact=True).check()
    page.get_by_label("New value of Phone").fill("+49 30 1")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Change 1 person").click()
    work(waiting)
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("1 changed.")).to_be_visible()
