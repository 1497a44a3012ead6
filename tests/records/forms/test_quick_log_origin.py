"""The quick log takes over what the page gives, and says who is meant."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.choices import ActivityType
from ctms.accounts.models import User
from ctms.clinical.models import StudyPerson
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.forms.quick_log_steps import QUICK, SEEN, look_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


# -- What the page gives ------------------------------------------------------------------------------------------
def open_from(client: Client, record: Any) -> Any:
    return client.get(f"{QUICK}?from={record.object_name}:{record.uid}")


def list_filled(answer: Any) -> dict[str, Any]:
    """What the references of the form hold, by name."""
    initial = answer.context["form"].initial
    return {name: initial[name] for name in ("person__v", "site__v", "study__v") if initial.get(name)}


@pytest.fixture
def role() -> StudyPerson:
    return StudyPersonFactory.create()


def test_every_page_names_its_record_in_the_link(client: Client, user: User) -> None:
    site = StudySiteFactory.create()

    frame = client.get(f"/records/site__v/{site.uid}/").context["frame"]

    assert frame.quick_log.url == f"{QUICK}?from=site__v:{site.uid}"
    assert [(each.label, "data-focus" in each.html) for each in frame.quick_log.inputs] == [
        ("Person", True),
        ("Subject", False),
    ]


def test_person_site_and_study_of_the_page_are_taken_over(client: Client, user: User, role: StudyPerson) -> None:
    person, site, study = role.person, role.site, role.study
    event = MonitoringEventFactory.create(site=site)
    activity = ActivityFactory.create(person=person, site=site, study=study)
    place = {"site__v": site, "study__v": study}

    cases: list[tuple[Any, dict[str, Any]]] = [
        (role, {"person__v": [person], **place}),
        (person, {"person__v": [person]}),
        (site, place),
        (study, {"study__v": study}),
        (event, place),
        (activity, {"person__v": [person], **place}),
    ]
    for record, filled in cases:
        answer = open_from(client, record)
        assert list_filled(answer) == filled, record
        assert answer.context["back_url"] == f"/records/{record.object_name}/{record.uid}/"


def test_a_visit_is_taken_over_where_activities_have_it(client: Client, user: User) -> None:
    assign("monitoring_event__v")
    event = MonitoringEventFactory.create()
    participant = MonitoringEventParticipantFactory.create(monitoring_event=event)

    answer = open_from(client, event)
    assert answer.context["form"].initial["monitoring_event__v"] == event

    found = look_up(client, monitoring_event__v=event.uid)["results"]
    assert found[0]["uid"] == str(participant.person.uid)


def assign(name: str) -> None:
    object_type = ObjectType.objects.get(of_object="crm_activity__v", api_name=ActivityType.CLINICAL)
    decide_fields(
        object_type=object_type,
        decisions={name: FieldDecision(is_assigned=True, is_required=False)},
        actor=build_admin_actor(),
    )


@pytest.mark.parametrize(
    "text",
    ["", "site__v", "site__v:nothing", "nothing:2", "site__v:6602064d-8dfb-4320-b9d4-af3bdaa4e0ff", "user:1\x00"],
)
def test_a_page_that_names_no_record_gives_nothing(client: Client, user: User, text: str) -> None:
    answer = client.get(QUICK, {"from": text})

    assert (answer.status_code, list_filled(answer)) == (200, {})


def test_a_page_that_the_user_may_not_see_gives_nothing(client: Client) -> None:
    """Neither the record nor, in the suggestions, who has to do with it."""
    permissions = [f"{name}:{action}" for name in SEEN for action in ("read", "create")]
    member = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    mine, hidden = StudyPersonFactory.create(), StudyPersonFactory.create()
    StudyAssignmentFactory.create(user=member, study=mine.study)
    client.force_login(member)

    assert list_filled(open_from(client, hidden.site)) == {}
    assert list_filled(open_from(client, mine.site)) == {"site__v": mine.site, "study__v": mine.study}
    assert hidden.site is not None
    found = look_up(client, site__v=hidden.site.uid, together=1)
    assert found == {"results": [], "more": False}


# -- Who is meant -------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_who_is_likely_comes_first_and_is_told_apart(client: Client, user: User) -> None:
    leader = InvestigatorFactory.create(first_name="Diego", last_name="Peña", email="d@x.example")
    site = StudySiteFactory.create(name="03201", city="Buenos Aires", principal_investigator=leader)
    other = StudySiteFactory.create(study_country=site.study_country, name="00100", principal_investigator=None)
    stranger = PersonFactory.create(first_name="Diego", last_name="Peña", email="a@x.example")
    elsewhere, here = (
        StudyPersonFactory.create(
            person=PersonFactory.create(first_name="Diego", last_name="Peña", email=f"{email}@x.example"),
            site=place,
        )
        for email, place in (("b", other), ("c", site))
    )
    # A newer role at another site is told after the one here.
    StudyPersonFactory.create(person=here.person)

    answer = look_up(client, site__v=site.uid, study__v=site.study.uid, q="peña")

    assert [each["uid"] for each in answer["results"]] == [
        str(each.uid) for each in (leader, here.person, elsewhere.person, stranger)
    ]
    assert answer["results"][0]["detail"].endswith("Principal investigator, 03201, Buenos Aires")
    assert f"Study coordinator, 03201, Buenos Aires, {site.study} · " in answer["results"][1]["detail"]


@pytest.mark.usefixtures("stopped_clock")
def test_suggestions_take_as_many_statements_for_many_people(client: Client, user: User) -> None:
    site = StudySiteFactory.create()

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            look_up(client, site__v=site.uid, study__v=site.study.uid)
        return len(queries)

    StudyPersonFactory.create(site=site)
    count()  # what is kept between requests
    few = count()
    for _ in range(3):
        StudyPersonFactory.create(site=site)
        StudyPersonFactory.create(site=StudySiteFactory.create(study_country=site.study_country))
    assert count() == few


def test_the_sites_of_a_person_come_first(client: Client, user: User) -> None:
    StudySiteFactory.create(name="0001")
    site = StudySiteFactory.create(name="0009")
    role = StudyPersonFactory.create(site=site)

    found = look_up(client, "site__v", person__v=role.person.uid)["results"]

    assert found[0]["uid"] == str(site.uid)
