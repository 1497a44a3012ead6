"""Imports: the effect of rows, matching of records, permissions, and all or nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from activities.choices import ActivityType
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person, Study, StudyCountry, StudySite
from ctms.configuration.models import CustomField
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.core.models import SAME_NUMBERS
from ctms.records.bulk import runner
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import MedicalActivityFactory
from tests.factories.base import build_admin_actor
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
    do_import,
    list_problems,
    list_sources,
    run_job,
    upload,
)
from tests.records.trainings import add_custom_fields
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PERSON, STUDY, SITE, ACTIVITY, TRAINING = "person__sys", "study__v", "site__v", "crm_activity__v", "training__v"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def log_in_with(client: Client, *permissions: str, **profile: Any) -> User:
    made = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions), **profile))
    client.force_login(made)
    return made


# -- What rows do ---------------------------------------------------------------------------------
def test_records_are_created_changed_and_left_alone_as_the_user(client: Client, user: User) -> None:
    changed = PersonFactory.create(external_id="P-1", first_name="Old", last_name="Name")
    same = PersonFactory.create(external_id="P-2", first_name="Same", last_name="Name")
    content = "Object type,First name,Last name,External ID\nPerson,New,Name,P-1\nPerson,Same,Name,P-2\n,Nina,Neu,P-3\n"
    content = content.replace("\n,Nina", "\nInvestigator,Nina")
    operation = do_import(client, PERSON, content)
    created = Person.objects.get(external_id="P-3")
    for person in (changed, same):
        person.refresh_from_db()
    assert (changed.name, changed.version, same.version) == ("New Name", 2, 1)
    assert (created.name, created.object_type, created.created_by) == ("Nina Neu", "investigator__v", user)
    assert operation.counts == {"created": 1, "changed": 1, "unchanged": 1}
    assert (operation.message, operation.content) == ("1 created, 1 changed, 1 already as they should be.", "")
    reference = f"import {operation.uid}"
    assert list_sources(created.uid) == [("import", reference, "carla")]
    assert list_sources(changed.uid)[-1] == ("import", reference, "carla")
    event = AuditEntry.objects.filter(action="event").latest("id")
    assert (event.reference, event.object_name, event.reason) == (reference, PERSON, f"Import: {operation.message}")


def test_the_same_file_again_changes_nothing(client: Client) -> None:
    site = StudySiteFactory.create()
    person = PersonFactory.create()
    content = (
        "External ID,Person,Date,Channel,Complete,Subject,Notes,Site,Status\n"
        f'A-1,{person.external_id},2 Mar 2026,Phone,yes,"=Sum, of it","Two\r\nlines ",{site.name},active\n'
    )
    do_import(client, ACTIVITY, content)
    entries = AuditEntry.objects.exclude(action="event").count()
    operation = do_import(client, ACTIVITY, content)
    assert operation.counts == {"unchanged": 1}
    assert AuditEntry.objects.exclude(action="event").count() == entries
    activity = Activity.objects.get()
    assert (activity.study, activity.study_country, activity.site) == (site.study, site.study_country, site)
    assert (activity.date, activity.complete, activity.version) == (dt.date(2026, 3, 2), True, 1)


def test_existing_records_can_be_left_as_they_are(client: Client) -> None:
    StudyFactory.create(name="S-1", sponsor="Old")
    content = "Study number,Sponsor\nS-1,New\nS-2,New\n"
    operation = do_import(client, STUDY, content, key="name__v", update_existing="")
    assert operation.counts == {"left_out": 1, "created": 1}
    assert list(Study.objects.order_by("name").values_list("name", "sponsor")) == [("S-1", "Old"), ("S-2", "New")]


@pytest.mark.parametrize(("clear", "expected"), [("", ("Old", "Phase III", True)), ("on", ("", "Phase III", False))])
def test_empty_cells_clear_fields_only_where_that_was_chosen(
    client: Client, clear: str, expected: tuple[str, str, bool]
) -> None:
    StudyFactory.create(name="S-1", sponsor="Old", send_to_crm=True)
    do_import(client, STUDY, "Study number,Sponsor,Send to Medical CRM\nS-1,,\n", key="name__v", clear_empty=clear)
    study = Study.objects.get()
    assert (study.sponsor, study.get_phase_display(), study.send_to_crm) == expected


def test_a_required_field_is_not_cleared(client: Client) -> None:
    PersonFactory.create(external_id="P-1")
    operation = upload(client, PERSON, "External ID,Last name\nP-1,\n", clear_empty="on")
    assert list_problems(operation) == [(2, "Last name", "This field is required.")]


# -- How records are found ------------------------------------------------------------------------
def test_records_are_found_by_uid(client: Client) -> None:
    study = StudyFactory.create(name="S-1")
    content = f"UID,Study number\n{study.uid},S-1a\n,S-2\n{study.pk},S-3\n{NOWHERE},S-4\n"
    operation = do_import(client, STUDY, content, key="uid__sys")
    assert sorted(Study.objects.values_list("name", flat=True)) == ["S-1a", "S-2"]
    assert list_problems(operation) == [
        (4, "UID", f"“{study.pk}” is no UID. Copy it from an export, or leave the cell empty to create a record."),
        (
            5,
            "UID",
            f"There is no study {NOWHERE} that you can see. Leave the cell empty to create one.",
        ),
    ]


def test_the_uid_of_a_deleted_record_makes_no_new_one(client: Client) -> None:
    study = StudyFactory.create()
    uid = study.uid
    delete_record(record=study, actor=build_admin_actor())
    operation = do_import(client, STUDY, f"UID,Study number\n{uid},S-1\n", key="uid__sys")
    assert [message for _, _, message in list_problems(operation)] == [
        f"There is no study {uid} that you can see. Leave the cell empty to create one."
    ]
    assert not Study.objects.exists()


def test_sites_are_found_by_number_within_their_study(client: Client) -> None:
    country = StudyCountryFactory.create(study__name="S-1")
    other = StudyCountryFactory.create(study__name="S-2")
    mine, theirs = (StudySiteFactory.create(study_country=each, name="0001") for each in (country, other))
    content = "Study,Site number,Site name,Study country\nS-1,0001,Charité,\nS-2,0002,Mitte,Germany\n"
    operation = do_import(client, SITE, content, key="study__v+name__v")
    assert operation.counts == {"changed": 1, "created": 1}
    for site in (mine, theirs):
        site.refresh_from_db()
    assert (mine.site_name, theirs.site_name) == ("Charité", "Hospital 0001")
    assert StudySite.objects.get(name="0002").study_country == other


def test_what_an_object_allows_once_finds_its_records(client: Client) -> None:
    country = StudyCountryFactory.create(study__name="S-1")
    page = client.get("/records/study_country__v/import/").content.decode()
    assert "Study and Country" in page
    operation = do_import(
        client, "study_country__v", "Study,Country,External ID\nS-1,DE,C-1\nS-1,FR,C-2\n", key="study__v+country__v"
    )
    country.refresh_from_db()
    assert (operation.counts, country.external_id) == ({"changed": 1, "created": 1}, "C-1")
    assert StudyCountry.objects.get(external_id="C-2").name == "France"


def test_a_name_that_several_have_is_an_error(client: Client) -> None:
    for _ in range(2):
        PersonFactory.create(first_name="Ann", last_name="Smith")
    one = PersonFactory.create(first_name="Bob", last_name="Smith")
    content = "Name,Phone\nAnn Smith,1\nBob Smith,2\n"
    operation = do_import(client, PERSON, content, key="name__v")
    assert list_problems(operation) == [
        (2, "Name", "2 people have this Name. Find them by external ID or UID instead.")
    ]
    one.refresh_from_db()
    assert one.phone == "2"


def test_the_same_record_twice_in_a_file_is_an_error_wherever_it_stands(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 2)
    content = "Study number\nS-1\nS-2\nS-3\nS-1\nS-3\n"
    operation = do_import(client, STUDY, content, key="name__v")
    assert list_problems(operation) == [
        (5, "Study number", "Line 2 is about the same record (Study number). Leave one of the two."),
        (6, "Study number", "Line 4 is about the same record (Study number). Leave one of the two."),
    ]
    assert Study.objects.count() == 3


def test_values_that_only_one_may_have_are_checked_within_the_file_and_against_the_vault(client: Client) -> None:
    StudyFactory.create(name="S-0", external_id="X-0")
    content = "Study number,External ID\nS-0,\nS-1,X-1\nS-2,X-1\nS-3,X-0\n"
    operation = upload(client, STUDY, content, key="none")
    assert list_problems(operation) == [
        (2, "Study number", f"A study of this number exists. {SAME_NUMBERS}"),
        (4, "External ID", "Line 3 gets the same External ID; only one may have it."),
        (5, "External ID", "Another study has this External ID; only one may."),
    ]


# -- Object types, permissions, studies -----------------------------------------------------------
def test_a_new_record_needs_a_type_where_there_is_a_choice(client: Client) -> None:
    operation = upload(client, PERSON, "Last name,Object type\nSmith,\nJones,investigator\n", key="none")
    assert list_problems(operation) == [(2, "Object type", "Say which one: Person, Investigator.")]
    assert operation.counts == {"failed": 1, "created": 1}


def test_medical_activities_are_neither_created_nor_changed(client: Client) -> None:
    activate_medical_activities()
    medical = MedicalActivityFactory.create(external_id="M-1")
    content = (
        "External ID,Object type,Person,Date,Channel,Subject\n"
        f"M-1,Medical Activity,{medical.person.external_id},2026-03-02,Phone,New\n"
        f"M-2,Medical Activity,{medical.person.external_id},2026-03-02,Phone,New\n"
    )
    operation = do_import(client, ACTIVITY, content)
    assert list_problems(operation) == [
        (2, "", "Medical Activity: this record comes from the Medical CRM; nobody changes it here."),
        (
            3,
            "Object type",
            "Medical Activity: these records come from the Medical CRM; nobody creates them here.",
        ),
    ]
    assert Activity.objects.get().subject == medical.subject


def test_an_inactive_type_takes_no_new_records(client: Client) -> None:
    set_object_type_status(
        object_name=PERSON, object_type="person__v", status=RecordStatus.INACTIVE, actor=build_admin_actor()
    )
    operation = upload(client, PERSON, "Last name,Object type\nSmith,Person\n", key="none")
    assert list_problems(operation) == [
        (2, "Object type", "The object type Person is Inactive: it takes no new records.")
    ]


def test_rows_do_what_the_profile_allows(client: Client) -> None:
    PersonFactory.create(external_id="P-1", object_type="person__v")
    log_in_with(client, f"{PERSON}:read", f"{PERSON}.investigator__v:create", sees_all_studies=True)
    content = "External ID,Object type,Last name\nP-1,,Smith\nP-2,Person,Smith\nP-3,Investigator,Smith\nP-4,,Smith\n"
    operation = do_import(client, PERSON, content)
    assert list_problems(operation) == [
        (2, "", "Your security profile does not allow you to edit Person records."),
        (3, "Object type", "Your security profile does not allow you to create Person records."),
    ]
    assert set(Person.objects.filter(last_name="Smith").values_list("external_id", "object_type")) == {
        ("P-3", "investigator__v"),
        ("P-4", "investigator__v"),
    }


def test_studies_that_are_not_the_users_own_do_not_exist(client: Client) -> None:
    mine, theirs = StudySiteFactory.create_batch(2)
    user = log_in_with(client, *(f"{name}:{action}" for name in (SITE, STUDY, PERSON) for action in ("read", "edit")))
    StudyAssignmentFactory.create(user=user, study=mine.study)
    content = f"UID,City,Study\n{mine.uid},Berlin,{mine.study}\n{theirs.uid},Berlin,\n{mine.uid},,{theirs.study}\n"
    operation = upload(client, SITE, content, key="uid__sys")
    assert list_problems(operation) == [
        (
            3,
            "UID",
            f"There is no study site {theirs.uid} that you can see. Leave the cell empty to create one.",
        ),
        (4, "UID", "Line 2 is about the same record (UID). Leave one of the two."),
        (
            4,
            "Study",
            f"There is no active study “{theirs.study}” that you can see. Write its exact name, external ID or UID.",
        ),
    ]


@pytest.mark.parametrize("address", ["import/", "import/template.csv"])
def test_who_may_neither_create_nor_edit_imports_nothing(client: Client, address: str) -> None:
    log_in_with(client, f"{STUDY}:read")
    assert client.get(f"/records/{STUDY}/{address}").status_code == 403


def test_what_a_user_uploaded_is_that_users_alone(client: Client) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\n", key="none")
    log_in_with(client, f"{STUDY}:read", f"{STUDY}:create")
    assert client.get(f"/records/{STUDY}/import/{operation.uid}/").status_code == 404
    assert client.post(f"/records/{STUDY}/import/{operation.uid}/").status_code == 404


# -- All or nothing -------------------------------------------------------------------------------
def test_all_or_nothing_writes_nothing_if_one_row_fails(client: Client) -> None:
    content = "Study number,Phase\nS-1,Phase I\nS-2,Phase IX\n"
    operation = do_import(client, STUDY, content, key="name__v", mode="all")
    assert not Study.objects.exists()
    assert (operation.state, operation.message) == (
        "failed",
        "Nothing was imported: 1 of 2 rows cannot be. Correct them and upload the file again.",
    )
    assert [line for line, _, _ in list_problems(operation)] == [3]


def test_all_or_nothing_writes_all_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 2)
    content = "Study number\n" + "".join(f"S-{n}\n" for n in range(5))
    operation = do_import(client, STUDY, content, key="name__v", mode="all")
    assert (operation.state, operation.counts, operation.done) == ("done", {"created": 5}, 5)
    assert Study.objects.count() == 5


def test_all_or_nothing_has_a_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\nS-2\n", key="none")
    monkeypatch.setattr("ctms.records.bulk.views.imports.MOST_ROWS_AT_ONCE", 1)
    confirm(client, operation, mode="all")
    operation.refresh_from_db()
    assert operation.state == "draft"
    page = client.get(f"/records/{STUDY}/import/{operation.uid}/")
    assert "For at most 1 rows. Split the file." in page.content.decode()


# -- Pages ----------------------------------------------------------------------------------------
def test_the_preview_shows_what_would_be_written(client: Client) -> None:
    StudyFactory.create(name="S-1", sponsor="Old", study_name="")
    StudyFactory.create(name="S-2", sponsor="New")
    content = "Study number,Sponsor,Study name\nS-1,New,First\nS-2,New,\nS-3,New,Third\nS-4,New,Fourth\n"
    operation = upload(client, STUDY, content.replace("S-4", "S-1"), key="name__v")
    response = client.get(f"/records/{STUDY}/import/{operation.uid}/")
    shown = [
        (row.number, row.outcome, [(cell.old, cell.text) if cell.is_changed else cell.text for cell in row.cells])
        for row in response.context["rows"]
    ]
    assert shown == [
        (2, "Change", ["S-1", ("Old", "New"), ("empty", "First")]),
        (3, "No change", ["S-2", "New", "Study S-2"]),
        (4, "Create", ["S-3", "New", "Third"]),
        (5, "Error", ["S-1", "New", "Fourth"]),
    ]
    assert [(figure.label, figure.number) for figure in response.context["figures"]] == [
        ("To be created", 1),
        ("To be changed", 1),
        ("Without change", 1),
        ("With errors", 1),
    ]
    assert "Import 2 rows" in response.content.decode()
    assert Study.objects.count() == 2


def test_a_large_file_is_checked_by_the_job(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECKED_AT_ONCE", 1)
    operation = upload(client, STUDY, 'Study number\nS-1\n""\nS-2\n', key="none")
    assert operation.state == "checking"
    assert "Being checked" in client.get(f"/operations/{operation.uid}/").content.decode()
    run = run_job(operation)
    assert (operation.state, operation.counts, run.message) == (
        "draft",
        {"created": 2},
        "Checked; the user has to confirm it.",
    )
    assert client.get(f"/operations/{operation.uid}/").url == f"/records/{STUDY}/import/{operation.uid}/"  # type: ignore[attr-defined]
    confirm(client, operation)
    run_job(operation)
    assert Study.objects.count() == 2


def test_a_field_that_went_meanwhile_stops_the_import(client: Client) -> None:
    add_custom_fields()
    PersonFactory.create(external_id="P-7")
    operation = upload(client, TRAINING, "Name,Trainee,text__c\nGCP,P-7,x\n", key="none")
    field = CustomField.objects.get(api_name="text__c")
    field.status = RecordStatus.INACTIVE
    save_record(record=field, actor=build_admin_actor())
    page = client.get(f"/records/{TRAINING}/import/{operation.uid}/").content.decode()
    message = "An admin changed the fields of trainings since the file was uploaded. Upload it again."
    assert message in page
    confirm(client, operation)
    run_job(operation)
    assert (operation.state, operation.message, Training.objects.count()) == ("failed", message, 0)


def test_activities_are_from_who_imports_them(client: Client, user: User) -> None:
    PersonFactory.create(external_id="P-7")
    do_import(client, ACTIVITY, "Person,Date,Channel\nP-7,2026-03-02,Phone\n", key="none")
    activity = Activity.objects.get()
    assert (activity.from_text, activity.object_type) == (user.display_contact, ActivityType.CLINICAL)
