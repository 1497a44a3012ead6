"""S1: no answer of either face names anything of a study that the user does not see.

A canary study has one word in every text of its records and in what the Vault remembers of them: not *canary*, which is
a time zone. Every address of the URL configuration is asked, for each object and each page of the console, by users of
several profiles who see another study.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest
from django.apps import apps
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.choices import AttemptOutcome, PreviewOutcome, RecordWord
from crm_sync.models import (
    AccountMatch,
    Difference,
    PreviewRow,
    Reconciliation,
    TransferAttempt,
    TransferLink,
    TransferPreview,
)
from ctms.accounts.models import SecurityProfile, User
from ctms.audit.services import save_record
from ctms.configuration.permissions import list_permissions
from ctms.core.clock import get_now
from ctms.records.choices import OperationKind
from ctms.records.models import BulkOperation, SavedView
from ctms.reports.delivered import find_delivered_report
from exceptions_log.reports import USER_EXCEPTIONS
from tests.admin_rows import create_exception_item, create_job_run
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.factories.reports import ReportShareFactory
from tests.record_rows import OBJECTS, DeviationFactory, create_record
from tests.reports.flash.flashes import DAY, schedule, tick
from tests.security.test_every_address import PUBLIC, ROUTES, fill, find_field

pytestmark = pytest.mark.django_db

# Found by what is asked for, and not in the answer because it was asked for.
ASKED = "oldfinc"
BIRD = re.compile(rb"goldfinch", re.IGNORECASE)
# Profiles by name: what they permit. Those that are delivered with the Vault are asked, too.
PROFILES: dict[str, frozenset[str]] = {
    "everything": frozenset(),  # filled with every permission that there is
    "reads records": frozenset(f"{name}:read" for name in OBJECTS),
    "reads exceptions": frozenset({"exception_item__sys:read", "exception_message__sys:read"}),
    "manages connections": frozenset({"admin:connections", "admin:integrations", "admin:jobs", "person__sys:read"}),
    "manages security": frozenset({"admin:security", "admin:audit"}),
}
_MODEL = re.compile(r"admin/(\w+)/(\w+)/")


@pytest.fixture
def canary() -> dict[str, Any]:
    """One record of each object in the canary study, by API name, and what is remembered of them, by model."""
    study = StudyFactory.create(
        name="GOLDFINCH-1", study_name="Goldfinch study", sponsor="Goldfinch", protocol_title="Goldfinch"
    )
    country = StudyCountryFactory.create(study=study, name="Goldfinch Islands")
    investigator = InvestigatorFactory.create(last_name="Goldfinch-Investigator", npi="GOLDFINCH-1")
    site = StudySiteFactory.create(
        study_country=country, name="GOLDFINCH-2", site_name="Goldfinch clinic", principal_investigator=investigator
    )
    person = PersonFactory.create(last_name="Goldfinch-Person", npi="GOLDFINCH-2")
    event = MonitoringEventFactory.create(site=site)
    communication = StudyCommunicationLogFactory.create(
        site=site, subject="Goldfinch subject", summary="Goldfinch summary"
    )
    activity = ActivityFactory.create(site=site, person=person, subject="Goldfinch call", notes="Goldfinch notes")
    found: dict[str, Any] = {
        "study__v": study,
        "study_country__v": country,
        "site__v": site,
        "person__sys": person,
        "study_person__clin": StudyPersonFactory.create(person=person, site=site),
        "monitoring_event__ctms": event,
        "monitoring_event_participant__ctms": MonitoringEventParticipantFactory.create(
            monitoring_event=event, person=person
        ),
        "study_communication_log__ctms": communication,
        "study_communication_contact__ctms": StudyCommunicationContactFactory.create(
            communication=communication, person=person
        ),
        "crm_activity__v": activity,
        "deviation__v": DeviationFactory.create(location=site, name="Goldfinch deviation"),
        "assignment": StudyAssignmentFactory.create(study=study),
    }
    # Somebody of the canary study, so that whoever asks about a user does not end the own session.
    found["colleague"] = found["assignment"].user
    others = {name: create_record(name, study) for name in OBJECTS if name not in found}
    return found | others | remember(activity)


def remember(activity: Any) -> dict[str, Any]:
    """Write what transfer, jobs and other users keep about an activity of the canary study."""
    item = create_exception_item(
        record_uid=activity.uid, item="Goldfinch item", cause="Goldfinch cause", error_message="Goldfinch message"
    )
    connection, run = Connection.objects.get(), create_job_run()
    integration = connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND)
    named = {"integration": integration, "record_uid": activity.uid}
    checked = Reconciliation.objects.create(connection=connection, run=run, started_at=get_now(), finished_at=get_now())
    preview = TransferPreview.objects.create(
        connection=connection, run=run, started_at=get_now(), finished_at=get_now()
    )
    other = UserFactory.create()
    return {
        "item": item,
        "connection": connection,
        "link": TransferLink.objects.create(crm_id="a0X", **named),
        "attempt": TransferAttempt.objects.create(
            run=run, outcome=AttemptOutcome.CREATED, values={"Subject": "Goldfinch"}, **named
        ),
        "match": AccountMatch.objects.create(
            connection=connection,
            person=activity.person,
            identifier="npi__v = NPI",
            value="GOLDFINCH-2",
            account_id="1",
        ),
        "difference": Difference.objects.create(
            reconciliation=checked, word=RecordWord.DIFFERS, name="Goldfinch", **named
        ),
        "row": PreviewRow.objects.create(preview=preview, outcome=PreviewOutcome.CREATE, name="Goldfinch", **named),
        "view": SavedView.objects.create(
            user=other, of_object="site__v", name="Goldfinch view", parameters="q=goldfinch"
        ),
        "operation": BulkOperation.objects.create(
            user=other,
            of_object="site__v",
            kind=OperationKind.IMPORT,
            plan={"file_name": "goldfinch.csv", "key": "none", "update_existing": True, "clear_empty": False},
            content="name__v\nGOLDFINCH",
            total=1,
        ),
    }


def create_observer(profile: SecurityProfile) -> User:
    """A user of the console and the study pages who sees a study of their own, with a record of each object."""
    user = UserFactory.create(security_profile=profile, is_staff=True, email="observer@example.org")
    study = StudyAssignmentFactory.create(user=user).study
    for name in OBJECTS:
        create_record(name, study)
    return user


def list_addresses(canary: dict[str, Any]) -> Iterator[str]:
    """Return each address of the Vault, about the canary's records where it is about a record."""
    by_model: dict[type, Any] = {type(each): each for each in canary.values()}
    for route in ROUTES:
        if route in PUBLIC or route.endswith("logout/"):
            continue
        for name in OBJECTS if "object_name>" in route else ("site__v",):
            row = (
                canary["view"] if "views/" in route else canary["operation"] if "operations/" in route else canary[name]
            )
            for file_format in ("csv", "xlsx") if "file_format>" in route else ("csv",):
                values = {
                    "object_name": name,
                    "uid": row.uid,
                    "field_name": find_field(name),
                    "file_format": file_format,
                }
                if found := _MODEL.match(route):
                    values["object_id"] = find_key(by_model, *found.groups())
                url = fill(route, **values)
                yield url


def find_key(by_model: dict[type, Any], app_label: str, model_name: str) -> Any:
    try:
        model = apps.get_model(app_label, model_name)
    except LookupError:
        return 1
    row = by_model.get(model) or model._default_manager.order_by("pk").last()
    return row.pk if row is not None else 1


def read(response: Any) -> bytes:
    """Return what an answer says, unpacked if it is a workbook."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if not content.startswith(b"PK"):
        return bytes(content)
    with zipfile.ZipFile(io.BytesIO(content)) as workbook:
        return b"".join(workbook.read(name) for name in workbook.namelist())


def list_profiles(name: str) -> list[SecurityProfile]:
    """Return the profile of that name, or those that are delivered with the Vault and do not see every study."""
    if name == "delivered":
        return list(SecurityProfile.objects.filter(sees_all_studies=False))
    permissions = PROFILES[name] or set(list_permissions())
    return [SecurityProfileFactory.create(permissions=sorted(permissions))]


@pytest.mark.system
@pytest.mark.timeout(900)  # a thousand requests
@pytest.mark.parametrize("name", [*PROFILES, "delivered"])
def test_no_answer_names_anything_of_a_study_that_the_user_does_not_see(
    client: Client, canary: dict[str, Any], name: str
) -> None:
    told: dict[str, Any] = {}
    for profile in list_profiles(name):
        client.force_login(create_observer(profile))
        for url in list_addresses(canary):
            asked = (
                [("get", url), ("get", f"{url}?q={ASKED}"), ("post", url)] if name == "everything" else [("get", url)]
            )
            for method, address in asked:
                response = getattr(client, method)(address)
                if found := BIRD.search(content := read(response)):
                    told[f"{method} {address}"] = content[max(0, found.start() - 60) : found.end() + 30]
        assert client.get("/").status_code == 200, "logged out on the way"
    assert told == {}


def test_no_e_mail_names_anything_of_it_either(canary: dict[str, Any]) -> None:
    observer = create_observer(list_profiles("everything")[0])
    own = ActivityFactory.create(study=observer.study_assignments.get().study)
    create_exception_item(record_uid=own.uid, message=canary["item"].message)
    report = find_delivered_report(USER_EXCEPTIONS)
    assert report is not None
    report.filters = []
    save_record(record=report, actor=build_admin_actor())
    ReportShareFactory.create(report=report, user=observer)
    schedule(report, at=get_now() - 2 * DAY)
    tick(get_now())
    [sent] = [each for each in mail.outbox if "observer@example.org" in each.to]
    assert isinstance(sent, EmailMultiAlternatives)
    [(html, _)] = sent.alternatives
    [attached] = sent.attachments
    table = list(openpyxl.load_workbook(io.BytesIO(attached[1])).active.values)
    assert len(table) > 1
    assert not any(BIRD.search(str(part).encode()) for part in (sent.subject, sent.body, html, table))
