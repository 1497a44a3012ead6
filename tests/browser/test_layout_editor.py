"""An admin arranges a record page: by dragging, by keyboard, without scripts, and sees it beside the editor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ctms.configuration.models import CustomField, PageLayout
from ctms.configuration.selectors import read_sections
from ctms.configuration.services import save_layout
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.browser.slowness import intercept
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = "#layout-status"
DETAILS = ["name__v", "study_name__v", "protocol_title__v", "sponsor__v", "study_phase__v", "state__v", "status__v"]
WIDTHS = [390, 768, 1024, 1440, 2560]


@pytest.fixture(autouse=True)
def _admin() -> None:
    UserFactory.create(username="ada", is_staff=True, is_superuser=True)


@pytest.fixture
def plain_page(browser: Browser, base_url: str) -> Iterator[Page]:
    """A page in which no script runs."""
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    yield context.new_page()
    context.close()


def get_layout() -> PageLayout:
    return PageLayout.objects.get(of_object="study__v")


def log_in(page: Page) -> None:
    enter_as(page, "ada")


def open_editor(page: Page) -> None:
    log_in(page)
    page.goto(f"/admin/configuration/pagelayout/{get_layout().pk}/change/")
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()


def find_section(page: Page, title: str) -> Locator:
    return page.locator(f'[data-section][aria-label="{title}"]')


def read_items(page: Page, title: str) -> list[str]:
    return [str(row.get_attribute("data-item")) for row in find_section(page, title).locator("[data-item]").all()]


def read_preview(page: Page, title: str) -> list[str]:
    card = page.locator(".preview-card").filter(has=page.get_by_role("heading", name=title, exact=True))
    return [text.strip() for text in card.locator("dt, th").all_inner_texts()]


def find_item(page: Page, section: str, name: str) -> Locator:
    return find_section(page, section).locator(f'[data-item="{name}"]')


def drag(page: Page, handle: Locator, target: Locator, *, to_top: bool = True) -> None:
    """From the handle to the upper or lower part of the target, as a hand does it: in steps."""
    # Not at the edge of the window, where a drag scrolls.
    target.evaluate("element => element.scrollIntoView({block: 'center'})")
    start, end = handle.bounding_box(), target.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    y = end["y"] + (4 if to_top else end["height"] - 4)
    page.mouse.move(end["x"] + end["width"] / 2, y, steps=8)
    expect(page.locator(".vault-drop")).to_be_visible()
    page.mouse.up()
    expect(page.locator(".vault-ghost")).to_have_count(0)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Study page layout was saved.")).to_be_visible()


# -- By pointer ------------------------------------------------------------------------------------
def test_a_field_is_dragged_within_its_section_into_another_and_from_the_palette(page: Page) -> None:
    open_editor(page)
    handle = find_item(page, "Study Details", "status__v").locator("[data-drag]")
    drag(page, handle, find_item(page, "Study Details", "name__v"))
    expect(page.locator(STATUS)).to_have_text("Status: position 1 of 7 in Study Details.")
    assert read_items(page, "Study Details") == ["status__v", *DETAILS[:-1]]

    handle = find_item(page, "Study Details", "sponsor__v").locator("[data-drag]")
    drag(page, handle, find_item(page, "Dates", "planned_start_date__v"), to_top=False)
    expect(page.locator(STATUS)).to_have_text("Sponsor: position 2 of 5 in Dates.")
    assert read_preview(page, "Dates")[:2] == ["Planned start", "Sponsor"]

    handle = page.locator('[data-palette="uid__sys"] [data-drag]')
    drag(page, handle, find_item(page, "Study Details", "status__v"))
    expect(page.locator(STATUS)).to_have_text("UID: position 1 of 7 in Study Details.")
    expect(page.locator('[data-palette="uid__sys"]')).to_have_count(0)

    save(page)
    first, second, *_ = read_sections(get_layout())
    assert (first.items[:2], second.items[:2]) == (("uid__sys", "status__v"), ("planned_start_date__v", "sponsor__v"))


def test_a_section_is_dragged_and_a_column_stays_in_its_own(page: Page) -> None:
    open_editor(page)
    handle = find_section(page, "Dates").locator(".vault-layout-head [data-drag]")
    drag(page, handle, find_section(page, "Study Details"))
    expect(page.locator(STATUS)).to_have_text("Dates: section 1 of 8.")

    column = find_item(page, "Study Countries", "status__v")
    handle, target = column.locator("[data-drag]"), find_item(page, "Study Countries", "name__v")
    drag(page, handle, target)
    expect(page.locator(STATUS)).to_have_text("Status: position 1 of 3 in Study Countries.")
    assert read_preview(page, "Study Countries") == ["Status", "Name", "Study"]


def test_escape_gives_a_drag_up(page: Page) -> None:
    open_editor(page)
    box = find_item(page, "Study Details", "status__v").locator("[data-drag]").bounding_box()
    target = find_item(page, "Study Details", "name__v").bounding_box()
    assert box is not None
    assert target is not None
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(target["x"] + 40, target["y"] + 4, steps=4)
    expect(page.locator(".vault-drop")).to_be_visible()
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".vault-drop, .vault-ghost, .is-dragged")).to_have_count(0)
    assert read_items(page, "Study Details") == DETAILS
    expect(page.locator("#layout-unsaved")).to_be_hidden()


# -- By keyboard -----------------------------------------------------------------------------------
def test_a_field_moves_by_keyboard_and_keeps_the_focus(page: Page) -> None:
    open_editor(page)
    page.get_by_role("button", name="Move Study number down").focus()
    for position in (2, 3, 4):
        page.keyboard.press("Enter")
        expect(page.locator(STATUS)).to_have_text(f"Study number: position {position} of 7 in Study Details.")
        expect(page.get_by_role("button", name="Move Study number down")).to_be_focused()
    # Pressed faster than the server answers, every press counts.
    for _ in range(3):
        page.keyboard.press("Space", delay=1)
    expect(page.locator(STATUS)).to_have_text("Study number: position 7 of 7 in Study Details.")
    page.keyboard.press("Enter")
    expect(page.locator(STATUS)).to_have_text("Study number: position 1 of 5 in Dates.")
    expect(page.get_by_role("button", name="Move Study number down")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Move Study number up")).to_be_focused()
    save(page)
    assert read_sections(get_layout())[1].items[0] == "name__v"


def test_a_section_moves_and_goes_by_keyboard(page: Page) -> None:
    open_editor(page)
    page.get_by_role("button", name="Move section Dates up").press("Enter")
    expect(page.locator(STATUS)).to_have_text("Dates: section 1 of 8.")
    expect(page.get_by_role("button", name="Move section Dates down")).to_be_focused()
    page.get_by_role("button", name="Remove section Dates").press("Enter")
    expect(page.locator(STATUS)).to_have_text("Section Dates removed.")
    expect(page.get_by_role("button", name="Remove section Study Details")).to_be_focused()
    expect(page.locator('[data-palette="planned_start_date__v"]')).to_be_visible()


# -- Preview ---------------------------------------------------------------------------------------
def test_an_activity_section_is_added_and_seen_before_it_is_saved(page: Page) -> None:
    open_editor(page)
    page.get_by_label("New section of related records").select_option("crm_activity__v:study__v")
    page.get_by_role("button", name="Add related section").click()
    title = page.get_by_label("Title of the section Activities")
    expect(title).to_be_focused()
    assert read_preview(page, "Activities")[:3] == ["Subject", "Date", "Person"]
    card = page.locator(".preview-card").filter(has=page.get_by_role("heading", name="Activities"))
    expect(card.get_by_text("+ Create")).to_be_visible()
    find_section(page, "Activities").get_by_label("Prevent record creation").check()
    expect(card.get_by_text("+ Create")).to_have_count(0)
    title.fill("Log")
    expect(page.locator(".preview-card").get_by_role("heading", name="Log")).to_be_visible()
    expect(title).to_be_focused()
    save(page)
    section = read_sections(get_layout())[-1]
    assert (section.title, section.related_object, section.prevent_creation) == ("Log", "crm_activity__v", True)


def test_leaving_with_changes_asks_first(page: Page) -> None:
    open_editor(page)
    page.get_by_role("button", name="Remove Sponsor").click()
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog"):
        page.get_by_role("link", name="Object Types").click(no_wait_after=True)
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Object Types").click()
    page.wait_for_url("**/objecttype/")


def test_a_conflict_keeps_mine_and_offers_both_ways(page: Page) -> None:
    open_editor(page)
    page.get_by_role("button", name="Remove Sponsor").click()
    expect(page.locator(STATUS)).to_have_text("Sponsor removed from Study Details.")
    layout = get_layout()
    save_layout(
        layout=layout, sections=read_sections(layout)[:1], expected_version=layout.version, actor=build_admin_actor()
    )
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else saved this layout")
    assert read_items(page, "Study Details") == [name for name in DETAILS if name != "sponsor__v"]
    page.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Study page layout was saved.")).to_be_visible()
    assert len(read_sections(get_layout())) == 8


def test_a_server_that_does_not_answer_loses_nothing(page: Page, page_problems: list[str]) -> None:
    open_editor(page)
    intercept(page, "**/pagelayout/*/change/", lambda route: route.abort())
    page.get_by_role("button", name="Remove Sponsor").click()
    expect(page.locator(STATUS)).to_contain_text("Nothing is lost")
    page.unroute("**/pagelayout/*/change/")
    page.get_by_role("button", name="Remove Sponsor").click()
    expect(page.locator(STATUS)).to_have_text("Sponsor removed from Study Details.")
    assert [problem.split(":")[0] for problem in page_problems] == ["console error"]
    page_problems.clear()


# -- Everywhere ------------------------------------------------------------------------------------
def test_without_scripts_the_same_buttons_work(plain_page: Page) -> None:
    open_editor(plain_page)
    plain_page.get_by_role("button", name="Move Study number down").click()
    expect(plain_page.locator(STATUS)).to_have_text("Study number: position 2 of 7 in Study Details.")
    expect(plain_page.get_by_text("Not saved yet")).to_be_visible()
    plain_page.get_by_label("Title of the section Dates").fill("When")
    plain_page.get_by_label("Title of the section Dates").press("Enter")
    expect(plain_page.get_by_label("Title of the section When")).to_have_value("When")
    assert read_preview(plain_page, "When") == ["Planned start", "Planned end", "Actual start", "Actual end"]
    save(plain_page)
    first, second, *_ = read_sections(get_layout())
    assert (first.items[:2], second.title) == (("study_name__v", "name__v"), "When")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_editor(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_editor(page)
    page.get_by_role("button", name="Remove Sponsor").click()
    expect(page.locator(STATUS)).to_have_text("Sponsor removed from Study Details.")
    assert find_violations(page, within="#layout_form") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_an_object(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    log_in(page)
    base = "/admin/configuration/configuredobject/"
    paths = [base, f"{base}connection_authorization__sys/actions/"] + [
        f"{base}crm_activity__v/change/?tab={tab}" for tab in ("details", "fields", "types", "actions", "layouts")
    ]
    found = {}
    for path in paths:
        page.goto(path)
        found[path] = find_violations(page, within=".vault-stack, .vault-card")
    assert found == {path: [] for path in paths}


def test_nothing_is_wider_than_the_window(page: Page) -> None:
    open_editor(page)
    editor = page.url
    base = "/admin/configuration/configuredobject/crm_activity__v/change/"
    widest = {}
    for path in (editor, f"{base}?tab=fields", f"{base}?tab=types", "/admin/configuration/objecttype/1/change/"):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path)
            widest[path, width] = page.evaluate("document.documentElement.scrollWidth")
    assert {key: measured for key, measured in widest.items() if measured > key[1]} == {}


def test_the_api_name_of_a_custom_field_follows_its_label_until_it_is_typed(page: Page) -> None:
    log_in(page)
    page.goto("/admin/configuration/customfield/add/?of_object=person__sys")
    label, api_name = page.locator("#id_label"), page.locator("#id_api_name")
    label.fill("Favourite colour (2nd)")
    expect(api_name).to_have_value("favourite_colour_2nd__c")
    expect(page.locator("#id_picklist_values")).to_be_hidden()
    page.locator("#id_kind").select_option("picklist")
    page.locator("#id_picklist_values").fill("Red\nBlue")
    api_name.fill("colour__c")
    label.fill("Colour")
    expect(api_name).to_have_value("colour__c")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Colour", exact=True)).to_be_visible()
    assert CustomField.objects.values_list("api_name", "picklist_values").get() == (
        "colour__c",
        [{"api_name": f"{label.lower()}__c", "label": label, "is_active": True} for label in ("Red", "Blue")],
    )
