"""What waits with people who cannot see to it: who is told, on which pages, and of whose records."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import StudyAssignment, StudySite
from ctms.core.clock import get_now
from ctms.records.access import open_object
from ctms.records.bulk.handing_over.waiting import list_waiting
from tests.admin_forms import read_form
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory
from tests.records.bulk.test_hand_over import bob, carla, make_user, site

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
__all__ = ["bob", "carla", "site"]


def leave(user: User, **values: Any) -> None:
    for name, value in (values or {"is_active": False}).items():
        setattr(user, name, value)
    user.save()


def read_waiting(user: User) -> list[tuple[str, str, str]]:
    found = list_waiting(open_object(user=user, object_name="site__v"))
    return [(str(each.user), each.why, each.text) for each in found]


def test_what_waits_is_that_of_users_who_cannot_log_in(site: StudySite, carla: User, bob: User) -> None:
    ActivityFactory.create(site=site, owner=carla, complete=False)
    ActivityFactory.create(site=site, owner=carla, complete=True)
    assert read_waiting(bob) == []
    leave(carla)
    assert read_waiting(bob) == [
        ("Carla Craig", "cannot log in any more", "Sites: 1, Activities that are not complete: 1")
    ]


def test_what_a_program_owns_waits(site: StudySite, bob: User) -> None:
    ActivityFactory.create(site=site, owner=ServiceAccountFactory.create(last_name="Loader"), complete=False)
    assert read_waiting(bob) == [("Loader", "is the account of a program", "Activities that are not complete: 1")]


@pytest.mark.usefixtures("stopped_clock")
def test_an_account_that_has_ended_counts_from_the_day_after(site: StudySite, carla: User, bob: User) -> None:
    today = get_now().date()
    leave(carla, valid_until=today)
    assert read_waiting(bob) == []
    leave(carla, valid_until=today - dt.timedelta(days=1))
    assert [each[0] for each in read_waiting(bob)] == ["Carla Craig"]


def test_whoever_does_not_see_the_site_any_more_cannot_see_to_it(site: StudySite, carla: User, bob: User) -> None:
    assignment = StudyAssignment.objects.get(user=carla)
    assignment.site = site
    save_record(record=assignment, actor=build_admin_actor())
    assert read_waiting(bob) == []
    assignment.site = StudySiteFactory.create(study_country=site.study_country)
    save_record(record=assignment, actor=build_admin_actor())
    assert read_waiting(bob) == [("Carla Craig", "does not see them any more", "Sites: 1")]
    assignment.site = None
    assignment.study_country = site.study_country
    save_record(record=assignment, actor=build_admin_actor())
    assert read_waiting(bob) == []
    assignment.valid_until = get_now().date() - dt.timedelta(days=1)
    save_record(record=assignment, actor=build_admin_actor())
    assert read_waiting(bob) == [("Carla Craig", "does not see them any more", "Sites: 1")]


def test_nothing_of_studies_that_the_reader_does_not_see_is_counted(
    client: Client, site: StudySite, carla: User, bob: User
) -> None:
    StudySiteFactory.create(owner=carla)
    leave(carla)
    assert read_waiting(bob) == [("Carla Craig", "cannot log in any more", "Sites: 1")]
    stranger = make_user("stranger", site=StudySiteFactory.create())
    client.force_login(stranger)
    assert b"Carla" not in client.get("/hand-over/").content
    assert b"Carla" not in client.get("/").content


def test_home_and_the_sites_page_lead_those_who_may_to_the_hand_over(
    client: Client, site: StudySite, carla: User, bob: User
) -> None:
    leave(carla)
    client.force_login(bob)
    url = f"/hand-over/users/{carla.uid}/"
    assert url in client.get("/").content.decode()
    assert url in client.get("/hand-over/").content.decode()
    page = client.get(f"/records/site__v/{site.uid}/").content.decode()
    assert "Carla Craig owns this site, but cannot log in any more" in page
    assert f'/records/site__v/{site.uid}/hand-over/">Hand it over</a>' in page


def test_whoever_may_hand_nothing_over_has_no_such_page(client: Client, site: StudySite, carla: User) -> None:
    profile = SecurityProfileFactory.create(permissions=["site__v:read"])
    reader = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=reader, study=site.study)
    leave(carla)
    client.force_login(reader)
    assert client.get("/hand-over/").status_code == 403
    assert b"Carla Craig (" not in client.get("/").content
    page = client.get(f"/records/site__v/{site.uid}/").content.decode()
    assert "Ask a study manager to hand it over." in page


def test_the_list_of_what_waits_takes_the_same_statements_for_one_owner_and_for_many(
    site: StudySite, carla: User, bob: User
) -> None:
    leave(carla)
    counts = []
    for number in (0, 5):
        for position in range(number):
            owner = make_user(f"gone{position}", site=site)
            StudySiteFactory.create(owner=owner, study_country=site.study_country)
            leave(owner)
        access = open_object(user=bob, object_name="site__v")
        with CaptureQueriesContext(connection) as captured:
            list_waiting(access)
        counts.append(len(captured))
    assert counts[0] == counts[1]


# -- In the console -------------------------------------------------------------------------------
def test_deactivating_a_user_asks_for_the_hand_over_of_what_is_open(
    client: Client, site: StudySite, carla: User
) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    url = f"/admin/accounts/user/{carla.pk}/change/"
    data = read_form(client.get(url), form_id="user_form")
    response: Any = client.post(url, {name: value for name, value in data.items() if name != "is_active"}, follow=True)
    texts = [str(each) for each in response.context["messages"]]
    assert any("Carla Craig cannot log in any more, but still owns: Sites: 1." in each for each in texts)
    assert any(f"/hand-over/users/{carla.uid}/" in each for each in texts)


def test_an_assignment_that_is_taken_away_asks_for_it_too(client: Client, site: StudySite, carla: User) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    assignment = StudyAssignment.objects.get(user=carla)
    url = f"/admin/clinical/studyassignment/{assignment.pk}/delete/"
    response = client.post(url, {"post": "yes"}, follow=True)
    texts = [str(each) for each in response.context["messages"]]
    assert any("Carla Craig does not see them any more, but still owns: Sites: 1." in each for each in texts)


def test_the_console_leads_from_a_user_to_the_hand_over(client: Client, carla: User) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    page = client.get(f"/admin/accounts/user/{carla.pk}/change/")
    assert b"Hand over" in page.content
    response = client.get(f"/admin/accounts/user/{carla.pk}/hand-over/")
    assert response.headers["Location"] == f"/hand-over/users/{carla.uid}/"
