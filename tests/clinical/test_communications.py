"""Communications: they are of today unless somebody says otherwise, and of the country of their site."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from time_machine import travel

from activities.sources import UPDATE_REQUIRED
from ctms.accounts.models import User
from ctms.clinical.choices import CommunicationType
from ctms.clinical.models import StudyCommunicationLog, StudySite
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields
from tests.admin_forms import fill, read_form
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyCommunicationLogFactory, StudyCountryFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

OBJECT = StudyCommunicationLog.object_name
CREATE = f"/records/{OBJECT}/create/?object_type__v={CommunicationType.EMAIL}"
FORM = "record-form"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def sites() -> list[StudySite]:
    """A site in each of two countries of a study."""
    germany = StudyCountryFactory.create()
    france = StudyCountryFactory.create(study=germany.study, country="FR", name="France")
    return [StudySiteFactory.create(study_country=each) for each in (germany, france)]


def generate_from_emails() -> None:
    object_type = ObjectType.objects.get(of_object=OBJECT, api_name=CommunicationType.EMAIL)
    decision = FieldDecision(is_assigned=True, is_required=False)
    decide_fields(object_type=object_type, decisions={UPDATE_REQUIRED: decision}, actor=build_admin_actor())


def submit(client: Client, url: str, **typed: Any) -> Any:
    return client.post(url, fill(read_form(client.get(url), form_id=FORM), typed=typed))


def test_a_communication_is_of_today_unless_another_day_is_typed(
    client: Client, user: User, sites: list[StudySite]
) -> None:
    with travel("2026-03-02T10:00:00Z", tick=False):
        client.force_login(user)
        submit(client, CREATE, site__v__text=sites[0].name)
        submit(client, CREATE, site__v__text=sites[0].name, date__v="")

    days = StudyCommunicationLog.objects.order_by("pk").values_list("date", flat=True)
    assert list(days) == [dt.date(2026, 3, 2), None]


def test_the_date_is_required_where_activities_are_generated(client: Client, sites: list[StudySite]) -> None:
    generate_from_emails()

    answer = submit(client, CREATE, site__v__text=sites[0].name, date__v="")
    assert dict(answer.context["form"].errors) == {"date__v": ["Enter a date, such as 2026-03-31."]}

    data = {
        "object_type__v": CommunicationType.EMAIL,
        "site__v": str(sites[0].uid),
        "study__v": str(sites[0].study.uid),
    }
    sent = client.post(f"/api/v1/{OBJECT}/", json.dumps(data), content_type="application/json")
    assert (sent.status_code, "date__v" in sent.content.decode()) == (400, True)

    # Other types, from which nothing is generated, may be of no day yet.
    other = CREATE.replace(CommunicationType.EMAIL, CommunicationType.MESSAGE)
    assert submit(client, other, site__v__text=sites[0].name, date__v="").status_code == 302


def test_what_had_no_date_before_can_still_be_changed(client: Client, sites: list[StudySite]) -> None:
    log = StudyCommunicationLogFactory.create(site=sites[0], date=None, object_type=CommunicationType.EMAIL)
    generate_from_emails()

    patch = client.patch(
        f"/api/v1/{OBJECT}/{log.uid}/",
        json.dumps({"subject__v": "Amendment"}),
        content_type="application/json",
        headers={"If-Match": f'"{log.version}"'},
    )

    assert patch.status_code == 200


def edit_in_place(client: Client, log: StudyCommunicationLog, site: StudySite) -> None:
    url = f"/records/{OBJECT}/{log.uid}/fields/site__v/"
    answer = client.post(url, {"site__v": str(site.uid), "expected_version": log.version})
    assert answer.status_code == 302


def edit_in_the_form(client: Client, log: StudyCommunicationLog, site: StudySite) -> None:
    url = f"/records/{OBJECT}/{log.uid}/edit/"
    assert submit(client, url, site__v__text=site.name).status_code == 302


def send(client: Client, log: StudyCommunicationLog, site: StudySite) -> None:
    answer = client.patch(
        f"/api/v1/{OBJECT}/{log.uid}/",
        json.dumps({"site__v": str(site.uid)}),
        content_type="application/json",
        headers={"If-Match": f'"{log.version}"'},
    )
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("change", [edit_in_place, edit_in_the_form, send])
def test_the_country_follows_the_site(client: Client, sites: list[StudySite], change: Any) -> None:
    here, there = sites
    log = StudyCommunicationLogFactory.create(site=here, study_country=here.study_country)

    change(client, log, there)

    log.refresh_from_db()
    assert (log.site, log.study_country) == (there, there.study_country)


def test_a_country_that_contradicts_the_site_is_refused(client: Client, sites: list[StudySite]) -> None:
    here, there = sites
    log = StudyCommunicationLogFactory.create(site=here, study_country=here.study_country)

    answer = client.patch(
        f"/api/v1/{OBJECT}/{log.uid}/",
        json.dumps({"study_country__v": str(there.study_country.uid)}),
        content_type="application/json",
        headers={"If-Match": f'"{log.version}"'},
    )

    assert answer.status_code == 400
    log.refresh_from_db()
    assert log.study_country == here.study_country


def test_the_next_one_takes_sites_of_every_country(client: Client, sites: list[StudySite]) -> None:
    """After Save + Create: the country was that of the last site."""
    answer = submit(client, CREATE, site__v__text=sites[0].name, and_create="1")

    form = client.get(answer.headers["Location"]).context["form"]
    assert (form.initial["study__v"], form.initial["study_country__v"]) == (sites[0].study, None)
