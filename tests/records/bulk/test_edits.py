"""Bulk edit: the selection of records, the values to set, and refusals of single records."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.records.bulk import edits, runner
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_sites
from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.factories.configuration import activate_medical_activities
from tests.records.bulk.steps import (
    confirm,
    do_edit,
    list_problems,
    list_sources,
    prepare_edit,
    run_job,
    start_edit,
)
from tests.records.trainings import OBJECT as TRAINING
from tests.records.trainings import add_custom_fields, create_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, PERSON, SITE, STUDY = "crm_activity__v", "person__sys", "site__v", "study__v"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def make_activities(number: int, **values: Any) -> list[Activity]:
    people = list(Person.objects.all()) or [PersonFactory.create()]
    return create_activities(number, people=people, **values)


def list_messages(client: Client, url: str) -> list[str]:
    return [str(message) for message in client.get(url).context["messages"]]


# -- Which records --------------------------------------------------------------------------------
def test_chosen_records_get_the_values_as_the_user(client: Client, user: User) -> None:
    chosen, other = make_activities(2, complete=False), ActivityFactory.create()
    operation = do_edit(client, ACTIVITY, chosen, complete__v="yes", channel__v=Channel.VIDEO)
    values = set(Activity.objects.values_list("pk", "complete", "channel", "version"))
    assert values == {(chosen[0].pk, True, "video__v", 2), (chosen[1].pk, True, "video__v", 2)} | {
        (other.pk, False, "phone__v", 1)
    }
    assert (operation.state, operation.message, operation.content) == ("done", "2 changed.", "")
    assert list_sources(chosen[0].uid)[-1] == ("job", f"bulk edit {operation.uid}", "carla")


def test_all_matching_are_those_that_the_list_would_show(client: Client) -> None:
    make_activities(6, channel=Channel.PHONE, complete=False, subject="Call")
    make_activities(3, channel=Channel.EMAIL, complete=False)
    query = "channel__v=phone__v&q=call&sort=-date__v&size=25"
    response = start_edit(client, ACTIVITY, [], query=query, complete__v="maybe")
    assert response.context["criteria"] == ["Channel: Phone", "“call”"]
    assert "Edit 6 activities" in response.content.decode()
    do_edit(client, ACTIVITY, [], query=query, complete__v="yes")
    assert set(Activity.objects.filter(complete=True).values_list("channel", flat=True)) == {"phone__v"}
    assert Activity.objects.filter(complete=True).count() == 6


def test_the_lists_own_parameters_may_stand_in_the_address(client: Client) -> None:
    make_activities(2, channel=Channel.PHONE)
    make_activities(1, channel=Channel.EMAIL)
    response = client.get(f"/records/{ACTIVITY}/bulk/?all=1&channel__v=phone__v")
    assert response.context["number"] == 2


def test_what_was_confirmed_is_what_is_changed(client: Client) -> None:
    (first,) = make_activities(1, channel=Channel.PHONE)
    operation = prepare_edit(client, ACTIVITY, [], query="channel__v=phone__v", subject__v="New")
    make_activities(1, channel=Channel.PHONE)
    confirm(client, operation)
    run_job(operation)
    assert list(Activity.objects.filter(subject="New")) == [first]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "Choose activities in the list first; there are none here that you can see."),
        ({"uids": "nonsense"}, "uids: one of these is no UID. Choose the records in the list again."),
        (
            {"all": "1", "query": "nonsense=1"},
            "nonsense: Activities cannot be filtered by this.",
        ),
    ],
)
def test_records_that_cannot_be_told_lead_back_to_the_list(client: Client, data: dict[str, str], message: str) -> None:
    response: Any = client.post(f"/records/{ACTIVITY}/bulk/", data)
    assert response.url == f"/records/{ACTIVITY}/"
    assert list_messages(client, response.url) == [message]


def test_there_is_a_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "MOST_RECORDS", 1)
    make_activities(2)
    response = start_edit(client, ACTIVITY, [], subject__v="New")
    assert list_messages(client, response.url) == ["These are more than 1 activities. Narrow the list by a filter."]


# -- Which fields ---------------------------------------------------------------------------------
def test_fields_that_records_cannot_share_are_not_offered(client: Client) -> None:
    code = CustomField(of_object=STUDY, label="Code", api_name="code__c", kind="text", is_unique=True)
    save_record(record=code, actor=build_admin_actor())
    study = StudyFactory.create()
    response = client.get(f"/records/{STUDY}/bulk/?uids={study.uid}")
    offered = [row["field"].api_name for row in response.context["rows"]]
    assert not {"name__v", "code__c", "external_id__v", "uid__sys", "object_type__v", "created_date__v"}.intersection(
        offered
    )
    assert {"status__v", "sponsor__v", "study_phase__v", "send_to_crm__v"} <= set(offered)
    cleared = [row["field"].api_name for row in response.context["rows"] if row["may_be_cleared"]]
    assert not {"status__v", "send_to_crm__v"}.intersection(cleared)


def test_only_what_is_ticked_is_set_and_asked_about(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    data = {"uids": str(activity.uid), "step": "preview", "change": "notes__v", "notes__v": "New"}
    response: Any = client.post(f"/records/{ACTIVITY}/bulk/", data | {"subject__v": "Typed", "date__v": "nonsense"})
    page = client.get(client.get(response.url).url)  # type: ignore[attr-defined]
    assert page.context["changes"] == [("Notes", "New")]


def test_mistakes_are_named_and_nothing_typed_is_lost(client: Client) -> None:
    activity = ActivityFactory.create()
    data = {
        "uids": str(activity.uid),
        "step": "preview",
        "change": ["date__v", "subject__v", "study__v"],
        "date__v": "nonsense",
        "study__v__text": "Nowhere",
    }
    response = client.post(f"/records/{ACTIVITY}/bulk/", data)
    form = response.context["form"]
    assert form.errors["date__v"] == ["This is no date. Write it as 2026-03-31 or 31 Mar 2026."]
    assert form.errors["subject__v"] == ["Say what to set, or tick “clear”."]
    assert form.errors["study__v"][0].startswith("There is no active study “Nowhere”")
    page = response.content.decode()
    assert ('value="nonsense"' in page, 'value="Nowhere"' in page, page.count("checked")) == (True, True, 3)
    response = client.post(f"/records/{ACTIVITY}/bulk/", {"uids": str(activity.uid), "step": "preview"})
    assert response.context["form"].errors == {"change": ["Tick the fields that you want to change."]}


def test_a_field_is_cleared(client: Client) -> None:
    site = StudySiteFactory.create(city="Berlin")
    do_edit(client, SITE, [site], city__v=None, principal_investigator__v=None)
    site.refresh_from_db()
    assert (site.city, site.principal_investigator) == ("", None)


def test_references_are_set_by_uid_or_name(client: Client) -> None:
    sites = create_sites(2, study_country=StudyCountryFactory.create())
    person = PersonFactory.create(first_name="Ann", last_name="Smith")
    do_edit(client, SITE, sites[:1], principal_investigator__v=str(person.uid))
    data = {"uids": str(sites[1].uid), "step": "preview", "change": "principal_investigator__v"}
    response: Any = client.post(f"/records/{SITE}/bulk/", data | {"principal_investigator__v__text": "Ann Smith"})
    operation = BulkOperation.objects.get(uid=response.url.split("/")[-2])
    confirm(client, operation)
    run_job(operation)
    for site in sites:
        site.refresh_from_db()
        assert site.principal_investigator == person


def test_status_and_custom_fields_are_set(client: Client) -> None:
    add_custom_fields()
    trainings = create_trainings()
    person = PersonFactory.create()
    values: dict[str, Any] = {
        "status__v": "inactive__v",
        "number__c": "7.5",
        "date__c": "2026-03-31",
        "yes_no__c": "no",
        "picklist__c": "blue",
        "person__c": str(person.uid),
        "text__c": None,
    }
    operation = do_edit(client, TRAINING, trainings, **values)
    assert (operation.counts, list_problems(operation)) == ({"changed": 7}, [])
    for training in trainings:
        training.refresh_from_db()
        kept = {name: training.custom_fields.get(name) for name in values if name.endswith("__c")}
        assert (training.status, kept) == (
            "inactive__v",
            {
                "number__c": 7.5,
                "date__c": "2026-03-31",
                "yes_no__c": False,
                "picklist__c": "blue",
                "person__c": str(person.uid),
                "text__c": None,
            },
        )


# -- What is refused ------------------------------------------------------------------------------
def test_the_preview_says_what_cannot_be_changed_and_the_rest_is(client: Client) -> None:
    activate_medical_activities()
    medical = MedicalActivityFactory.create()
    clinical = ActivityFactory.create(subject="Old")
    same = ActivityFactory.create(subject="New")
    operation = prepare_edit(client, ACTIVITY, [clinical, medical, same], subject__v="New")
    response = client.get(f"/records/{ACTIVITY}/bulk/{operation.uid}/")
    assert [(figure.label, figure.number) for figure in response.context["figures"]] == [
        ("To be changed", 1),
        ("Without change", 1),
        ("With errors", 1),
    ]
    assert [(row.name, row.outcome) for row in response.context["rows"]] == [
        ("Old", "Change"),
        (medical.subject or medical.name, "Error"),
        ("New", "No change"),
    ]
    reason = "Medical Activity: this record comes from the Medical CRM; nobody changes it here."
    assert list_problems(operation) == [(2, "", reason)]
    assert "Change 1 activity" in response.content.decode()
    entries = AuditEntry.objects.count()
    confirm(client, operation)
    run_job(operation)
    assert (operation.message, list_problems(operation)) == (
        "1 changed, 1 already as they should be, 1 not changed.",
        [(2, "", reason)],
    )
    assert operation.problems.get().record_uid == medical.uid
    assert AuditEntry.objects.count() == entries + 3  # confirmed, the change, and the end of the operation


def test_a_reference_that_fits_some_records_alone_is_refused_for_the_others(client: Client) -> None:
    site = StudySiteFactory.create(name="0001")
    mine = ActivityFactory.create(study=site.study)
    other = ActivityFactory.create(study=StudyFactory.create(name="S-2"))
    operation = do_edit(client, ACTIVITY, [mine, other], site__v=str(site.uid))
    assert [(number, label) for number, label, _ in list_problems(operation)] == [(2, "Site")]
    mine.refresh_from_db()
    assert (mine.site, mine.study_country) == (site, site.study_country)


def test_what_only_one_may_have_goes_to_the_first(client: Client) -> None:
    sites = create_sites(2, study_country=StudyCountryFactory.create())
    operation = do_edit(client, SITE, sites, name__v="0001")
    assert list_problems(operation) == [
        (2, "Site number", "Record 1 gets the same Study and Site number; only one may have it.")
    ]


def test_deleted_records_are_told(client: Client) -> None:
    first, second = make_activities(2)
    operation = prepare_edit(client, ACTIVITY, [first, second], subject__v="New")
    confirm(client, operation)
    delete_record(record=first, actor=build_admin_actor())
    run_job(operation)
    assert list_problems(operation) == [(1, "", "This activity was deleted, or you cannot see it any more.")]
    assert operation.counts == {"failed": 1, "changed": 1}


def test_the_profile_decides_by_object_type_and_study(client: Client) -> None:
    mine, theirs = StudySiteFactory.create_batch(2)
    profile = SecurityProfileFactory.create(
        permissions=[f"{PERSON}:read", f"{PERSON}.investigator__v:edit", f"{SITE}:read", f"{SITE}:edit"]
    )
    made = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=made, study=mine.study)
    client.force_login(made)
    known, unknown = Actor(user=made, source="page"), None
    people = [
        PersonFactory.create(object_type=name, actor=actor)
        for name, actor in (("person__v", known), ("investigator__v", known), ("investigator__v", unknown))
    ]
    operation = do_edit(client, PERSON, people, phone__v="1")
    assert operation.total == 2
    assert list_problems(operation) == [(1, "", "Your security profile does not allow you to edit Person records.")]
    assert do_edit(client, SITE, [mine, theirs], city__v="Berlin").total == 1
    theirs.refresh_from_db()
    assert theirs.city == ""


def test_who_may_not_edit_has_no_bulk_edit(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=[f"{PERSON}:read"])
    client.force_login(UserFactory.create(security_profile=profile))
    assert client.get(f"/records/{PERSON}/bulk/?all=1").status_code == 403


def test_a_permission_that_was_taken_away_stops_the_job(client: Client, user: User) -> None:
    person = PersonFactory.create()
    operation = prepare_edit(client, PERSON, [person], phone__v="1")
    confirm(client, operation)
    user.is_superuser = False
    user.save()
    run = run_job(operation)
    assert (operation.state, run.state) == ("failed", "failed")
    assert operation.message == "Your security profile does not allow you to read people. Ask an admin."


def test_a_reference_that_went_meanwhile_stops_the_job(client: Client) -> None:
    person = PersonFactory.create(first_name="Ann", last_name="Smith")
    site = StudySiteFactory.create()
    operation = prepare_edit(client, SITE, [site], principal_investigator__v=str(person.uid))
    person.status = RecordStatus.INACTIVE
    save_record(record=person, actor=build_admin_actor())
    page = client.get(f"/records/{SITE}/bulk/{operation.uid}/").content.decode()
    assert "does not fit here" in page
    confirm(client, operation)
    run_job(operation)
    assert operation.state == "failed"
    assert operation.message.startswith("Principal investigator: Ann Smith")


def test_a_custom_field_that_went_meanwhile_stops_the_job(client: Client) -> None:
    add_custom_fields()
    operation = prepare_edit(client, TRAINING, create_trainings(), text__c="New")
    field = CustomField.objects.get(api_name="text__c")
    field.status = RecordStatus.INACTIVE
    save_record(record=field, actor=build_admin_actor())
    confirm(client, operation)
    run_job(operation)
    assert operation.message == "text__c cannot be set any more: an admin changed the fields. Start again."


@pytest.mark.usefixtures("stopped_clock")
def test_statements_do_not_grow_with_records(client: Client) -> None:
    site = StudySiteFactory.create()
    counted = {}
    for number in (2, 40):
        activities = make_activities(number, study=site.study, subject=f"Of {number}")
        response = start_edit(client, ACTIVITY, activities, site__v=str(site.uid), subject__v="New")
        operation = prepare_edit(client, ACTIVITY, activities, site__v=str(site.uid), subject__v="New")
        assert response.status_code == 302
        with CaptureQueriesContext(connection) as checking:
            runner.check_operation(operation)
        with CaptureQueriesContext(connection) as showing:
            client.get(f"/records/{ACTIVITY}/bulk/{operation.uid}/")
        confirm(client, operation)
        with CaptureQueriesContext(connection) as writing:
            run_job(operation)
        assert operation.counts == {"changed": number}
        counted[number] = (len(checking), len(showing), len(writing))
    assert counted[2] == counted[40]


def test_a_user_sees_the_names_of_no_hidden_record(client: Client) -> None:
    hidden = StudySiteFactory.create(name="SECRET")
    profile = SecurityProfileFactory.create(permissions=[f"{SITE}:read", f"{SITE}:edit"])
    client.force_login(UserFactory.create(security_profile=profile))
    response = start_edit(client, SITE, [hidden], city__v="Berlin")
    assert list_messages(client, response.url) == [
        "Choose study sites in the list first; there are none here that you can see."
    ]
    assert Person.objects.exists()


@pytest.mark.parametrize("ends", ["assignment", "account"])
def test_what_ended_between_the_check_and_the_run_changes_nothing(client: Client, ends: str) -> None:
    site = StudySiteFactory.create(city="Bonn")
    profile = SecurityProfileFactory.create(permissions=[f"{SITE}:read", f"{SITE}:edit"])
    made = UserFactory.create(security_profile=profile)
    assignment = StudyAssignmentFactory.create(user=made, study=site.study)
    client.force_login(made)
    operation = prepare_edit(client, SITE, [site], city__v="Berlin")
    confirm(client, operation)
    yesterday = get_now().date() - dt.timedelta(days=1)
    if ends == "assignment":
        assignment.valid_until = yesterday
        save_record(record=assignment, actor=build_admin_actor())
    else:
        made.valid_until = yesterday
        made.save()
    run_job(operation)
    site.refresh_from_db()
    assert site.city == "Bonn"
    expected = {
        "assignment": ("done", [(1, "", "This study site was deleted, or you cannot see it any more.")]),
        "account": ("failed", []),
    }
    assert (operation.state, list_problems(operation)) == expected[ends]


def test_a_user_who_is_deactivated_during_the_run_changes_nothing_more(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [PersonFactory.create(phone="0") for _ in range(3)]
    operation = prepare_edit(client, PERSON, people, phone__v="1")
    confirm(client, operation)
    monkeypatch.setattr(runner, "BATCH_ROWS", 1)
    write_batch = runner._write_batch

    def write_and_deactivate(**arguments: Any) -> None:
        write_batch(**arguments)
        User.objects.filter(pk=user.pk).update(is_active=False)

    monkeypatch.setattr(runner, "_write_batch", write_and_deactivate)
    run_job(operation)
    assert sorted(Person.objects.filter(pk__in=[each.pk for each in people]).values_list("phone", flat=True)) == [
        "0",
        "0",
        "1",
    ]
    assert (operation.state, operation.done) == ("failed", 1)
