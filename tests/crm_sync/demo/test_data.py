"""The demonstration's data as loaded, whole; loaded once for all tests of this module."""

from __future__ import annotations

import json
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import serializers
from django.db import transaction
from django.db.models import Count, F, Q
from pytest_django import DjangoDbBlocker

from activities.choices import Channel
from activities.models import Activity
from connections.models import Connection, ConnectionAuthorization, CrmConnectionIdentifierMapping
from crm_sync.demo.data import DemoDataError, get_logins_path, get_sandbox_directory, load_demo_data
from crm_sync.demo.dataset.crm import ORGANISATIONS, OrganisationPlan, get_data_file, read_integration_login
from crm_sync.demo.dataset.expectations import (
    LONG_SUBJECT,
    PLANTED_PEOPLE,
    UNKNOWN_ACCOUNT_CALL,
    list_expected_exceptions,
)
from crm_sync.demo.dataset.identity import EMEA, NA
from crm_sync.demo.dataset.trials import WITHDRAWN_STUDY_NUMBER
from crm_sync.demo.logins import CRA_STUDIES, INSPECTED_STUDIES
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.sandbox.data.organisation import Organisation
from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.audit.models import AuditEntry
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
from ctms.configuration.selectors import get_application_settings
from ctms.configuration.steps import StepStatus, list_steps
from ctms.core.clock import get_now
from ctms.jobs.models import JobClock, JobDefinition
from tests.crm_sync.demo.conftest import use_demo_directory
from tests.crm_sync.demo.snapshot import MODELS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo"), pytest.mark.system]

PLANTED_IDS = [person.external_id for person in PLANTED_PEOPLE]


@pytest.fixture(scope="module")
def demo(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The loaded demonstration; the directory of its files. Undone when the module ends."""
    directory = tmp_path_factory.mktemp("demo")
    with django_db_blocker.unblock(), use_demo_directory(directory), transaction.atomic():
        load_demo_data()
        yield directory
        transaction.set_rollback(True)


@pytest.fixture
def copied(demo: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the demonstration's files, which a test may spoil."""
    directory = tmp_path / "var"
    shutil.copytree(demo, directory)
    with use_demo_directory(directory):
        yield directory


def read_logins() -> list[dict[str, str]]:
    logins: list[dict[str, str]] = json.loads(get_logins_path().read_text(encoding="utf-8"))
    return logins


def list_crm_records(plan: OrganisationPlan, object_name: str) -> list[dict[str, Any]]:
    path = get_data_file(plan=plan, directory=get_sandbox_directory())
    with Organisation.open(path, name=plan.name) as organisation:
        return organisation.list_records(object_name=object_name)


def test_the_vault_holds_what_the_demonstration_promises() -> None:
    counts = {model.__name__: model._base_manager.count() for model in MODELS}
    assert counts == {
        "Activity": 10_000,
        "MonitoringEvent": 767,
        "MonitoringEventParticipant": 2 * 767,
        "Person": 1_500,
        "Study": 14,
        "StudyCommunicationContact": 942,
        "StudyCommunicationLog": 3 * 234,
        "StudyCountry": 104,
        "StudyPerson": 5 * 234 + 2 * 13,
        "StudySite": 234,
    }
    assert StudyCountry.objects.values("country").distinct().count() == 40
    assert StudySite.objects.filter(principal_investigator__isnull=True).count() == 0
    assert Person.objects.filter(object_type="investigator__v").count() == 4 * 142 + len(PLANTED_PEOPLE)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_records_are_valid(model: Any) -> None:
    """A sample of each object: validation asks the database about every record."""
    records = model._base_manager.order_by("uid")[:25]
    for record in records:
        record.full_clean()
    assert len(records) == min(25, model._base_manager.count())


def test_every_record_is_in_the_audit_trail() -> None:
    for model in MODELS:
        uids = model._base_manager.values("uid")
        assert AuditEntry.objects.filter(record_uid__in=uids, action="created").count() == len(uids)


def test_nothing_crosses_from_study_to_study() -> None:
    assert StudySite.objects.exclude(study_country__study=F("study")).count() == 0
    for model in (StudyPerson, MonitoringEvent, StudyCommunicationLog, Activity):
        crossing = Q(site__isnull=False) & ~Q(site__study=F("study"), site__study_country=F("study_country"))
        assert model._base_manager.filter(crossing).count() == 0
    assert Activity.objects.filter(~Q(study_person__study=F("study")), study_person__isnull=False).count() == 0
    assert Activity.objects.filter(~Q(monitoring_event__site=F("site")), monitoring_event__isnull=False).count() == 0


def test_activities_use_all_channels_and_are_complete_only_in_the_past() -> None:
    today = get_now().date()
    assert set(Activity.objects.values_list("channel", flat=True).distinct()) == set(Channel.values)
    assert Activity.objects.filter(date__gt=today, complete=True).count() == 0
    figures = Activity.objects.aggregate(
        planned=Count("pk", filter=Q(date__gt=today)),
        overdue=Count("pk", filter=Q(date__lt=today, complete=False)),
        completed=Count("pk", filter=Q(complete=True)),
        placed=Count("pk", filter=Q(study__isnull=False, study_country__isnull=False, site__isnull=False)),
    )
    assert {name: count > 200 for name, count in figures.items()} == dict.fromkeys(figures, True)
    assert figures["placed"] > 9_000


def test_from_shows_the_user_who_created_the_activity() -> None:
    pairs = set(Activity.objects.values_list("created_by", "from_text").distinct())
    authors = User.objects.filter(pk__in=[pk for pk, _ in pairs])
    assert pairs == {(user.pk, user.display_contact) for user in authors}
    assert len(pairs) == 8


def test_mail_can_reach_nobody() -> None:
    addresses = [*Person.objects.values_list("email", flat=True), *User.objects.values_list("email", flat=True)]
    for plan in ORGANISATIONS:
        addresses += [account["PersonEmail"] for account in list_crm_records(plan, "Account")]
        addresses += [user["Email"] for user in list_crm_records(plan, "User") if "integration" not in user["Email"]]
    domains = {address.partition("@")[2] for address in addresses if address}
    assert domains == {"example.org", "example.com"}


def test_people_who_fail_have_their_planted_activities_and_take_part_in_nothing() -> None:
    planted = Person.objects.filter(external_id__in=PLANTED_IDS)
    subjects = Activity.objects.filter(person__in=planted).values_list("person__external_id", "subject")
    assert sorted(subjects) == sorted(
        (person.external_id, subject) for person in PLANTED_PEOPLE for subject in person.subjects
    )
    assert MonitoringEventParticipant.objects.filter(person__in=planted).count() == 0
    assert StudyCommunicationContact.objects.filter(person__in=planted).count() == 0
    assert StudyPerson.objects.filter(person__in=planted).count() == 0
    assert StudySite.objects.filter(principal_investigator__in=planted).count() == 0
    assert Activity.objects.filter(subject=LONG_SUBJECT).exclude(person__in=planted).count() == 1


@pytest.mark.parametrize(
    ("plan", "person_field", "account_field"),
    [(ORGANISATIONS[0], "external_id", "External_ID_vod__c"), (ORGANISATIONS[1], "npi", "NPI_vod__c")],
    ids=[NA, EMEA],
)
def test_an_organisation_has_one_account_of_everybody_but_the_planted_people(
    plan: OrganisationPlan, person_field: str, account_field: str
) -> None:
    accounts = Counter(account[account_field] for account in list_crm_records(plan, "Account"))
    people = dict(Person.objects.values_list("external_id", person_field))
    failing = sorted(key for key, value in people.items() if not value or accounts[value] != 1)
    assert failing == [person.external_id for person in PLANTED_PEOPLE if plan.label in person.fails_in]
    assert len(set(people.values())) == 1_500


def test_300_calls_are_marked_and_one_of_them_concerns_nobody_in_the_vault() -> None:
    marked, unmarked, unknown = 0, 0, []
    fields = (("external_id", "External_ID_vod__c"), ("npi", "NPI_vod__c"))
    for plan, (person_field, field) in zip(ORGANISATIONS, fields, strict=True):
        known = list(Person.objects.values_list(person_field, flat=True))
        accounts = {account["Id"]: account[field] for account in list_crm_records(plan, "Account")}
        users = {user["Id"]: user for user in list_crm_records(plan, "User")}
        for call in list_crm_records(plan, "Call2_vod__c"):
            assert users[call["CreatedById"]]["Email"].endswith("@example.com")
            if not call["Send_to_Vault_Clinical_vod__c"]:
                unmarked += 1
                continue
            marked += 1
            if accounts[call["Account_vod__c"]] not in known:
                unknown.append((plan.label, call["Name"]))
    assert (marked, unmarked, unknown) == (300, 130, [(NA, UNKNOWN_ACCOUNT_CALL)])


def test_13_exceptions_are_expected() -> None:
    counted = Counter(
        (item.connection, item.integration.value, item.error_type.label) for item in list_expected_exceptions()
    )
    assert counted == {
        (NA, "crm_call_outbound__v", "Matching"): 3,
        (NA, "crm_call_outbound__v", "Rejected by CRM"): 1,
        (NA, "crm_call_inbound__v", "Matching"): 1,
        (EMEA, "crm_call_outbound__v", "Matching"): 7,
        (EMEA, "crm_call_outbound__v", "Rejected by CRM"): 1,
    }


def test_nothing_depends_on_the_study_that_will_be_removed() -> None:
    study = Study.objects.get(name=WITHDRAWN_STUDY_NUMBER)
    for model in (StudyCountry, StudySite, StudyPerson, MonitoringEvent, StudyCommunicationLog, Activity):
        assert model._base_manager.filter(study=study).count() == 0
    assert StudyAssignment.objects.filter(study=study).count() == 0


def test_the_vault_is_configured_as_the_requirements_describe() -> None:
    application = get_application_settings()
    assert (
        application.enable_global_crm_mapping,
        application.clinical_person_identifier,
        application.crm_account_identifier,
    ) == (True, "external_id__v", "External_ID_vod__c")
    mapping = CrmConnectionIdentifierMapping.objects.get()
    assert (mapping.connection.name, mapping.clinical_person_identifier, mapping.crm_account_identifier) == (
        EMEA,
        "npi__v",
        "NPI_vod__c",
    )
    not_done = [step.key for step in list_steps() if step.read_state().status != StepStatus.DONE]
    assert not_done == ["test_transfer"]  # which the demonstration runs next
    job = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    clock = JobClock.objects.get(definition=job)
    # Later than when it was activated: since then the hour may have ended.
    assert (job.status, clock.next_run_at > clock.counted_from) == ("active__v", True)
    connections = Connection.objects.order_by("name").values_list("name", "url", "status")
    assert list(connections) == [
        (EMEA, "https://emea.crm.test", "active__v"),
        (NA, "https://na.crm.test", "active__v"),
    ]


def test_four_users_and_two_organisations_can_be_logged_in_to() -> None:
    logins = read_logins()
    assert stat.S_IMODE(get_logins_path().stat().st_mode) == 0o600
    assert [(login["role"], login["username"]) for login in logins] == [
        ("Admin", "admin"),
        ("Study manager", "study.manager"),
        ("CRA", "cra"),
        ("Inspector", "inspector"),
        ("CRM NA API", "vault.integration@na.crm.test"),
        ("CRM EMEA API", "vault.integration@emea.crm.test"),
    ]
    for login in logins[:4]:
        user = User.objects.get(username=login["username"])
        assert (user.check_password(login["password"]), user.is_staff) == (True, login["role"] != "CRA")
    for login, plan in zip(logins[4:], ORGANISATIONS, strict=True):
        crm = read_integration_login(plan=plan, directory=get_sandbox_directory())
        assert (login["password"], login["consumer_key"], login["consumer_secret"]) == (
            crm.password,
            crm.consumer_key,
            crm.consumer_secret,
        )
    others = User.objects.exclude(username__in=["admin", "study.manager", "cra", "inspector"])
    assert [user.username for user in others if user.has_usable_password() or user.is_staff] == []


def test_the_inspector_reads_two_studies_and_the_audit_trail_until_a_day() -> None:
    inspector = User.objects.get(username="inspector")
    assert inspector.valid_until is not None
    assert inspector.security_profile is not None
    assert (inspector.security_profile.log_views, inspector.has_ended) == (True, False)
    asked = ("crm_activity__v:read", "admin:audit", "crm_activity__v:edit", "study__v:create")
    assert [has_permission(user=inspector, permission=each) for each in asked] == [True, True, False, False]
    studies = StudyAssignment.objects.filter(user=inspector).values_list("study__name", flat=True)
    assert sorted(studies) == sorted(INSPECTED_STUDIES)
    assert not Activity.objects.filter(created_by=inspector).exists()


def test_roles_may_do_what_their_profiles_say() -> None:
    users = {name: User.objects.get(username=name) for name in ("admin", "study.manager", "cra")}
    asked = ("crm_activity__v:create", "study__v:edit", "exception_message__sys:read", "admin:connections")
    answers = {
        name: [has_permission(user=user, permission=permission) for permission in asked] for name, user in users.items()
    }
    assert answers == {
        "admin": [True, True, True, True],
        "study.manager": [True, True, True, False],
        "cra": [True, False, False, False],
    }
    studies = StudyAssignment.objects.filter(user=users["cra"]).values_list("study__name", flat=True)
    assert sorted(studies) == sorted(CRA_STUDIES)


def test_a_second_load_changes_nothing() -> None:
    before = (AuditEntry.objects.count(), get_logins_path().read_bytes())
    load_demo_data()
    assert (AuditEntry.objects.count(), get_logins_path().read_bytes()) == before


def test_no_secret_is_stored_readably() -> None:
    stored = serializers.serialize(
        "json", [*ConnectionAuthorization.objects.all(), *Connection.objects.all(), *User.objects.all()]
    )
    trail = json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("crm_sync", "tests")
        for path in Path(settings.BASE_DIR, folder).rglob("*.py")
    )
    names = ("password", "consumer_key", "consumer_secret")
    secrets = [login[name] for login in read_logins() for name in names if name in login]
    assert len(secrets) == 10
    for secret in secrets:
        assert [secret in text for text in (stored, trail, sources)] == [False] * 3


def test_lost_log_ins_are_replaced_by_new_ones(copied: Path) -> None:
    old = read_logins()
    get_logins_path().unlink()
    load_demo_data()
    new = read_logins()
    assert [login["username"] for login in new] == [login["username"] for login in old]
    assert new[4:] == old[4:]
    for before, after in zip(old[:4], new[:4], strict=True):
        user = User.objects.get(username=after["username"])
        assert (user.check_password(after["password"]), user.check_password(before["password"])) == (True, False)


def test_a_lost_organisation_is_said_so_with_the_way_out(copied: Path) -> None:
    path = get_sandbox_directory() / "emea.sqlite3"
    path.unlink()
    with pytest.raises(DemoDataError) as refused:
        load_demo_data()
    assert str(refused.value) == (
        "The Vault has the demonstration's data, but those of the CRM organisation EMEA are gone: "
        f"{path} is missing. Remove {copied} (make clean) and start again."
    )
