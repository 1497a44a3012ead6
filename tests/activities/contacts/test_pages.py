"""Last and next contact where people look: lists and their delivered views, record pages, the API."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from activities.contacts.writing import write_contacts
from connections.ruleforms import list_source_choices
from ctms.accounts.models import User
from ctms.clinical.contacts import CONTACT_FIELDS
from ctms.clinical.models import Person, StudyPerson, StudySite
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import load_configuration
from ctms.records.access import open_object
from ctms.records.addresses import get_record_url
from ctms.records.conditions.askers import VaultAsker
from ctms.records.pages.notices import list_notices
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyPersonFactory, StudySiteFactory
from tests.records.api.conftest import build_caller

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = dt.date(2026, 6, 15)
SITE, STUDY_PERSON = StudySite.object_name, StudyPerson.object_name


@pytest.fixture(autouse=True)
def _on_that_day() -> Iterator[None]:
    with time_machine.travel(dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_admin_user())
    return client


def on(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


def create_sites() -> dict[str, StudySite]:
    """Create a site of the admin for each last contact, and one of a colleague."""
    made = {}
    for name, days in (("Never", None), ("Long ago", -61), ("Lately", -60), ("Elsewhere", -61)):
        owner = UserFactory.create() if name == "Elsewhere" else get_admin_user()
        made[name] = StudySiteFactory.create(site_name=name, owner=owner)
        member = StudyPersonFactory.create(
            site=made[name],
            study=made[name].study,
            person=PersonFactory.create(first_name="", last_name=name, email=""),
        )
        if days is not None:
            ActivityFactory.create(site=made[name], person=member.person, date=on(days), complete=True)
    ActivityFactory.create(site=made["Lately"], date=on(-3))
    write_contacts()
    return made


def open_view(client: Client, object_name: str, name: str) -> str:
    view = next(each for each in get_object(object_name).views if each.name == name)
    answer = client.get(f"{reverse('record_list', args=(object_name,))}?{view.parameters}")
    assert answer.status_code == 200
    return answer.content.decode()


def list_shown(page: str, names: Any) -> list[str]:
    table = page[page.index("<tbody") :]
    return sorted((name for name in names if name in table), key=table.index)


@pytest.mark.parametrize("object_name", [SITE, STUDY_PERSON])
def test_not_contacted_for_60_days_at_my_sites_is_a_view_and_has_those_never_contacted(
    admin: Client, object_name: str
) -> None:
    sites = create_sites()
    page = open_view(admin, object_name, "Not contacted for 60 days, my sites")
    assert list_shown(page, sites) == ["Long ago", "Never"]


def test_overdue_at_my_sites_is_a_view(admin: Client) -> None:
    sites = create_sites()
    page = open_view(admin, SITE, "Overdue, my sites")
    assert list_shown(page, sites) == ["Lately"]
    assert '<span class="chip overdue">12 Jun 2026</span>' in page


def test_never_contacted_is_asked_for_by_is_empty(admin: Client) -> None:
    sites = create_sites()
    answer = admin.get(f"{reverse('record_list', args=(SITE,))}?last_contact__v__empty=true")
    assert list_shown(answer.content.decode(), sites) == ["Never"]


def test_the_header_of_a_site_and_of_a_study_person_shows_the_dates(admin: Client) -> None:
    site = create_sites()["Lately"]
    ActivityFactory.create(site=site, date=on(4))
    write_contacts()
    page = admin.get(get_record_url(site)).content.decode()
    for text in (
        "Last contact",
        "16 Apr 2026",
        "60 days ago",
        "Next contact",
        "19 Jun 2026",
        "12 Jun 2026",
    ):
        assert text in page
    person = site.study_people.get()
    assert "16 Apr 2026" in admin.get(get_record_url(person)).content.decode()


def test_what_was_planned_for_a_day_that_is_over_where_the_reader_is_is_shown_as_overdue(admin: Client) -> None:
    site = StudySiteFactory.create()
    ActivityFactory.create(site=site, date=on(0))
    write_contacts()
    user = get_admin_user()
    for zone, tone in (("Europe/Berlin", ""), ("Pacific/Kiritimati", "overdue")):
        user.time_zone = zone
        user.save(update_fields=["time_zone"])
        page = admin.get(get_record_url(site)).content.decode()
        assert ('<span class="chip overdue">15 Jun 2026</span>' in page) == bool(tone)


def test_the_api_gives_the_dates_filters_and_sorts_by_them_and_takes_none() -> None:
    sites = create_sites()
    caller = build_caller(get_admin_user())
    listed = caller.get(f"{SITE}/", last_contact__v__not_within="last_60_days", sort="last_contact__v")
    assert listed.status_code == 200, listed.content
    rows = listed.json()["results"]
    assert [row["site_name__v"] for row in rows] == ["Long ago", "Elsewhere", "Never"]
    assert [row["days_since_contact__v"] for row in rows] == [61, 61, None]
    site = sites["Lately"]
    address = f"{SITE}/{site.uid}/"
    row = caller.get(address).json()
    assert (row["last_contact__v"], row["next_contact__v"], row["overdue_since__v"]) == (
        "2026-04-16",
        None,
        "2026-06-12",
    )
    refused = caller.patch(address, {"last_contact__v": "2026-06-01"}, etag=f'"{site.version}"')
    assert refused.status_code == 400, refused.content
    assert [each["field"] for each in refused.json()["errors"]] == ["last_contact__v"]


def test_the_page_of_a_person_tells_of_the_activities_that_its_reader_sees_and_of_no_others(client: Client) -> None:
    person = PersonFactory.create()
    seen, hidden = StudySiteFactory.create(), StudySiteFactory.create()
    for site, days in ((seen, 0), (hidden, 1)):
        StudyPersonFactory.create(person=person, site=site, study=site.study)
        ActivityFactory.create(person=person, site=site, date=on(-9 + days), complete=True)
        ActivityFactory.create(person=person, site=site, date=on(-20 - days))
        ActivityFactory.create(person=person, site=site, date=on(20 - days))
    MedicalActivityFactory.create(person=person, site=seen, date=on(-5), complete=True)
    permissions = [f"{each}:read" for each in ("person__sys", SITE, STUDY_PERSON, "study__v")]
    profile = SecurityProfileFactory.create(permissions=[*permissions, "crm_activity__v.clinical_activity__v:read"])
    reader = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=reader, study=seen.study)
    client.force_login(reader)
    assert (
        list_told(client, person)
        == "Last contact 6 Jun 2026, 9 days ago. Next contact 5 Jul 2026. Overdue since 26 May 2026."
    )
    client.force_login(get_admin_user())
    assert (
        list_told(client, person)
        == "Last contact 10 Jun 2026, 5 days ago. Next contact 4 Jul 2026. Overdue since 25 May 2026."
    )


def list_told(client: Client, person: Any) -> str:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    access = open_object(user=user, object_name=Person.object_name)
    [notice] = list_notices(access=access, record=person)
    shown = client.get(get_record_url(person)).content.decode()
    assert all(part.text in shown for part in notice.parts)
    return str(notice).strip()


def test_no_rule_of_the_transfer_takes_or_compares_what_changes_without_a_new_version() -> None:
    configuration = load_configuration()
    shape = configuration.get(SITE)
    choices = str(list_source_choices(shape=shape, object_type="", configuration=configuration))
    asker = VaultAsker(configuration=configuration)
    assert "site_name__v" in choices
    assert asker.may_ask(shape.fields["site_name__v"])
    for name in CONTACT_FIELDS:
        assert name not in choices
        assert not asker.may_ask(shape.fields[name])


def test_exports_hold_the_dates_and_the_days(admin: Client) -> None:
    create_sites()
    columns = "columns=site_name__v,last_contact__v,days_since_contact__v,overdue_since__v"
    answers = {
        kind: b"".join(admin.get(f"/records/{SITE}/export.{kind}?{columns}&sort=last_contact__v").streaming_content)  # type: ignore[attr-defined]
        for kind in ("csv", "xlsx")
    }
    lines = list(csv.reader(io.StringIO(answers["csv"].decode("utf-8-sig"))))
    assert [line[-3:] for line in lines[-4:]] == [
        ["2026-04-15", "61", ""],
        ["2026-04-15", "61", ""],
        ["2026-04-16", "60", "2026-06-12"],
        ["", "", ""],
    ]
    rows = list(openpyxl.load_workbook(io.BytesIO(answers["xlsx"])).active.iter_rows(values_only=True))
    assert rows[-2][-3:] == (dt.datetime(2026, 4, 16), 60, dt.datetime(2026, 6, 12))  # noqa: DTZ001  a workbook knows no zones
