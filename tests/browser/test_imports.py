"""Files in a browser: how one is read is shown, asked about and changed before anything is imported."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import pytest
import xlsxwriter
from playwright.sync_api import Page, expect

from ctms.accounts.models import User
from ctms.clinical.models import Person, Study, StudySite
from ctms.jobs import queue
from tests.browser.sessions import enter_as
from tests.browser.test_bulk import check_page, work
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudySiteFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def user() -> User:
    return UserFactory.create(username="carla", is_superuser=True)


@pytest.fixture(autouse=True)
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs that wait for a worker; `work` is one."""
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_message", sent.append)
    return sent


def choose_file(page: Page, path: Path, content: bytes, *, object_name: str) -> None:
    path.write_bytes(content)
    page.goto(f"/records/{object_name}/import/")
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Check the file").click()


def test_the_order_of_dates_is_said_once_and_a_long_cell_stays_short(
    page: Page, waiting: list[int], tmp_path: Path
) -> None:
    rows = [
        "Study number;Planned start;Planned end;Sponsor",
        "S-1;03/04/2026;12/25/2026;Łódzki Instytut",
        f"S-2;05/06/2026;12/25/2026;{'A sponsor whose name goes on. ' * 60}",
        "S-3;05/06/2026;12/25/2026;#REF!",
    ]
    enter_as(page, "carla")
    choose_file(page, tmp_path / "studies.csv", "\n".join(rows).encode("cp1250"), object_name="study__v")
    reading = page.get_by_role("region", name="How the file is read")
    expect(reading).to_contain_text("Read as Windows-1250 (Central European)")
    expect(reading).to_contain_text("Planned end is read with the month first: 12/25/2026 is 25 Dec 2026.")
    expect(page.get_by_label("4 Mar 2026 (month first)")).to_be_checked()
    check_page(page)
    page.get_by_label("3 Apr 2026 (day first)").check()
    page.get_by_role("button", name="Check the file").click()
    expect(reading).to_contain_text("Planned start is read with the day first: 03/04/2026 is 3 Apr 2026.")
    expect(page.get_by_role("region", name="Warnings", exact=True)).to_contain_text("“#REF!” is what a spreadsheet")
    page.set_viewport_size({"width": 1440, "height": 900})
    explanation = page.get_by_text("Ensure this value has at most 255 characters")
    box = explanation.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] < 1440
    check_page(page)
    page.get_by_role("button", name="Import 2 rows").click()
    work(waiting)
    expect(page.get_by_text("2 created, 1 not imported.")).to_be_visible()
    study = Study.objects.get(name="S-1")
    assert (study.planned_start, study.sponsor) == (dt.date(2026, 4, 3), "Łódzki Instytut")


def test_a_workbook_of_two_sheets_that_lost_zeros_is_imported_by_keyboard(
    page: Page, waiting: list[int], tmp_path: Path
) -> None:
    country = StudyCountryFactory.create(study__name="S-1")
    StudySiteFactory.create(study_country=country, name="03201")
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        workbook.add_worksheet("Notes").write_row(0, 0, ["Study", "Site number"])
        workbook.get_worksheet_by_name("Notes").write_row(1, 0, ["S-1", "1"])
        sheet = workbook.add_worksheet("Sites")
        sheet.write_row(0, 0, ["Study", "Site number", "City"])
        sheet.write_row(1, 0, ["S-1", 3201, "Graz"])
    enter_as(page, "carla")
    choose_file(page, tmp_path / "sites.xlsx", stream.getvalue(), object_name="site__v")
    page.get_by_label("Sheet").select_option("Sites")
    page.get_by_role("button", name="Read it again").press("Enter")
    expect(page.get_by_role("group", name="Has the file lost leading zeros?")).to_contain_text("there is “03201”")
    check_page(page)
    page.get_by_label("The file has lost them: put them back").press("Space")
    page.get_by_role("button", name="Read it again").press("Enter")
    page.get_by_role("button", name="Import 1 row").press("Enter")
    work(waiting)
    expect(page.get_by_text("1 changed.")).to_be_visible()
    assert [(each.name, each.city) for each in StudySite.objects.all()] == [("03201", "Graz")]


def test_a_row_uses_the_person_who_is_there_and_that_is_undone(page: Page, waiting: list[int], tmp_path: Path) -> None:
    there = PersonFactory.create(first_name="Zoë", last_name="Weiß", email="zoe@example.org", phone="")
    PersonFactory.create(first_name="Ann", last_name="Lee", email="ann@example.org")
    rows = [
        "Object type;First name;Last name;Email;Phone",
        "Person;Zoë;Weiß;Zoe@example.org;+49 30 1",
        "Person;Ann;Lee;ann@example.org;+49 30 2",
        "Person;Bob;Ray;bob@example.org;+49 30 3",
    ]
    enter_as(page, "carla")
    page.goto("/records/person__sys/import/")
    page.get_by_text("Nothing: every row is a new record").click()
    (tmp_path / "persons.csv").write_text("\n".join(rows), encoding="utf-8")
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "persons.csv")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("button", name="Import 3 rows")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Use this one in line 2").click()
    expect(page.get_by_text("Uses Zoë Weiß (zoe@example.org), as you chose.")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Create a new one in line 2").click()
    page.get_by_role("button", name="Use all 2 records").click()
    page.get_by_role("button", name="Import 3 rows").click()
    work(waiting)
    page.reload()
    expect(page.get_by_text("1 created, 2 changed.").first).to_be_visible()
    there.refresh_from_db()
    assert (there.phone, Person.objects.count()) == ("+49 30 1", 3)
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("status").filter(has_text="Undone")).to_be_visible()
    there.refresh_from_db()
    assert (there.phone, Person.objects.count()) == ("", 2)
