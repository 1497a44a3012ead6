"""Undo in a browser: with one click after a change, and from history after a look at what would be put back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from tests.browser.sessions import enter_as
from tests.browser.test_bulk import check_page, waiting, work
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["waiting"]


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")


@pytest.fixture
def person() -> Person:
    return PersonFactory.create(first_name="Ann", last_name="Smith")


def test_a_field_saved_in_place_is_undone_and_done_again(page: Page, user: User, person: Person) -> None:
    activity = ActivityFactory.create(person=person, subject="Call about the protocol")
    enter_as(page, "carla")
    page.goto(f"/records/crm_activity__v/{activity.uid}/")
    page.get_by_role("link", name="Edit Subject").click()
    page.get_by_label("Subject", exact=True).fill("Visit")
    page.get_by_role("button", name="Save").click()
    saved = page.get_by_role("status").filter(has_text="Subject was saved.")
    expect(saved).to_be_visible()
    check_page(page)
    saved.get_by_role("button", name="Undo").click()
    done = page.get_by_role("status").filter(has_text="Undone: 1 changed.")
    expect(done).to_be_visible()
    assert Activity.objects.get().subject == "Call about the protocol"
    check_page(page)
    done.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="Undone: 1 changed.")).to_be_visible()
    assert Activity.objects.get().subject == "Visit"


def test_a_deletion_is_taken_back_from_the_list_and_later_from_own_changes(
    page: Page, user: User, person: Person
) -> None:
    activity = ActivityFactory.create(person=person, subject="Call about the protocol")
    enter_as(page, "carla")
    page.goto(f"/records/crm_activity__v/{activity.uid}/delete/")
    page.get_by_role("button", name="Delete activity").click()
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="Undone: 1 brought back.")).to_be_visible()
    assert Activity.objects.get().uid == activity.uid
    page.goto(f"/records/crm_activity__v/{activity.uid}/delete/")
    page.get_by_role("button", name="Delete activity").click()
    expect(page.get_by_role("status").get_by_role("button", name="Undo")).to_be_visible()
    page.goto("/changes/")
    check_page(page)
    page.get_by_role("button", name="Undo: Activity deleted").first.click()
    expect(page.get_by_text("Bring back", exact=True)).to_be_visible()
    check_page(page)


def test_of_a_bulk_edit_what_others_changed_since_stays(
    page: Page, user: User, person: Person, waiting: list[int]
) -> None:
    activities = create_activities(3, people=[person], complete=False)
    enter_as(page, "carla")
    page.goto("/records/crm_activity__v/")
    page.get_by_label("Select every row shown").check()
    page.get_by_role("button", name="Edit…").click()
    page.get_by_label("Subject", exact=True).check()
    page.get_by_label("New value of Subject").fill("Protocol training")
    page.get_by_role("button", name="Preview").click()
    fresh = Activity.objects.get(pk=activities[0].pk)
    fresh.subject = "Somebody else's"
    save_record(record=fresh, actor=build_admin_actor())
    page.reload()
    expect(page.get_by_text("Changed meanwhile")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("button", name="Change 3 activities").click()
    work(waiting)
    expect(page.get_by_text("3 changed.")).to_be_visible()
    fresh.refresh_from_db()
    fresh.subject = "Somebody else's again"
    save_record(record=fresh, actor=build_admin_actor())
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Ada Admin changed this on")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Undo 2 records").click()
    work(waiting)
    expect(page.get_by_text("2 changed, 1 not undone.")).to_be_visible()
    check_page(page)
    assert set(Activity.objects.values_list("subject", flat=True)) == {
        "Somebody else's again",
        activities[1].subject,
        activities[2].subject,
    }
