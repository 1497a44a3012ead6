"""Home lists the user's sites: first those that need something, with the last contact, what is next and what failed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.home.sites import SITES_SHOWN
from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.core.models import allow_record_writes
from tests.activities.home.people import READ, TODAY, count_opened, create_user, find_panel, get_panel, open_home
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyCountryFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EXCEPTIONS = ["exception_item__sys:read", "exception_message__sys:read"]


@pytest.fixture
def owner() -> User:
    return create_user(READ)


def create_site(owner: User, name: str, **values: Any) -> StudySite:
    """Create a site of a user in a study that the user is assigned to."""
    site = StudySiteFactory.create(name=name, owner=owner, **values)
    if not owner.study_assignments.filter(study=site.study).exists():
        StudyAssignmentFactory.create(user=owner, study=site.study)
    return site


def set_dates(site: StudySite, **days: int) -> None:
    """Set the stored dates of a site, so many days from today."""
    values = {name: TODAY + dt.timedelta(days=each) for name, each in days.items()}
    with allow_record_writes():
        StudySite.objects.filter(pk=site.pk).update(**values)


def fail(site: StudySite, message: Any) -> None:
    """Create an activity at the site that was not transferred."""
    activity = ActivityFactory.create(site=site, complete=True)
    create_exception_item(
        message=message, key=str(activity.uid), record_object=activity.object_name, record_uid=activity.uid
    )


def list_labels(user: User) -> list[str]:
    return [row.label.split(" ")[0] for row in get_panel(user, "sites")["rows"]]


def test_who_owns_no_site_has_no_such_panel(owner: User) -> None:
    site = StudySiteFactory.create()
    StudyAssignmentFactory.create(user=owner, study=site.study)
    assert find_panel(owner, "sites") is None


def test_what_the_profile_hides_is_no_column() -> None:
    user = create_user(["site__v:read", "study__v:read"])
    create_site(user, "01")
    content = get_panel(user, "sites")
    [row] = content["rows"]
    assert (row.last, row.next, row.overdue, row.visit, row.exceptions) == (None,) * 5
    page = open_home(user).content.decode()
    assert [text in page for text in ("Last contact", "Next visit", "Not transferred", "Overdue at my sites")] == [
        False
    ] * 4


def test_dates_of_a_site_are_not_told_to_who_reads_one_kind_of_activities_alone() -> None:
    user = create_user(["site__v:read", "study__v:read", "crm_activity__v.clinical_activity__v:read"])
    site = create_site(user, "01")
    MedicalActivityFactory.create(site=site, date=TODAY, complete=True)
    content = get_panel(user, "sites")
    assert (content["has_contact_dates"], content["has_activities"]) == (False, True)


def test_no_failure_is_counted_of_a_record_that_the_profile_hides(client: Client) -> None:
    message = create_exception_message()
    user = create_user(["site__v:read", "study__v:read", *EXCEPTIONS], is_staff=True)
    site = create_site(user, "01")
    fail(site, message)
    [row] = get_panel(user, "sites")["rows"]
    assert row.exceptions.text == ""
    client.force_login(user)
    url = f"/admin/exceptions_log/exceptionitem/?site={site.uid}"
    assert count_opened(client, url) == "0"


def test_who_cannot_enter_the_console_sees_how_many_failed_without_a_link() -> None:
    message = create_exception_message()
    user = create_user([*READ, *EXCEPTIONS])
    fail(create_site(user, "01"), message)
    [row] = get_panel(user, "sites")["rows"]
    assert (row.exceptions.text, row.exceptions.url) == ("1", "")
    assert '<span class="chip failed">1</span>' in open_home(user).content.decode()


def test_those_that_need_something_come_first() -> None:
    message = create_exception_message()
    user = create_user([*READ, *EXCEPTIONS])
    country = StudyCountryFactory.create()
    fresh, old, _never, failing, late, later = (
        create_site(user, name, study_country=country) for name in ("fresh", "old", "never", "fails", "late", "later")
    )
    set_dates(fresh, last_contact=-1)
    set_dates(old, last_contact=-90)
    set_dates(failing, last_contact=0)
    set_dates(late, overdue_since=-9, last_contact=-1)
    set_dates(later, overdue_since=-2, last_contact=-1)
    fail(failing, message)
    assert list_labels(user) == ["late", "later", "fails", "never", "old", "fresh"]


def test_last_and_next_contact_lead_to_their_lists(client: Client, owner: User) -> None:
    site = create_site(owner, "01")
    client.force_login(owner)
    for days in (-30, -3, 5, 9):
        ActivityFactory.create(site=site, date=TODAY + dt.timedelta(days=days), complete=days < 0, subject=str(days))
    set_dates(site, last_contact=-3, next_contact=5)
    [row] = get_panel(owner, "sites")["rows"]
    assert (row.last.day, row.days, row.next.day) == (dt.date(2026, 3, 1), 3, dt.date(2026, 3, 9))
    shown = [
        [each.subject for each in client.get(cell.url).context["page"].table.rows] for cell in (row.last, row.next)
    ]
    assert shown == [["-3", "-30"], ["5", "9"]]


def test_what_was_planned_and_is_past_is_not_next(owner: User) -> None:
    set_dates(create_site(owner, "01"), next_contact=-1)
    [row] = get_panel(owner, "sites")["rows"]
    assert (row.next.url, row.last.text) == ("", "Never")


def test_all_sites_are_a_link_away(client: Client, owner: User) -> None:
    country = StudyCountryFactory.create()
    for number in range(SITES_SHOWN + 2):
        create_site(owner, f"{number:02}", study_country=country)
    content = get_panel(owner, "sites")
    client.force_login(owner)
    assert (len(content["rows"]), content["all"].text) == (SITES_SHOWN, "12")
    assert count_opened(client, content["all"].url) == "12"


def test_the_panel_asks_as_many_queries_for_five_sites_as_for_one(client: Client) -> None:
    message = create_exception_message()
    user = create_user([*READ, *EXCEPTIONS], is_staff=True)
    country = StudyCountryFactory.create()
    client.force_login(user)
    client.get("/")
    counts = []
    for numbers in (range(1), range(1, 5)):
        for number in numbers:
            site = create_site(user, f"{number:02}", study_country=country)
            ActivityFactory.create(site=site, date=TODAY - dt.timedelta(days=2))
            fail(site, message)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
