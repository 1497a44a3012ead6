"""Users see the studies that they are assigned to, unless their profile sees all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.accounts import policies
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyAssignment,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.configuration.scope import list_study_paths
from ctms.jobs.models import JobDefinition
from ctms.records.access import open_object
from ctms.records.models import SavedView
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
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
from tests.factories.connections import ConnectionFactory
from tests.record_rows import OBJECTS

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

OF_A_SITE: dict[type[models.Model], Callable[[StudySite], Any]] = {
    Activity: lambda site: ActivityFactory.create(site=site),
    MonitoringEvent: lambda site: MonitoringEventFactory.create(site=site),
    MonitoringEventParticipant: lambda site: MonitoringEventParticipantFactory.create(
        monitoring_event=MonitoringEventFactory.create(site=site)
    ),
    Study: lambda site: site.study,
    StudyCommunicationContact: lambda site: StudyCommunicationContactFactory.create(
        communication=StudyCommunicationLogFactory.create(site=site)
    ),
    StudyCommunicationLog: lambda site: StudyCommunicationLogFactory.create(site=site),
    StudyCountry: lambda site: site.study_country,
    StudyPerson: lambda site: StudyPersonFactory.create(site=site),
    StudySite: lambda site: site,
}


def assign(user: User, study: Study) -> None:
    StudyAssignmentFactory.create(user=user, study=study)


def list_visible(model: type[models.Model], user: User) -> set[Any]:
    return set(policies.list_visible(model._default_manager.all(), user))


@pytest.mark.parametrize("model", OF_A_SITE, ids=lambda model: model.__name__)
def test_records_of_other_studies_are_invisible(model: type[models.Model]) -> None:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create())
    mine, foreign = (OF_A_SITE[model](site) for site in StudySiteFactory.create_batch(2))
    site_of_mine = StudySite.objects.first()
    assert site_of_mine is not None
    assign(user, site_of_mine.study)
    assert list_visible(model, user) == {mine}
    assert {mine, foreign} <= set(model._default_manager.all())


@pytest.mark.parametrize("sees", ["profile", "superuser"])
def test_who_sees_all_studies_sees_all(sees: str) -> None:
    profile = SecurityProfileFactory.create(sees_all_studies=sees == "profile")
    user = UserFactory.create(security_profile=profile, is_superuser=sees == "superuser")
    sites = set(StudySiteFactory.create_batch(2))
    assert list_visible(StudySite, user) == sites


def test_a_user_without_profile_and_assignment_sees_no_study() -> None:
    StudyCountryFactory.create()
    assert list_visible(Study, UserFactory.create()) == set()


def test_medical_activities_without_a_study_are_hidden_by_none() -> None:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create())
    medical = MedicalActivityFactory.create()
    ActivityFactory.create(site=StudySiteFactory.create())
    assert list_visible(Activity, user) == {medical}


def test_an_activity_of_a_team_without_a_study_is_its_authors_alone() -> None:
    author, other = (UserFactory.create(security_profile=SecurityProfileFactory.create()) for _ in range(2))
    activity = ActivityFactory.create(actor=Actor(user=author, source="page"))
    assert (list_visible(Activity, author), list_visible(Activity, other)) == ({activity}, set())


def test_emptying_the_study_shows_an_activity_to_nobody_new() -> None:
    team, other = (UserFactory.create(security_profile=SecurityProfileFactory.create()) for _ in range(2))
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(site=site)
    assign(team, site.study)
    assert (list_visible(Activity, team), list_visible(Activity, other)) == ({activity}, set())
    activity.site = activity.study_country = activity.study = None
    save_record(record=activity, actor=Actor(user=team, source="page"))
    assert (list_visible(Activity, team), list_visible(Activity, other)) == (set(), set())


def test_persons_belong_to_no_study_and_who_sees_all_studies_sees_them_all() -> None:
    person = PersonFactory.create()
    assert list_study_paths(Person) == []
    assert list_visible(Person, UserFactory.create(is_superuser=True)) == {person}
    assert list_visible(Person, UserFactory.create()) == set()


NAMING: dict[str, Callable[[StudySite], Person | None]] = {
    "a study person": lambda site: StudyPersonFactory.create(site=site).person,
    "the principal investigator": lambda site: site.principal_investigator,
    "an activity": lambda site: ActivityFactory.create(site=site).person,
    "a participant": lambda site: (
        MonitoringEventParticipantFactory.create(monitoring_event=MonitoringEventFactory.create(site=site)).person
    ),
    "a contact": lambda site: (
        StudyCommunicationContactFactory.create(communication=StudyCommunicationLogFactory.create(site=site)).person
    ),
}


@pytest.mark.parametrize("way", NAMING)
def test_a_person_is_known_to_those_who_see_a_record_that_names_the_person(way: str) -> None:
    site, foreign = StudySiteFactory.create_batch(2)
    person, unknown = NAMING[way](site), NAMING[way](foreign)
    assert person is not None
    team = UserFactory.create(security_profile=SecurityProfileFactory.create())
    assign(team, site.study)
    seen = list_visible(Person, team)
    assert person in seen
    assert unknown not in seen


def test_a_person_is_known_to_who_entered_it_or_logged_an_activity_with_it() -> None:
    author, other = (UserFactory.create(security_profile=SecurityProfileFactory.create()) for _ in range(2))
    entered = PersonFactory.create(actor=Actor(user=author, source="page"))
    met = ActivityFactory.create(actor=Actor(user=author, source="page")).person
    assert list_visible(Person, author) == {entered, met}
    assert list_visible(Person, other) == set()


# -- What the console keeps of records ------------------------------------------------------------
def test_the_audit_trail_of_records_is_seen_with_them_and_that_of_the_set_up_by_all_who_may() -> None:
    team = UserFactory.create(security_profile=SecurityProfileFactory.create())
    mine, foreign = StudySiteFactory.create_batch(2)
    connection = ConnectionFactory.create()
    assign(team, mine.study)
    seen = {entry.record_uid for entry in list_visible(AuditEntry, team)}
    assert {mine.uid, mine.study.uid, connection.uid} <= seen
    assert not {foreign.uid, foreign.study.uid} & seen
    everything = list_visible(AuditEntry, UserFactory.create(is_superuser=True))
    assert {foreign.uid, mine.uid, connection.uid} <= {entry.record_uid for entry in everything}


def test_every_model_with_a_study_has_a_path_to_it() -> None:
    models_of_studies: list[type[models.Model]] = [*OF_A_SITE, StudyAssignment]
    found = {model: list_study_paths(model) for model in models_of_studies}
    assert found == {
        Activity: ["study"],
        MonitoringEvent: ["study"],
        MonitoringEventParticipant: ["monitoring_event__study"],
        Study: ["pk"],
        StudyAssignment: ["study"],
        StudyCommunicationContact: ["communication__study"],
        StudyCommunicationLog: ["study"],
        StudyCountry: ["study"],
        StudyPerson: ["study"],
        StudySite: ["study"],
    }


@pytest.mark.parametrize("model", [SavedView, JobDefinition], ids=lambda each: each.__name__)
def test_of_a_model_that_no_object_is_of_nobody_sees_anything(model: type[models.Model]) -> None:
    admin = UserFactory.create(is_superuser=True)
    SavedView.objects.create(user=admin, of_object="study__v", name="Mine")
    assert list_visible(model, admin) == set()
    assert model._default_manager.exists()


def count_reads_of_assignments(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as statements:
        client.get(url)
    # Without those about other users, such as who could be asked to take a site over.
    return sum('FROM "clinical_studyassignment"' in each["sql"].split("WHERE")[0] for each in statements)


def test_a_request_asks_once_which_studies_a_user_sees(client: Client) -> None:
    site = StudySiteFactory.create()
    member = UserFactory.create(
        security_profile=SecurityProfileFactory.create(permissions=[f"{name}:read" for name in OBJECTS])
    )
    assignment = StudyAssignmentFactory.create(user=member, study=site.study)
    ActivityFactory.create(site=site)
    client.force_login(member)
    for url in (
        "/records/crm_activity__v/",
        "/records/person__sys/",
        f"/records/site__v/{site.uid}/",
        "/search/?q=Hospital",
    ):
        assert count_reads_of_assignments(client, url) == 1, url
    # What ended between two requests has ended, and so between two statements of a job.
    access = open_object(user=member, object_name="site__v")
    assert access.list_records().exists()
    delete_record(record=assignment, actor=Actor(user=member, source="page"))
    assert not access.list_records().exists()
    assert client.get(f"/records/site__v/{site.uid}/").status_code == 404


def test_entries_about_assignments_to_other_studies_are_hidden_and_other_entries_of_the_set_up_stay() -> None:
    profile = SecurityProfileFactory.create()
    assignment = StudyAssignmentFactory.create(user=UserFactory.create(security_profile=profile))
    foreign = StudyAssignmentFactory.create()
    ended = StudyAssignmentFactory.create()
    delete_record(record=ended, actor=Actor(user=assignment.user, source="page"))
    seen = policies.list_visible(AuditEntry.objects.all(), assignment.user)
    uids = set(seen.values_list("record_uid", flat=True))
    assert {assignment.uid, profile.uid} <= uids
    assert not {foreign.uid, ended.uid} & uids
