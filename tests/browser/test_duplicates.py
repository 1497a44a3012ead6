"""Somebody who is about to create a person twice is told while typing, and takes the one that is there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="carla", is_superuser=True)


def test_a_person_that_is_there_is_shown_while_typing(page: Page, user: User) -> None:
    person = PersonFactory.create(first_name="Zoë", last_name="Weiß", email="zoe@example.org")
    enter_as(page, user.username)
    page.goto("/records/person__sys/create/?object_type__v=person__v")
    page.get_by_label("First name").fill("zoe")
    page.get_by_label("Last name").fill("Weiss")
    told = page.get_by_text("Is it this one?")
    expect(told).to_be_visible()
    expect(page.get_by_text("Same name")).to_be_visible()
    page.get_by_role("link", name="Use this one").click()
    expect(page).to_have_url(re.compile(f"/records/person__sys/{person.uid}/$"))


def test_in_the_dialog_the_form_takes_the_one_that_is_there(page: Page, user: User) -> None:
    PersonFactory.create(first_name="Zoë", last_name="Weiß", email="zoe@example.org")
    enter_as(page, user.username)
    page.goto("/records/crm_activity__v/create/?object_type__v=clinical_activity__v")
    box = page.get_by_role("combobox", name="Person", exact=True)
    box.fill("Nobody like that")
    page.get_by_role("option", name="Create person").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Email").fill("ZOE@example.org")
    dialog.get_by_role("link", name="Use this one").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("[data-field=person__v] .chosen li")).to_have_text(["Zoë Weiß (zoe@example.org)"])


def test_two_persons_are_merged(page: Page, user: User) -> None:
    winner = PersonFactory.create(first_name="Ann", last_name="Lee", phone="")
    PersonFactory.create(first_name="Anne", last_name="Lee", phone="+49 30 123")
    enter_as(page, user.username)
    page.goto(f"/records/person__sys/{winner.uid}/")
    page.get_by_text("Actions", exact=True).click()
    page.get_by_role("link", name="Merge with another").click()
    page.get_by_label("Find the other person").fill("Lee")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Anne Lee").click()
    expect(page.get_by_role("radio", name="Phone: of the one that goes, +49 30 123")).to_be_checked()
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_text("Anne Lee was merged into Ann Lee")).to_be_visible()
