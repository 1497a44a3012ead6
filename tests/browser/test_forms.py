"""Forms as study teams use them: with the keyboard, with suggestions, in dialogs, and when two save at once."""

from __future__ import annotations

import datetime as dt
import re
import time

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.models import Person, StudySite
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import intercept
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import InvestigatorFactory, StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "/records/crm_activity__v/create/"
WIDTHS = [360, 768, 1440, 2560]


@pytest.fixture
def user() -> User:
    return UserFactory.create(
        username="carla", first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True
    )


@pytest.fixture
def berlin() -> StudySite:
    study = StudyFactory.create(name="CARDIO-301", study_name="Heart failure")
    leader = InvestigatorFactory.create(first_name="Hannah", last_name="Berg", email="berg@charite.example")
    return StudySiteFactory.create(
        study_country=StudyCountryFactory.create(study=study),
        name="0142",
        site_name="Charité Berlin",
        principal_investigator=leader,
    )


@pytest.fixture
def paris() -> StudySite:
    study = StudyFactory.create(name="ONC-204", study_name="Lung cancer")
    country = StudyCountryFactory.create(study=study, country="FR", name="France")
    leader = InvestigatorFactory.create(first_name="Amélie", last_name="Fontaine", email="fontaine@paris.example")
    return StudySiteFactory.create(
        study_country=country, name="0007", site_name="Hôpital Paris", principal_investigator=leader
    )


@pytest.fixture
def carla(page: Page, user: User) -> Page:
    """Her browser, logged in."""
    enter_as(page, "carla")
    page.goto("/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    return page


def find(page: Page, label: str) -> Locator:
    """A reference of the form."""
    return page.get_by_role("combobox", name=label, exact=True)


def get_options(page: Page) -> Locator:
    """The suggestions that are open; the choices of picklists have the same role."""
    return page.locator(".listbox:not([hidden]) [role=option]")


def list_offered(page: Page) -> list[str]:
    options = get_options(page)
    expect(options.first).to_be_visible()
    return [text.split("\n")[0] for text in options.all_inner_texts()]


def list_people(page: Page) -> Locator:
    """Who is chosen: an activity is saved for each."""
    return page.locator("[data-field=person__v] .chosen li")


def pick(page: Page, label: str, text: str) -> None:
    """Type and take the first that is offered, as soon as it answers what was typed."""
    find(page, label).fill(text)
    expect(get_options(page).first).to_contain_text(re.compile(text, re.IGNORECASE))
    page.keyboard.press("Enter")
    expect(find(page, label)).not_to_have_value(text)


def test_an_activity_is_logged_with_the_keyboard_alone(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    expect(find(carla, "Person")).to_be_focused()
    carla.keyboard.type("ber")
    expect(get_options(carla).first).to_contain_text("Hannah Berg (berg@charite.example)")
    expect(find(carla, "Person")).to_have_attribute("aria-expanded", "true")
    carla.keyboard.press("Tab")  # takes what is marked
    expect(list_people(carla)).to_have_text(["Hannah Berg (berg@charite.example)"])
    carla.get_by_label("Channel").select_option("Phone")
    find(carla, "Site").focus()
    carla.keyboard.type("014")
    expect(get_options(carla).first).to_contain_text("0142")
    carla.keyboard.press("Enter")
    expect(find(carla, "Study")).to_have_value("CARDIO-301 · Heart failure")
    expect(find(carla, "Study country")).to_have_value("Germany")
    carla.keyboard.press("Control+Enter")
    carla.wait_for_url(re.compile(r"/records/crm_activity__v/[0-9a-f-]{36}/$"))

    activity = Activity.objects.get()
    assert (activity.person, activity.site, activity.study) == (berlin.principal_investigator, berlin, berlin.study)


def test_suggestions_follow_the_arrow_keys_and_escape_closes_them(
    carla: Page, berlin: StudySite, paris: StudySite
) -> None:
    carla.goto(CREATE)
    person = find(carla, "Person")
    expect(person).to_be_focused()
    carla.keyboard.press("ArrowDown")
    assert list_offered(carla) == [
        "Amélie Fontaine (fontaine@paris.example)",
        "Hannah Berg (berg@charite.example)",
        "Create person…",
    ]
    carla.keyboard.press("ArrowDown")
    carla.keyboard.press("ArrowDown")
    expect(carla.locator(".listbox .active")).to_contain_text("Hannah Berg")
    expect(person).to_have_attribute("aria-activedescendant", "id_person__v_list_1")
    carla.keyboard.press("Escape")
    expect(person).to_have_attribute("aria-expanded", "false")
    expect(get_options(carla)).to_have_count(0)
    carla.keyboard.press("ArrowUp")
    expect(get_options(carla)).to_have_count(3)
    carla.keyboard.press("ArrowUp")
    carla.keyboard.press("ArrowUp")
    carla.keyboard.press("Enter")
    expect(list_people(carla)).to_have_text(["Hannah Berg (berg@charite.example)"])


def test_a_study_narrows_the_sites_and_another_study_empties_them(
    carla: Page, berlin: StudySite, paris: StudySite
) -> None:
    carla.goto(CREATE)
    pick(carla, "Study", "ONC")
    find(carla, "Site").click()
    assert list_offered(carla) == ["0007 · Hôpital Paris", "Create study site…"]
    carla.keyboard.press("ArrowDown")
    carla.keyboard.press("Enter")
    expect(find(carla, "Study country")).to_have_value("France")
    pick(carla, "Study", "CARDIO")
    expect(find(carla, "Site")).to_have_value("")
    expect(find(carla, "Study country")).to_have_value("")
    expect(
        carla.get_by_text("“0007 · Hôpital Paris” was removed: it belongs to ONC-204 · Lung cancer.")
    ).to_be_visible()
    find(carla, "Site").click()
    assert list_offered(carla) == ["0142 · Charité Berlin", "Create study site…"]


def test_what_is_missing_is_created_in_place_and_comes_back_chosen(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    carla.get_by_label("Subject").fill("Call")
    find(carla, "Person").click()
    carla.keyboard.type("nobody")
    carla.get_by_role("option", name="Create person “nobody”…").click()
    dialog = carla.get_by_role("dialog", name="Create person")
    expect(dialog.get_by_label("Last name")).to_have_value("nobody")
    dialog.get_by_label("Last name").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".errorlist")).to_have_text(["Fill in Last name."])
    dialog.get_by_label("First name").fill("Wei")
    dialog.get_by_label("Last name").fill("Zhang")
    dialog.get_by_label("Email").fill("zhang@x.example")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(list_people(carla)).to_have_text(["Wei Zhang (zhang@x.example)"])
    expect(carla.get_by_label("Subject")).to_have_value("Call")
    assert Person.objects.filter(last_name="Zhang").count() == 1


def test_quick_log_takes_seconds_and_says_what_was_saved(carla: Page, berlin: StudySite) -> None:
    carla.keyboard.press("l")
    dialog = carla.get_by_role("dialog", name="Log an activity")
    expect(dialog.get_by_role("combobox", name="Person")).to_be_focused()
    carla.keyboard.type("hannah")
    expect(dialog.get_by_role("option").first).to_contain_text("Hannah Berg")
    carla.keyboard.press("Enter")
    expect(list_people(carla)).to_have_text(["Hannah Berg (berg@charite.example)"])
    dialog.get_by_text("Phone", exact=True).click()
    dialog.get_by_label("Subject").fill("Call about visit 4")
    carla.keyboard.press("Control+Enter")
    expect(dialog).to_have_count(0)
    activity = Activity.objects.get()
    expect(carla.locator(".toast")).to_contain_text("Activity created: Call with Hannah Berg")
    assert (activity.subject, activity.channel, activity.date) == (
        "Call about visit 4",
        "phone__v",
        dt.datetime.now(tz=dt.UTC).date(),
    )
    carla.get_by_role("link", name="Call with Hannah Berg").first.click()
    carla.wait_for_url(f"**/records/crm_activity__v/{activity.uid}/")


def test_what_was_logged_quickly_is_undone_from_where_it_is_told(carla: Page, berlin: StudySite) -> None:
    carla.keyboard.press("l")
    dialog = carla.get_by_role("dialog", name="Log an activity")
    expect(dialog.get_by_role("combobox", name="Person")).to_be_focused()
    carla.keyboard.type("hannah")
    expect(dialog.get_by_role("option").first).to_contain_text("Hannah Berg")
    carla.keyboard.press("Enter")
    expect(list_people(carla)).to_have_text(["Hannah Berg (berg@charite.example)"])
    dialog.get_by_text("Phone", exact=True).click()
    carla.keyboard.press("Control+Enter")
    carla.locator(".toast").get_by_role("button", name="Undo").click()
    expect(carla.get_by_role("status").filter(has_text="Undone: 1 deleted.")).to_be_visible()
    assert not Activity.objects.exists()


def test_quick_log_keeps_what_was_typed_and_goes_on_with_save_and_create(carla: Page, berlin: StudySite) -> None:
    carla.keyboard.press("l")
    dialog = carla.get_by_role("dialog", name="Log an activity")
    dialog.get_by_label("Subject").fill("First")
    dialog.get_by_text("Email", exact=True).click()
    dialog.get_by_role("button", name="Save + Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text(
        "Person: Choose a person from the list, or type the exact name."
    )
    expect(dialog.get_by_label("Subject")).to_have_value("First")
    expect(dialog.get_by_role("radio", name="Email")).to_be_checked()
    pick(carla, "Person", "hannah")
    dialog.get_by_role("button", name="Save + Create").click()
    expect(dialog.get_by_label("Subject")).to_have_value("")
    expect(dialog.get_by_role("combobox", name="Person")).to_be_focused()
    carla.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert [each.subject for each in Activity.objects.all()] == ["First"]


def test_unsaved_changes_are_guarded_and_saved_ones_are_not(carla: Page, berlin: StudySite) -> None:
    activity = ActivityFactory.create(person=berlin.principal_investigator, subject="Call")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    carla.on("dialog", stay)
    url = f"/records/crm_activity__v/{activity.uid}/"
    carla.goto(f"{url}edit/")
    carla.get_by_role("link", name="Cancel").click()  # nothing was typed
    carla.wait_for_url(f"**{url}")
    carla.goto(f"{url}edit/")
    carla.get_by_label("Subject").fill("Visit")
    carla.get_by_role("link", name="Cancel").click()
    expect(carla.get_by_label("Subject")).to_have_value("Visit")
    assert asked == ["beforeunload"]
    carla.get_by_role("button", name="Save").click()
    carla.wait_for_url(f"**{url}")
    assert (asked, Activity.objects.get().subject) == (["beforeunload"], "Visit")


def answer_slowly(route: Route) -> None:
    time.sleep(0.3)
    route.continue_()


def test_enter_before_the_suggestions_are_there_chooses_the_only_one_and_saves_nothing(
    carla: Page, berlin: StudySite, paris: StudySite
) -> None:
    carla.goto(CREATE)
    intercept(carla, "**/lookup/**", answer_slowly)
    expect(find(carla, "Person")).to_be_focused()
    carla.keyboard.type("hannah")
    carla.keyboard.press("Enter")
    expect(list_people(carla)).to_have_text(["Hannah Berg (berg@charite.example)"])
    find(carla, "Site").focus()
    carla.keyboard.type("0")
    carla.keyboard.press("Enter")  # one of two: they are shown, and none is taken
    expect(get_options(carla)).to_have_count(3)
    expect(find(carla, "Site")).to_have_value("0")
    assert (carla.url.endswith(CREATE), Activity.objects.count()) == (True, 0)


def test_two_clicks_on_save_create_one_record(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    pick(carla, "Person", "hannah")
    carla.get_by_label("Channel").select_option("Phone")
    carla.get_by_role("button", name="Save", exact=True).dblclick()
    carla.wait_for_url(re.compile(r"/records/crm_activity__v/[0-9a-f-]{36}/$"))
    assert Activity.objects.count() == 1


def test_back_and_save_again_is_the_same_record(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    pick(carla, "Person", "hannah")
    carla.get_by_label("Channel").select_option("Phone")
    carla.get_by_label("Subject").fill("Call")
    carla.get_by_role("button", name="Save", exact=True).click()
    carla.wait_for_url(re.compile(r"/records/crm_activity__v/[0-9a-f-]{36}/$"))
    saved = carla.url
    carla.go_back()
    expect(carla.get_by_label("Subject")).to_have_value("Call")
    expect(list_people(carla)).to_have_text(["Hannah Berg (berg@charite.example)"])
    carla.get_by_role("button", name="Save", exact=True).click()
    carla.wait_for_url(saved)
    expect(carla.get_by_text("Activity had been created already, and not again")).to_be_visible()
    carla.go_back()
    carla.get_by_label("Subject").fill("Second call")
    carla.get_by_role("button", name="Save", exact=True).click()
    expect(carla.get_by_text("This form was saved already")).to_be_visible()
    assert (Activity.objects.count(), find_violations(carla)) == (1, [])
    carla.get_by_role("button", name="Save", exact=True).click()
    carla.wait_for_url(re.compile(r"/records/crm_activity__v/[0-9a-f-]{36}/$"))
    assert sorted(Activity.objects.values_list("subject", flat=True)) == ["Call", "Second call"]


def test_quick_log_whose_answer_was_lost_is_saved_once(
    carla: Page, berlin: StudySite, page_problems: list[str]
) -> None:
    carla.keyboard.press("l")
    dialog = carla.get_by_role("dialog", name="Log an activity")
    pick(carla, "Person", "hannah")
    dialog.get_by_text("Phone", exact=True).click()

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    intercept(carla, "**/quick/", lose, times=1)
    carla.keyboard.press("Control+Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("the server did not answer")
    page_problems.clear()  # the console tells of it
    carla.keyboard.press("Control+Enter")
    expect(dialog).to_have_count(0)
    expect(carla.locator(".toast")).to_contain_text("Activity had been created already, and not again")
    assert Activity.objects.count() == 1


def test_an_unusual_date_is_confirmed_by_keyboard(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    pick(carla, "Person", "hannah")
    carla.get_by_label("Channel").select_option("Phone")
    carla.get_by_label("Date").fill("2099-01-01")
    carla.keyboard.press("Control+Enter")
    question = carla.get_by_role("checkbox", name=re.compile("1 Jan 2099 is a long time from now"))
    expect(question).to_be_focused()
    assert find_violations(carla) == []
    carla.keyboard.press("Space")
    carla.keyboard.press("Control+Enter")
    carla.wait_for_url(re.compile(r"/records/crm_activity__v/[0-9a-f-]{36}/$"))
    assert str(Activity.objects.get().date) == "2099-01-01"


def test_the_cursor_goes_to_the_field_that_is_wrong_and_the_summary_leads_to_each(
    carla: Page, berlin: StudySite
) -> None:
    carla.goto(CREATE)
    pick(carla, "Person", "hannah")
    carla.get_by_role("button", name="Save", exact=True).click()
    expect(carla.get_by_label("Channel")).to_be_focused()
    carla.goto("/records/crm_activity__v/quick/")
    carla.get_by_label("Date", exact=True).fill("")
    carla.get_by_role("button", name="Save", exact=True).click()
    expect(find(carla, "Person")).to_be_focused()
    carla.get_by_role("alert").get_by_role("link", name="Date").click()
    expect(carla.get_by_label("Date", exact=True)).to_be_focused()


def test_what_was_typed_is_taken_over_into_the_form_in_place(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    find(carla, "Person").click()
    carla.keyboard.type("Zoë O'Connor-Łukasz")
    carla.get_by_role("option", name="Create person “Zoë O'Connor-Łukasz”…").click()
    dialog = carla.get_by_role("dialog", name="Create person")
    expect(dialog.get_by_label("First name")).to_have_value("Zoë")
    expect(dialog.get_by_label("Last name")).to_have_value("O'Connor-Łukasz")
    carla.keyboard.press("Control+Enter")
    expect(dialog).to_have_count(0)
    expect(list_people(carla)).to_have_text(["Zoë O'Connor-Łukasz"])
    assert [(each.first_name, each.last_name) for each in Person.objects.filter(first_name="Zoë")] == [
        ("Zoë", "O'Connor-Łukasz")
    ]


def test_another_object_type_brings_its_fields_and_keeps_what_was_typed(carla: Page) -> None:
    carla.goto("/records/person__sys/create/")
    carla.get_by_role("link", name="Person", exact=True).last.click()
    carla.get_by_label("Last name").fill("Zhang")
    carla.get_by_label("Object type").select_option("Investigator")
    expect(carla.locator("[name=shown_type]")).to_have_value("investigator__v")
    expect(carla.get_by_label("Last name")).to_have_value("Zhang")
    carla.get_by_role("button", name="Save", exact=True).click()
    carla.wait_for_url(re.compile(r"/records/person__sys/[0-9a-f-]{36}/$"))
    assert [(each.last_name, each.object_type) for each in Person.objects.all()] == [("Zhang", "investigator__v")]


def test_a_conflict_shows_both_versions_side_by_side(carla: Page, berlin: StudySite) -> None:
    activity = ActivityFactory.create(person=berlin.principal_investigator, subject="Call")
    carla.goto(f"/records/crm_activity__v/{activity.uid}/edit/")
    carla.get_by_label("Subject").fill("My call")
    carla.get_by_label("Notes").fill("Typed for an hour")
    activity.subject = "Their call"
    save_record(
        record=activity, actor=Actor(user=UserFactory.create(first_name="Jonas", last_name="Weber"), source="page")
    )
    carla.get_by_role("button", name="Save").click()
    expect(carla.get_by_role("heading", name="Somebody else saved this meanwhile")).to_be_visible()
    expect(carla.get_by_role("radio", name="Notes: Yours, Typed for an hour")).to_be_checked()
    expect(carla.get_by_role("radio", name="Subject: Yours, My call")).not_to_be_checked()
    assert find_violations(carla) == []
    carla.get_by_text("My call").click()
    carla.get_by_role("button", name="Save what is chosen").click()
    carla.wait_for_url(f"**/records/crm_activity__v/{activity.uid}/")
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.version) == ("My call", "Typed for an hour", 3)


PAGES = {
    "form": CREATE,
    "types": "/records/monitoring_event__ctms/create/",
    "quick": "/records/crm_activity__v/quick/",
    "search": "/search/?q=e",
    "nothing found": "/search/?q=nobody",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_axe_finds_no_violation(carla: Page, berlin: StudySite, path: str, scheme: str) -> None:
    carla.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    carla.goto(path)
    assert find_violations(carla) == []


def test_axe_finds_no_violation_in_open_suggestions_and_errors(carla: Page, berlin: StudySite) -> None:
    carla.goto(CREATE)
    carla.get_by_role("button", name="Save", exact=True).click()
    expect(carla.get_by_role("alert")).to_contain_text("Person: Choose a person from the list, or type the exact name.")
    find(carla, "Site").click()
    expect(get_options(carla).first).to_be_visible()
    assert find_violations(carla) == []


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_nothing_is_wider_than_the_window(carla: Page, berlin: StudySite, path: str) -> None:
    carla.goto(path)
    widest = {}
    for width in WIDTHS:
        carla.set_viewport_size({"width": width, "height": 800})
        widest[width] = carla.evaluate("document.documentElement.scrollWidth")
    assert widest == {width: width for width in WIDTHS}
