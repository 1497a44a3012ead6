"""A file is imported by keyboard alone: questions about dates and numbers, errors, the rows, the run, and undo.

The file itself is chosen in a window of the operating system, which no page can open by keyboard for a test.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from ctms.audit.services import save_record
from ctms.clinical.models import Study
from ctms.configuration.models import CustomField
from tests.browser.sessions import enter_as
from tests.browser.test_bulk import check_page, waiting, work
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["waiting"]

MOST_TABS = 80
ROWS = [
    "Study number;Planned start;Planned end;Budget",
    "S-1;03/04/2026;05/06/2026;1.234",
    "S-2;04/05/2026;06/07/2026;2.345",
    "S-3;04/05/2026;soon;3.456",
    "S-4;04/05/2026;06/07/2026;many",
]


class Keyboard:
    """A user without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, what: Locator) -> None:
        """Go to it with Tab; it has to show that it is reached."""
        expect(what).to_be_visible()
        for _ in range(MOST_TABS):
            if what.evaluate("element => element === document.activeElement"):
                expect(what).to_be_focused()
                return
            self.press("Tab")
        pytest.fail(f"{what} is not reached with Tab.")

    def choose(self, group: Locator, option: str) -> None:
        """Go to the radio buttons of a group, and to the one of that name with the arrows."""
        wanted = group.get_by_role("radio", name=option)
        expect(wanted).to_be_visible()
        radios = group.get_by_role("radio")
        for _ in range(MOST_TABS):
            if group.evaluate("element => element.contains(document.activeElement)"):
                break
            self.press("Tab")
        for _ in range(radios.count()):
            if not wanted.is_checked():
                self.press("ArrowDown")
        expect(wanted).to_be_checked()
        expect(wanted).to_be_focused()

    def push(self, button: str) -> None:
        self.reach(self.page.get_by_role("button", name=button, exact=True))
        self.press("Enter")


@pytest.fixture
def keyboard(page: Page) -> Keyboard:
    UserFactory.create(username="carla", is_superuser=True)
    save_record(
        record=CustomField(of_object="study__v", api_name="budget__c", label="Budget", kind="number"),
        actor=build_admin_actor(),
    )
    StudyFactory.create(name="S-2", planned_start=dt.date(2025, 1, 1), planned_end=None, sponsor="Acme")
    enter_as(page, "carla")
    return Keyboard(page)


def list_studies() -> list[tuple[str, dt.date | None, dt.date | None, object]]:
    found = Study.objects.order_by("name")
    return [(each.name, each.planned_start, each.planned_end, each.custom_fields.get("budget__c")) for each in found]


def test_a_file_is_imported_and_undone_by_keyboard_alone(
    page: Page, keyboard: Keyboard, waiting: list[int], tmp_path: Path
) -> None:
    before = list_studies()
    page.goto("/records/study__v/")
    keyboard.press("Control+k")
    page.keyboard.type("Import")
    expect(page.get_by_role("option", name="Import")).to_be_visible()
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Import studies")).to_be_visible()

    (tmp_path / "studies.csv").write_text("\n".join(ROWS), encoding="utf-8")
    keyboard.reach(page.get_by_label("File", exact=True))
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "studies.csv")
    keyboard.push("Check the file")

    dates = page.get_by_role("group", name="What does 03/04/2026 mean?")
    numbers = page.get_by_role("group", name="What does 1.234 mean?")
    keyboard.choose(dates, "4 Mar 2026 (month first)")
    keyboard.choose(dates, "3 Apr 2026 (day first)")
    keyboard.choose(numbers, "1234 (a comma before the fraction)")
    check_page(page)
    keyboard.push("Check the file")

    errors = page.get_by_role("region", name="Errors")
    expect(errors.get_by_role("row").filter(has_text="Planned end")).to_contain_text("soon")
    expect(errors.get_by_role("row").filter(has_text="Budget")).to_contain_text("many")
    reading = page.get_by_role("region", name="How the file is read")
    expect(reading).to_contain_text("Planned start is read with the day first: 03/04/2026 is 3 Apr 2026.")
    expect(reading).to_contain_text("Budget: 1.234 is read as 1234.")
    check_page(page)
    # Both tables can be scrolled without a mouse.
    keyboard.reach(page.get_by_role("region", name="Table: Errors"))
    rows = page.get_by_role("region", name="Table: what would be written")
    keyboard.reach(rows)
    expect(rows.get_by_role("row").filter(has_text="S-2")).to_contain_text("4 May 2026")
    keyboard.push("Import 2 rows")

    expect(page.get_by_text("0 of 4 rows")).to_be_visible()
    work(waiting)
    expect(page.get_by_text("1 created, 1 changed, 2 not imported.").first).to_be_visible()
    assert list_studies() == [
        ("S-1", dt.date(2026, 4, 3), dt.date(2026, 6, 5), Decimal(1234)),
        ("S-2", dt.date(2026, 5, 4), dt.date(2026, 7, 6), Decimal(2345)),
    ]
    keyboard.push("Undo")
    expect(page.get_by_role("status").filter(has_text="Undone: 1 changed, 1 deleted.")).to_be_visible()
    assert list_studies() == before


def test_a_question_without_an_answer_is_asked_again(page: Page, keyboard: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text("\n".join(ROWS[:3]), encoding="utf-8")
    page.goto("/records/study__v/import/")
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "studies.csv")
    keyboard.push("Check the file")
    expect(page.get_by_role("group", name="What does 03/04/2026 mean?")).to_be_visible()
    keyboard.push("Check the file")
    expect(page.get_by_role("status").filter(has_text="Say first how the file is read.")).to_be_visible()
    expect(page.get_by_role("group", name="What does 03/04/2026 mean?")).to_be_visible()
