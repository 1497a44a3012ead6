"""Study teams while the server is slow: what they type, tick and press before it answers is not lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from activities.choices import Channel
from ctms.accounts.models import ApiToken
from ctms.clinical.models import Person, StudySite
from tests.browser.sessions import enter_as
from tests.browser.slowness import HeldRequests
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import InvestigatorFactory, StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "/records/crm_activity__v/create/"
LIST = "/records/crm_activity__v/"


@pytest.fixture
def carla(page: Page) -> Page:
    """Her browser, logged in."""
    UserFactory.create(username="carla", is_superuser=True)
    enter_as(page, "carla")
    return page


@pytest.fixture
def berlin() -> StudySite:
    study = StudyFactory.create(name="CARDIO-301", study_name="Heart failure")
    for first_name in ("Hannah", "Heike", "Hugo"):
        InvestigatorFactory.create(first_name=first_name, last_name="Berg", email=f"{first_name}@charite.example")
    country = StudyCountryFactory.create(study=study)
    return StudySiteFactory.create(study_country=country, name="0142", site_name="Charité Berlin", city="Berlin")


def find_reference(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label, exact=True)


# -- References ---------------------------------------------------------------------------------------------------
def test_arrows_pressed_before_the_suggestions_are_there_move_among_them(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    held = HeldRequests(carla, "**/lookup/**")
    expect(find_reference(carla, "Person")).to_be_focused()
    carla.keyboard.type("berg")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        carla.keyboard.press(key)
    held.answer()
    expect(carla.locator(".listbox .active")).to_contain_text("Heike Berg")
    carla.keyboard.press("Enter")
    expect(carla.locator("[data-field=person__v] .chosen li")).to_have_text(["Heike Berg (Heike@charite.example)"])


def test_a_choice_that_comes_late_does_not_overwrite_what_is_typed_meanwhile(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    held = HeldRequests(carla, "**/lookup/site__v/**")
    find_reference(carla, "Site").focus()
    carla.keyboard.type("0142")
    carla.keyboard.press("Tab")
    find_reference(carla, "Study").focus()
    carla.keyboard.type("ONC")
    held.answer()
    expect(find_reference(carla, "Study country")).to_have_value("Germany")
    expect(find_reference(carla, "Study")).to_have_value("ONC")


# -- Forms --------------------------------------------------------------------------------------------------------
def test_what_is_typed_while_another_type_brings_its_fields_stays(carla: Page) -> None:
    carla.goto("/records/person__sys/create/?object_type__v=person__v")
    held = HeldRequests(carla, "**/records/person__sys/create/**")
    carla.get_by_label("Object type").select_option("Investigator")
    carla.get_by_label("Last name").focus()
    carla.keyboard.type("Zha")
    held.answer()
    expect(carla.locator("[name=shown_type]")).to_have_value("investigator__v")
    carla.keyboard.type("ng")
    expect(carla.get_by_label("Last name")).to_have_value("Zhang")

    # Chosen and chosen back before the answer: nothing is saved.
    carla.get_by_label("Object type").select_option("Person")
    carla.get_by_label("Object type").select_option("Investigator")
    held.answer_all()
    held.settle()
    assert Person.objects.count() == 0
    carla.get_by_role("button", name="Save", exact=True).click()
    expect(carla.get_by_role("heading", name="Zhang")).to_be_visible()
    assert [(each.last_name, each.object_type) for each in Person.objects.all()] == [("Zhang", "investigator__v")]


def test_two_clicks_create_one_token(carla: Page) -> None:
    carla.goto("/profile/")
    carla.get_by_label("Name").fill("Export")
    carla.get_by_role("button", name="Create token").dblclick()
    expect(carla.get_by_label("Your new token")).to_be_visible()
    assert ApiToken.objects.count() == 1


def test_quick_log_takes_what_is_typed_before_it_is_there(carla: Page, berlin: StudySite) -> None:
    carla.goto("/")
    held = HeldRequests(carla, "**/quick/**")
    carla.keyboard.press("l")
    carla.keyboard.type("hel")  # with another `l`, which opens nothing
    held.answer()
    person = carla.get_by_role("dialog").get_by_role("combobox", name="Person")
    expect(person).to_be_focused()
    carla.keyboard.type("lo")
    expect(person).to_have_value("hello")
    assert held.count == 0

    # What is typed while it is saved stays when it could not be.
    carla.get_by_role("dialog").get_by_role("button", name="Save", exact=True).click()
    subject = carla.get_by_role("dialog").get_by_label("Subject")
    subject.focus()
    carla.keyboard.type("Call")
    held.answer()
    expect(carla.get_by_role("dialog").locator("[aria-invalid=true]").first).to_be_visible()
    carla.keyboard.type(" back")
    expect(subject).to_have_value("Call back")


def test_what_is_created_in_place_takes_what_is_typed_before_it_is_there(carla: Page) -> None:
    carla.goto(CREATE)
    held = HeldRequests(carla, "**/create/?in_place=1**")
    carla.keyboard.type("Wei")
    carla.get_by_role("option", name="Create person").click()
    carla.keyboard.type("Wei")
    held.answer()
    dialog = carla.get_by_role("dialog", name="Create person")
    expect(dialog.locator(":focus")).to_have_value("Wei")
    expect(find_reference(carla, "Person")).to_have_value("Wei")


def test_enter_in_the_palette_before_the_search_answers_goes_to_the_only_result(carla: Page, berlin: StudySite) -> None:
    carla.goto("/")
    held = HeldRequests(carla, "**/search/**")
    carla.keyboard.press("Control+k")
    carla.keyboard.type("charité berlin")
    carla.keyboard.press("Enter")
    held.answer_all()
    carla.wait_for_url(f"**/records/site__v/{berlin.uid}/")


# -- The record page ----------------------------------------------------------------------------------------------
def open_site(page: Page, site: StudySite) -> None:
    page.goto(f"/records/site__v/{site.uid}/")


def find_field(page: Page, name: str) -> Locator:
    return page.locator(f"#field-{name}")


def open_field(page: Page, name: str) -> Locator:
    find_field(page, name).locator(".fact-edit").click()
    entry = find_field(page, name).get_by_role("textbox")
    expect(entry).to_be_focused()
    return entry


def test_who_types_into_one_field_is_not_called_back_when_another_is_saved(carla: Page, berlin: StudySite) -> None:
    open_site(carla, berlin)
    city, name = open_field(carla, "city__v"), open_field(carla, "site_name__v")
    held = HeldRequests(carla, "**/fields/**")
    city.fill("Bonn")
    city.press("Enter")
    name.fill("All")
    held.answer()
    expect(find_field(carla, "city__v")).to_contain_text("Bonn")
    carla.keyboard.type("ende")
    expect(name).to_have_value("Allende")


def test_a_field_that_is_opened_while_another_is_saved_takes_what_is_typed(carla: Page, berlin: StudySite) -> None:
    open_site(carla, berlin)
    city = open_field(carla, "city__v")
    held = HeldRequests(carla, "**/fields/**")
    city.fill("Bonn")
    city.press("Enter")
    find_field(carla, "external_id__v").locator("dd").dblclick(position={"x": 2, "y": 2})
    carla.keyboard.type("la /")  # each a shortcut outside of a field
    held.answer()
    expect(find_field(carla, "city__v")).to_contain_text("Bonn")
    held.answer()
    name = find_field(carla, "external_id__v").get_by_role("textbox")
    expect(name).to_be_focused()
    assert "la /" in name.input_value()
    expect(carla.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(("typed", "said"), [("0143", "Saved."), (" ", "Fill in Site number.")])
def test_what_is_typed_while_the_field_is_saved_stays(carla: Page, berlin: StudySite, typed: str, said: str) -> None:
    open_site(carla, berlin)
    name = open_field(carla, "name__v")
    held = HeldRequests(carla, "**/fields/**")
    name.fill(typed)
    name.press("Enter")
    name.fill("0144")
    held.answer()
    expect(find_field(carla, "name__v")).to_contain_text(said)
    expect(name).to_have_value("0144")
    held.answer_all()
    name.press("Enter")
    expect(name).to_have_count(0)
    berlin.refresh_from_db()
    assert berlin.name == "0144"


# -- Lists --------------------------------------------------------------------------------------------------------
@pytest.fixture
def activities(carla: Page) -> Page:
    """A list of three, of which two are calls."""
    for subject in ("First call", "Second call", "Visit"):
        ActivityFactory.create(subject=subject, channel=Channel.OTHER)
    carla.goto(LIST)
    return carla


def search(page: Page, text: str) -> HeldRequests:
    held = HeldRequests(page, f"**{LIST}?*")
    page.get_by_role("searchbox", name="Search activities").fill(text)
    held.wait_for(1)
    return held


def list_subjects(page: Page) -> list[str]:
    return page.locator('tbody [data-label="Subject"]').all_inner_texts()


def test_a_row_ticked_while_the_list_is_searched_stays_ticked(activities: Page) -> None:
    held = search(activities, "call")
    activities.locator("tr", has_text="Second call").locator(".tick-cell input").check()
    activities.locator("tr", has_text="Visit").locator(".tick-cell input").check()
    held.answer()
    expect(activities.locator("tbody tr")).to_have_count(2)
    expect(activities.locator("tr", has_text="Second call").locator(".tick-cell input")).to_be_checked()
    expect(activities.get_by_text("1 selected")).to_be_visible()


def test_a_filter_that_is_entered_while_the_list_is_searched_is_applied_to_what_is_found(activities: Page) -> None:
    held = search(activities, "call")
    activities.locator("summary", has_text="Add filter").click()
    activities.locator(".menu-holder[open]").get_by_role("link", name="Subject", exact=True).click()
    form = activities.locator("#filter-form")
    expect(form.locator("select:focus")).to_be_visible()  # it takes the focus once, when it has come
    entry = form.get_by_role("textbox").first
    entry.fill("Sec")
    held.answer()
    expect(activities.locator("tbody tr")).to_have_count(2)
    expect(entry).to_have_value("Sec")
    expect(entry).to_be_focused()
    held.answer_all()
    activities.keyboard.press("Enter")
    expect(activities.locator("tbody tr")).to_have_count(1)
    expect(activities.get_by_role("searchbox", name="Search activities")).to_have_value("call")


def test_a_heading_pressed_while_the_list_is_searched_sorts_what_is_found(activities: Page) -> None:
    held = search(activities, "call")
    activities.locator("thead").get_by_role("link", name="Subject").click()
    held.wait_for(2)
    held.answer_last()
    expect(activities.locator("tbody tr")).to_have_count(2)
    assert list_subjects(activities) == ["First call", "Second call"]
    held.answer_all()
    held.settle()
    expect(activities).to_have_url(re.compile("sort="))
    expect(activities.get_by_role("searchbox", name="Search activities")).to_have_value("call")
