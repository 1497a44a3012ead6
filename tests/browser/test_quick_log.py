"""Logging from where one is: the right person, site and study, with few keys, far from the server."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from django.utils.formats import date_format
from playwright.sync_api import Locator, Page, expect

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.choices import TeamRole
from ctms.clinical.models import Person, StudySite
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import HeldRequests
from tests.browser.test_a_cras_day import LATENCY, Effort
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityTemplateFactory
from tests.factories.clinical import (
    InvestigatorFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def carla() -> User:
    return UserFactory.create(username="carla", is_superuser=True, first_name="Carla", last_name="Craig")


def create_namesake(number: int, site: StudySite) -> Person:
    person = PersonFactory.create(first_name="Diego", last_name="Peña", email=f"pena{number}@x.example")
    StudyPersonFactory.create(person=person, study=site.study, study_country=site.study_country, site=site)
    return person


@pytest.fixture
def site(carla: User) -> StudySite:
    """A site in Buenos Aires with five people; its investigator has three namesakes elsewhere."""
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study)
    country = StudyCountryFactory.create(study=study)
    leader = InvestigatorFactory.create(first_name="Diego", last_name="Peña", email="pena@hospital.example")
    found = StudySiteFactory.create(
        study_country=country, name="03201", city="Buenos Aires", owner=carla, principal_investigator=leader
    )
    other = StudySiteFactory.create(study_country=country, name="00100", city="Austin")
    for number in range(3):
        create_namesake(number, other)
    for name in ("Ana", "Berta", "Clara", "Dora"):
        person = PersonFactory.create(first_name=name, last_name="Nurse", email=f"{name}@x.example")
        StudyPersonFactory.create(
            person=person, study=study, study_country=country, site=found, team_role=TeamRole.STUDY_COORDINATOR
        )
    return found


@pytest.fixture
def near(page: Page, site: StudySite) -> Effort:
    """Carla on the page of the site, logged in. Where requests are held, nothing else makes the network slow."""
    enter_as(page, "carla")
    page.goto(f"/records/site__v/{site.uid}/")
    return Effort(page=page)


@pytest.fixture
def effort(near: Effort) -> Effort:
    """Carla there, far from the server."""
    page = near.page
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    return near


def get_options(page: Page) -> Locator:
    return page.locator("#quick-log .listbox:not([hidden]) [role=option]")


def list_saved() -> list[Any]:
    names = ("person__email", "channel", "site__name", "study__name", "subject", "complete")
    return list(Activity.objects.order_by("person__email").values_list(*names))


def test_a_call_from_the_page_of_the_site_takes_three_keys_and_its_subject(effort: Effort, site: StudySite) -> None:
    page = effort.page
    effort.press("l")
    first = get_options(page).first
    expect(first).to_contain_text("Diego Peña (pena@hospital.example)")
    expect(first).to_contain_text("Principal investigator, 03201, Buenos Aires")
    expect(first).to_have_class("active")
    assert find_violations(page) == []
    effort.press("Tab")
    expect(page.get_by_label("Subject")).to_be_focused()
    page.keyboard.type("Visit 4 moved")
    effort.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Call with Diego Peña, site 03201")
    expect(page.locator(".toast").get_by_role("button", name="Undo")).to_be_visible()
    assert list_saved() == [
        ("pena@hospital.example", Channel.PHONE, "03201", "CARDIO-301", "Visit 4 moved", True),
    ]
    assert (effort.clicks, effort.keys) == (0, 3)


def test_the_people_of_the_site_come_before_their_namesakes(effort: Effort) -> None:
    page = effort.page
    page.keyboard.press("l")
    page.keyboard.type("diego")
    expect(get_options(page).filter(has_text="Peña")).to_have_count(4)
    texts = [text.replace("\n", " ") for text in get_options(page).all_inner_texts()[:4]]
    assert "Principal investigator, 03201, Buenos Aires" in texts[0]
    assert all("00100, Austin" in text for text in texts[1:])


def test_the_same_email_with_five_people_takes_five_clicks(effort: Effort) -> None:
    page = effort.page
    dialog = page.locator("#quick-log")
    effort.click(page.get_by_text("Create", exact=True).first)
    effort.click(page.get_by_role("link", name="Log an activity"))
    expect(dialog.get_by_label("Notes")).to_be_visible()
    effort.click(dialog.get_by_role("button", name="All people of the site"))
    expect(dialog.locator(".chosen li")).to_have_count(5)
    effort.click(dialog.get_by_text("Email", exact=True))
    dialog.get_by_label("Subject").fill("Newsletter")
    assert find_violations(page) == []
    effort.click(dialog.get_by_role("button", name="Save", exact=True))
    expect(page.locator(".toast")).to_contain_text("5 activities created: Diego Peña, Ana Nurse")
    saved = list_saved()
    assert {each[1:] for each in saved} == {(Channel.EMAIL, "03201", "CARDIO-301", "Newsletter", True)}
    assert len(saved) == 5
    assert effort.clicks <= 5


def test_the_same_email_with_five_people_by_keyboard_alone(effort: Effort) -> None:
    page = effort.page
    effort.press("l", "Alt+a")
    expect(page.locator("#quick-log .chosen li")).to_have_count(5)
    effort.press("Tab")
    expect(page.get_by_label("Subject")).to_be_focused()
    effort.enter("Newsletter")
    expect(page.locator("#quick-log").get_by_label("Notes")).to_be_visible()
    effort.press("Tab", "ArrowRight", "ArrowRight", "Control+Enter")
    expect(page.locator(".toast")).to_contain_text("5 activities created")
    assert {each[1] for each in list_saved()} == {Channel.EMAIL}
    assert (effort.clicks, effort.keys) == (0, 8)


def test_complete_follows_the_date_until_the_user_decides(effort: Effort) -> None:
    page = effort.page
    page.keyboard.press("l")
    dialog = page.locator("#quick-log")
    complete, date = dialog.get_by_label("Complete"), dialog.get_by_label("Date", exact=True)
    expect(complete).to_be_checked()
    today = timezone.localdate()
    date.fill((today + dt.timedelta(days=3)).isoformat())
    expect(complete).not_to_be_checked()
    date.fill((today - dt.timedelta(days=3)).isoformat())
    expect(complete).to_be_checked()
    complete.uncheck()
    date.fill(today.isoformat())
    expect(complete).not_to_be_checked()


def test_from_a_persons_page_the_subject_is_typed_at_once(near: Effort, site: StudySite) -> None:
    page = near.page
    role = site.study_people.get(person__first_name="Berta")
    page.goto(f"/records/study_person__clin/{role.uid}/")
    held = HeldRequests(page, "**/quick/**")
    page.keyboard.press("l")
    expect(page.get_by_label("Subject")).to_be_focused()
    page.keyboard.type("All is well")
    page.keyboard.press("Control+Enter")  # before the form is there
    held.answer_all()
    expect(page.locator(".toast")).to_contain_text("Call with Berta Nurse, site 03201")
    assert list_saved() == [("Berta@x.example", Channel.PHONE, "03201", "CARDIO-301", "All is well", True)]


def test_whoever_is_typed_and_chosen_while_it_loads_stays(near: Effort) -> None:
    page = near.page
    held = HeldRequests(page, "**/quick/**")
    page.keyboard.press("l")
    page.keyboard.type("clara")
    expect(get_options(page).first).to_contain_text("Clara Nurse")
    page.keyboard.press("Tab")
    page.keyboard.type("Half of ")
    held.answer()
    expect(page.get_by_label("Subject")).to_be_focused()
    page.keyboard.type("it")
    expect(page.get_by_label("Subject")).to_have_value("Half of it")
    expect(page.locator("#quick-log .chosen li")).to_have_text(["Clara Nurse (Clara@x.example)"])
    expect(page.locator("#quick-log").get_by_role("combobox", name="Site")).to_have_value("03201 · Hospital 03201")


def test_suggestions_that_are_open_when_the_form_comes_stay_open(near: Effort) -> None:
    page = near.page
    held = HeldRequests(page, "**/quick/**")
    page.keyboard.press("l")
    expect(get_options(page).first).to_contain_text("Diego Peña")
    held.answer()
    expect(page.locator("#quick-log").get_by_label("Notes")).to_be_visible()
    expect(get_options(page).first).to_contain_text("Diego Peña")
    page.keyboard.press("Enter")
    expect(page.locator("#quick-log .chosen li")).to_have_text(["Diego Peña (pena@hospital.example)"])


def test_it_opens_while_scripts_of_the_page_are_on_their_way(near: Effort) -> None:
    page = near.page
    held = HeldRequests(page, "**/combobox*.js")
    keyboard = page.keyboard
    page.reload(wait_until="commit")
    held.wait_for(1)
    held.wait_until("window.vault !== undefined")
    keyboard.press("l")
    expect(page.locator("#quick-log")).to_be_visible()
    held.answer_all()
    expect(get_options(page).first).to_contain_text("Diego Peña")
    expect(page.locator("#quick-log").get_by_label("Notes")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#quick-log .chosen li")).to_have_text(["Diego Peña (pena@hospital.example)"])


def test_the_next_call_is_planned_with_one_more_choice(effort: Effort, carla: User) -> None:
    page = effort.page
    dialog = page.locator("#quick-log")
    page.keyboard.press("l")
    page.keyboard.type("clara")
    expect(get_options(page).first).to_contain_text("Clara Nurse")
    page.keyboard.press("Tab")
    page.keyboard.type("Call")
    expect(dialog.get_by_label("What is to be done")).to_be_hidden()
    dialog.get_by_text("2 weeks").click()
    dialog.get_by_label("What is to be done").fill("Ask again")
    expect(dialog.get_by_label("On", exact=True)).to_be_hidden()
    assert find_violations(page) == []
    page.keyboard.press("Control+Enter")
    day = timezone.localdate() + dt.timedelta(weeks=2)
    expect(page.locator(".toast")).to_contain_text(f"Next step planned for {date_format(day)}.")
    planned = Activity.objects.get(complete=False)
    assert (planned.subject, planned.date, planned.owner) == ("Ask again", day, carla)
    assert planned.site is not None
    assert planned.site.name == "03201"


def test_a_template_fills_what_nobody_has_typed(effort: Effort, site: StudySite) -> None:
    page = effort.page
    dialog = page.locator("#quick-log")
    words = {"subject": "Monthly call", "notes": "Recruitment:\nOpen queries:", "channel": Channel.EMAIL}
    ActivityTemplateFactory.create(study=site.study, name="Monthly", **words)
    ActivityTemplateFactory.create(study=site.study, name="Query", subject="Open queries", notes="Query:")
    page.keyboard.press("l")
    dialog.get_by_role("link", name="Monthly").click()
    expect(dialog.get_by_label("Subject")).to_have_value("Monthly call")
    expect(dialog.get_by_label("Notes")).to_have_value("Recruitment:\nOpen queries:")
    expect(dialog.get_by_role("radio", name="Email")).to_be_checked()
    dialog.get_by_label("Notes").fill("Recruitment: twelve")
    dialog.get_by_role("link", name="Query").click()
    expect(dialog.get_by_label("Subject")).to_have_value("Open queries")
    expect(dialog.get_by_label("Notes")).to_have_value("Recruitment: twelve")
    expect(dialog.get_by_role("status").filter(has_text="What you typed was kept")).to_have_count(1)
    assert find_violations(page) == []


def test_templates_come_with_the_study_that_is_chosen(effort: Effort, site: StudySite) -> None:
    page = effort.page
    ActivityTemplateFactory.create(study=site.study, name="Monthly")
    page.goto("/records/crm_activity__v/create/")
    expect(page.get_by_role("link", name="Monthly")).to_be_hidden()
    page.get_by_role("combobox", name="Site", exact=True).fill("03201")
    expect(page.locator(".listbox:not([hidden]) [role=option]").first).to_contain_text("03201")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Monthly").click()
    expect(page.get_by_label("Subject", exact=True)).to_have_value("Monthly call")


def test_the_same_call_by_mouse_alone(effort: Effort) -> None:
    page = effort.page
    dialog = page.locator("#quick-log")
    effort.click(page.get_by_text("Create", exact=True).first)
    effort.click(page.get_by_role("link", name="Log an activity"))
    effort.click(get_options(page).first)
    expect(dialog.locator(".chosen li")).to_have_text(["Diego Peña (pena@hospital.example)"])
    dialog.get_by_label("Subject").fill("Visit 4 moved")
    effort.click(dialog.get_by_role("button", name="Save", exact=True))
    expect(page.locator(".toast")).to_contain_text("Call with Diego Peña, site 03201")
    assert list_saved() == [("pena@hospital.example", Channel.PHONE, "03201", "CARDIO-301", "Visit 4 moved", True)]
    assert (effort.clicks, effort.keys) == (4, 0)
