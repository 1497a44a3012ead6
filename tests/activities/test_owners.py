"""Owners of sites, visits and activities: who gets a new record, who may be chosen at each door, and what *my* is."""

from __future__ import annotations

import datetime as dt
import importlib
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.db import connection, models
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, save_record
from ctms.clinical.models import MonitoringEvent, StudySite
from ctms.core.clock import get_now
from ctms.core.models import AuditedModel
from ctms.records.access import open_object
from ctms.records.conditions.mine import MINE_HERE, find_mine, limit_to_owned
from ctms.records.lists.filters import read_filters
from tests.activities.generation import configure_automation, generate, list_generated
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.api.conftest import Caller, build_caller
from tests.records.bulk.steps import do_edit, do_import, list_problems

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, SITE = Activity.object_name, StudySite.object_name
CRA_PERMISSIONS = [f"{ACTIVITY}:{action}" for action in ("read", "create", "edit")] + [
    f"{name}:read" for name in (SITE, "study__v", "study_country__v", "person__sys")
]


@pytest.fixture
def cra_profile() -> Any:
    return SecurityProfileFactory.create(permissions=CRA_PERMISSIONS)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_admin_user())
    return client


def act_as(user: User) -> Actor:
    return Actor(user=user, source="page")


# -- Who gets a new record ------------------------------------------------------------------------
def test_a_new_record_belongs_to_the_owner_of_its_site_or_else_to_whoever_makes_it() -> None:
    colleague, writer = UserFactory.create_batch(2)
    owned, free = StudySiteFactory.create(owner=colleague), StudySiteFactory.create()
    as_writer = act_as(writer)
    visit = MonitoringEventFactory.create(site=owned)
    at_visit = Activity(
        person=PersonFactory.create(), monitoring_event=visit, date=dt.date(2026, 3, 2), channel="phone__v"
    )
    save_record(record=at_visit, actor=as_writer)
    medical = MedicalActivityFactory.create(site=owned, actor=as_writer)
    made_by_job = ActivityFactory.create(actor=build_system_actor(source="job", reference="1"))
    made_by_program = ActivityFactory.create(actor=act_as(ServiceAccountFactory.create()))
    given = ActivityFactory.create(site=owned, owner=writer, actor=as_writer)
    assert [
        each.owner
        for each in (
            StudySiteFactory.create(),
            visit,
            at_visit,
            ActivityFactory.create(site=free, actor=as_writer),
            ActivityFactory.create(actor=as_writer),
            medical,
            made_by_job,
            made_by_program,
            given,
        )
    ] == [None, colleague, colleague, writer, writer, None, None, None, writer]
    created = AuditEntry.objects.get(record_uid=at_visit.uid)
    assert (created.changes["owner"], created.words["owner"]["after"]) == ([None, colleague.pk], str(colleague))


def test_many_records_get_their_owners_in_one_statement() -> None:
    person = PersonFactory.create()
    counts = []
    for number in (2, 6):
        sites = [StudySiteFactory.create(owner=UserFactory.create()) for _ in range(number)]
        rows = [
            Activity(person=person, site_id=site.pk, study_id=site.study_id, study_country_id=site.study_country_id)
            for site in sites
        ]
        for each in rows:
            each.date, each.channel = dt.date(2026, 3, 2), "phone__v"
        with CaptureQueriesContext(connection) as queries:
            create_records(records=rows, actor=build_admin_actor())
        counts.append(len(queries))
        assert [each.owner_id for each in rows] == [site.owner_id for site in sites]
    assert counts[0] == counts[1]


def test_what_is_generated_belongs_to_the_owner_of_its_visit_or_else_of_its_site() -> None:
    configure_automation()
    of_visit, of_site = UserFactory.create_batch(2)
    site = StudySiteFactory.create(owner=of_site)
    member = StudyPersonFactory.create(site=site)
    visit = MonitoringEventFactory.create(site=site, owner=of_visit)
    MonitoringEventParticipantFactory.create(monitoring_event=visit, person=member.person)
    log = StudyCommunicationLogFactory.create(site=site)
    StudyCommunicationContactFactory.create(communication=log, person=member.person)
    generate()
    assert [each.owner for each in list_generated()] == [of_visit, of_site]
    visit.refresh_from_db()
    visit.owner = of_site
    save_record(record=visit, actor=build_admin_actor())
    generate()
    assert [each.owner for each in list_generated()] == [of_visit, of_site]


def test_the_migration_gives_what_exists_to_whoever_entered_it_and_changes_nothing_else() -> None:
    configure_automation()
    writer = UserFactory.create()
    visit = MonitoringEventFactory.create(actor=act_as(writer))
    member = StudyPersonFactory.create(site=visit.site)
    MonitoringEventParticipantFactory.create(monitoring_event=visit, person=member.person)
    generate()
    [generated] = list_generated()
    logged = ActivityFactory.create(actor=act_as(writer))
    medical = MedicalActivityFactory.create(actor=act_as(writer))
    rows: list[AuditedModel] = [visit, generated, logged, medical]
    before = [(type(each).objects.get(pk=each.pk).version, each.modified_at) for each in rows]
    entries = AuditEntry.objects.count()
    for model in (Activity, MonitoringEvent):
        models.QuerySet(model).update(owner=None)
    for module in (
        "ctms.clinical.migrations.0007_visits_have_owners",
        "activities.migrations.0005_activities_have_owners",
    ):
        importlib.import_module(module).fill_owners(apps, None)
    for each in rows:
        each.refresh_from_db()
    assert [each.owner for each in rows] == [writer, writer, writer, None]  # type: ignore[attr-defined]
    assert [(each.version, each.modified_at) for each in rows] == before
    assert AuditEntry.objects.count() == entries


# -- Who may be chosen ----------------------------------------------------------------------------
def create_team(profile: Any, site: StudySite) -> dict[str, User]:
    """Create a user for each way in which a user sees a site, or does not."""
    other = StudySiteFactory.create()
    neighbour = StudySiteFactory.create(study_country=site.study_country)
    users = {
        name: UserFactory.create(last_name=name, security_profile=profile)
        for name in ("Study", "Country", "Site", "Neighbour", "Elsewhere", "Ended", "Inactive", "Left")
    }
    StudyAssignmentFactory.create(user=users["Study"], study=site.study)
    StudyAssignmentFactory.create(user=users["Country"], study=site.study, study_country=site.study_country)
    StudyAssignmentFactory.create(user=users["Site"], study=site.study, site=site)
    StudyAssignmentFactory.create(user=users["Neighbour"], study=site.study, site=neighbour)
    StudyAssignmentFactory.create(user=users["Elsewhere"], study=other.study)
    yesterday = get_now().date() - dt.timedelta(days=1)
    StudyAssignmentFactory.create(user=users["Ended"], study=site.study, valid_until=yesterday)
    StudyAssignmentFactory.create(user=users["Inactive"], study=site.study)
    StudyAssignmentFactory.create(user=users["Left"], study=site.study)
    User.objects.filter(pk=users["Inactive"].pk).update(is_active=False)
    User.objects.filter(pk=users["Left"].pk).update(valid_until=yesterday)
    return users


def create_program(profile: Any, site: StudySite) -> User:
    """Create the account of a program that sees the site's study."""
    program = ServiceAccountFactory.create(first_name="Uma", last_name="Program", security_profile=profile)
    StudyAssignmentFactory.create(user=program, study=site.study)
    return program


def look_up(client: Client, /, of: str = ACTIVITY, **parameters: Any) -> list[str]:
    answer = client.get(f"/records/{of}/lookup/ownerid__v/", {"q": "uma", **parameters})
    return [each["label"].split()[1] for each in answer.json()["results"]]


def test_only_active_users_who_see_the_place_are_offered(admin: Client, cra_profile: Any) -> None:
    site = StudySiteFactory.create()
    create_team(cra_profile, site)
    assert look_up(admin, site__v=site.uid) == ["Country", "Site", "Study"]
    assert look_up(admin, study_country__v=site.study_country.uid) == ["Country", "Neighbour", "Site", "Study"]
    assert look_up(admin, of=SITE, study__v=site.study.uid) == ["Country", "Neighbour", "Site", "Study"]
    assert look_up(admin, site__v=site.uid, q="ountr") == ["Country"]
    assert "Elsewhere" in look_up(admin)
    create_program(cra_profile, site)
    assert "Program" not in look_up(admin)


def test_the_api_takes_whoever_sees_the_place_and_says_why_another_is_refused(cra_profile: Any) -> None:
    caller: Caller = build_caller(UserFactory.create(is_superuser=True))
    site = StudySiteFactory.create()
    team = create_team(cra_profile, site)
    site.owner = team["Study"]
    save_record(record=site, actor=build_admin_actor())
    activity = ActivityFactory.create(site=site)
    path = f"{ACTIVITY}/{activity.uid}/"

    def send(**values: Any) -> Any:
        return caller.patch(path, values, etag=caller.get(path).headers["ETag"])

    # The owner of an activity need not be that of its site.
    assert send(ownerid__v=str(team["Site"].uid)).status_code == 200
    team["Program"] = create_program(cra_profile, site)
    for name in ("Neighbour", "Elsewhere", "Inactive", "Program"):
        answer = send(ownerid__v=str(team[name].uid))
        assert (answer.status_code, "ownerid__v" in str(answer.json())) == (400, True), name
    # Whoever loses access stays the owner, and other fields can be changed.
    User.objects.filter(pk=team["Site"].pk).update(is_active=False)
    changed = send(subject__v="Changed", ownerid__v=caller.get(path).json()["ownerid__v"])
    assert (changed.status_code, changed.json()["ownerid__v"]["name__v"]) == (200, "Uma Site")


def test_a_bulk_edit_and_an_import_name_owners_and_refuse_whoever_does_not_see_the_place(
    admin: Client, cra_profile: Any
) -> None:
    site, elsewhere = StudySiteFactory.create(external_id="S-1"), StudySiteFactory.create(external_id="S-2")
    StudySiteFactory.create(external_id="S-3")
    team = create_team(cra_profile, site)
    operation = do_edit(admin, SITE, [site, elsewhere], ownerid__v=str(team["Study"].uid))
    assert operation.counts == {"changed": 1, "failed": 1}
    site.refresh_from_db()
    assert site.owner == team["Study"]
    content = f"External ID,Owner\nS-1,{team['Site'].email.upper()}\nS-2,Uma Neighbour\nS-3,nobody\n"
    operation = do_import(admin, SITE, content)
    assert (operation.counts, [each[1] for each in list_problems(operation)]) == (
        {"changed": 1, "failed": 2},
        ["Owner"] * 2,
    )
    site.refresh_from_db()
    assert site.owner == team["Site"]


def test_the_form_leaves_the_owner_to_the_vault_and_keeps_one_who_is_chosen(client: Client, cra_profile: Any) -> None:
    writer = UserFactory.create(security_profile=cra_profile)
    site = StudySiteFactory.create()
    StudyAssignmentFactory.create(user=writer, study=site.study)
    person = StudyPersonFactory.create(site=site).person
    team = create_team(cra_profile, site)
    client.force_login(writer)
    given = {
        "person__v": str(person.uid),
        "site__v": str(site.uid),
        "date__v": "2026-03-02",
        "channel__v": "phone__v",
        "status__v": "active__v",
        "object_type__v": "clinical_activity__v",
        "shown_type": "clinical_activity__v",
    }
    for owner, expected in (
        ("", writer),
        (team["Study"].username, team["Study"]),
        (str(team["Site"].uid), team["Site"]),
    ):
        typed = {"ownerid__v": owner} if owner.count("-") == 4 else {"ownerid__v": "", "ownerid__v__text": owner}
        answer = client.post(f"/records/{ACTIVITY}/create/", given | typed)
        assert answer.status_code == 302, answer.context["form"].errors
        made = Activity.objects.order_by("-pk")[0]
        assert made.owner == expected
        shown = client.get(f"/records/{ACTIVITY}/{made.uid}/").content.decode()
        assert str(expected) in shown


# -- What is mine ---------------------------------------------------------------------------------
def test_mine_is_what_i_own_and_what_is_at_my_sites_by_whichever_way_it_is_asked(cra_profile: Any) -> None:
    user = UserFactory.create(security_profile=cra_profile)
    mine, other = StudySiteFactory.create(owner=user), StudySiteFactory.create()
    for site in (mine, other):
        StudyAssignmentFactory.create(user=user, study=site.study)
    colleague = UserFactory.create()
    at_my_site = ActivityFactory.create(site=mine, owner=colleague)
    owned = ActivityFactory.create(site=other, owner=user)
    ActivityFactory.create(site=other)
    access = open_object(user=user, object_name=ACTIVITY)
    address = QueryDict(urlencode(MINE_HERE))
    filters = read_filters(access=access, parameters=address)
    assert set(filters.limit(access.list_records())) == {at_my_site, owned}
    assert set(limit_to_owned(access.list_records(), user)) == {at_my_site, owned}
    assert [find_mine(each) is not None for each in (StudySite, MonitoringEvent, Activity)] == [True] * 3
    assert [each.text for each in filters.list_active()] == ["Owner: me, or Site: my sites"]


def test_the_list_says_whose_a_record_is_and_can_be_filtered_by_it(admin: Client) -> None:
    owner = UserFactory.create(first_name="Olga", last_name="Owner", username="olga")
    StudySiteFactory.create(owner=owner, site_name="Charité")
    country = StudyCountryFactory.create()
    StudySiteFactory.create(study_country=country, site_name="Orphan")
    shown = [
        [
            name in admin.get(f"/records/{SITE}/?{query}").content.decode()
            for name in ("Charité", "Orphan", "Olga Owner")
        ]
        for query in ("", "ownerid__v=olga", "ownerid__v__empty=true", "ownerid__v=me")
    ]
    assert shown == [[True, True, True], [True, False, True], [False, True, False], [False, False, False]]
