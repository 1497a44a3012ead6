"""Last and next contact in the browser: pages and lists of sites and people, at both widths and in both themes."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ctms.clinical.models import Person, StudyPerson, StudySite
from ctms.configuration.registry import get_object
from ctms.core.clock import get_now
from ctms.records.addresses import get_record_url
from tests.browser.accessibility import find_violations
from tests.browser.sessions import enter_as
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import (
    PersonFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Pictures to look at: SHOTS=<folder> pytest tests/browser/test_contact_dates.py
SHOTS = os.environ.get("SHOTS", "")
NAMES = ("Riverside Hospital", "Charité Campus Mitte", "Hôpital Saint-Louis", "Hospital Clínico", "Karolinska")


@pytest.fixture
def sites() -> list[StudySite]:
    """Five sites of Carla with a person each, of which the first is overdue and the last was never contacted."""
    carla = UserFactory.create(username="carla", first_name="Carla", last_name="Craig", is_superuser=True)
    country = StudyCountryFactory.create(study=StudyFactory.create(name="CARDIO-301"))
    today = get_now().date()
    made = []
    for number, name in enumerate(NAMES):
        site = StudySiteFactory.create(study_country=country, site_name=name, owner=carla)
        person = PersonFactory.create()
        StudyPersonFactory.create(person=person, site=site, study=site.study)
        for days, complete in ((-40 * number - 2, True), (-3, False), (5, False)) if number < 4 else ():
            if number == 0 or complete or days > 0:
                day = today + dt.timedelta(days=days + number)
                ActivityFactory.create(site=site, person=person, date=day, complete=complete, owner=carla)
        made.append(site)
    return made


def look(page: Page, name: str) -> None:
    for width, height in ((1440, 1000), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.reload()  # colours that are on their way to others have the contrast of neither
            assert find_violations(page) == []
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{theme}.png")
    page.set_viewport_size({"width": 1440, "height": 1000})


def test_sites_and_people_show_their_contacts_at_every_width(page: Page, sites: list[StudySite]) -> None:
    enter_as(page, "carla")
    site = sites[0]
    page.goto(get_record_url(site))
    expect(page.get_by_text("Overdue since").first).to_be_visible()
    look(page, "site")

    views = {each.name: each.parameters for each in get_object(StudySite.object_name).views}
    page.goto(f"/records/{StudySite.object_name}/?{views['Not contacted for 60 days, my sites']}")
    expect(page.locator("tbody tr")).to_have_count(3)  # two of them long ago, and one never
    look(page, "site-view")
    page.goto(f"/records/{StudySite.object_name}/")
    look(page, "site-list")
    page.goto(f"/records/{StudyPerson.object_name}/")
    look(page, "study-people")
    page.goto(get_record_url(site.study_people.get()))
    look(page, "study-person")
    page.goto(get_record_url(Person.objects.get(study_roles__site=site)))
    look(page, "person")
