"""The audit trail is searched by who, in which role, what, where, when and why, and exported."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctms.accounts.models import User
from ctms.audit import heads
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.admin import entries
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
TRAIL = "/admin/audit/auditentry/"


def find(client: Client, **conditions: Any) -> set[str]:
    """Return the names of the records of the entries that the page lists."""
    answer = client.get(TRAIL, conditions)
    assert answer.status_code == 200
    return {entry.record_name for entry in answer.context["cl"].result_list}


@pytest.fixture
def carla() -> User:
    profile = SecurityProfileFactory.create(name="Monitors")
    return UserFactory.create(first_name="Carla", last_name="Craig", security_profile=profile)


# -- Found ----------------------------------------------------------------------------------------
def test_by_who_role_and_address(client: Client, carla: User) -> None:
    log_in_admin(client)
    StudyFactory.create(name="HERS", actor=Actor(user=carla, source="page", address="192.0.2.9"))
    StudyFactory.create(name="OTHER")
    for conditions in ({"who": "carla cr"}, {"role": "Monitors"}, {"from": "192.0.2.9"}, {"actor__exact": carla.pk}):
        assert find(client, **conditions) == {"HERS"}, conditions


def test_by_object_field_and_action(client: Client) -> None:
    log_in_admin(client)
    site = StudySiteFactory.create(name="0815")
    site.principal_investigator = InvestigatorFactory.create()
    save_record(record=site, actor=build_admin_actor())
    for field in ("Principal investigator", "principal_investigator"):
        assert find(client, field=field, action__exact="changed", object="site__v") == {"0815"}
    assert find(client, field="no such field") == set()


def test_by_record_uid_or_part_of_its_name(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create(name="ALPHA-1")
    assert find(client, q=str(study.uid)) == {"ALPHA-1"}
    assert find(client, q="lpha") == {"ALPHA-1"}


def test_by_study_and_connection(client: Client) -> None:
    log_in_admin(client)
    site = StudySiteFactory.create(name="0815")
    assert find(client, study=str(site.study.uid), object="site__v") == {"0815"}
    connection = ConnectionFactory.create(name="North America")
    person = PersonFactory.create(actor=build_system_actor(source="job", connection_uid=connection.uid))
    assert {person.name, "North America"} <= find(client, connection=str(connection.uid))
    assert find(client, connection="nonsense") >= {"0815", person.name}


def test_by_reason(client: Client) -> None:
    log_in_admin(client)
    save_record(record=StudyFactory.build(name="WHY"), actor=build_admin_actor(), reason="Typed wrong")
    StudyFactory.create()
    assert find(client, why="wrong") == {"WHY"}


def test_set_up_records_and_access_are_apart(client: Client, carla: User) -> None:
    log_in_admin(client)
    ConnectionFactory.create(name="NA")
    ActivityFactory.create(study=StudyFactory.create(name="VX-1"))
    records, setup, access = (find(client, kind=kind) for kind in ("records", "setup", "access"))
    assert "VX-1" in records - setup - access
    assert "NA" in setup - records - access
    assert "Monitors" in access - records - setup


def test_no_more_entries_are_counted_than_are_listed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in_admin(client)
    StudyFactory.create_batch(4)
    monkeypatch.setattr(entries, "MOST_LISTED", 3)
    with CaptureQueriesContext(database) as captured:
        answer = client.get(TRAIL)
    assert answer.context["cl"].result_count == 3
    assert "These are the latest 3 entries" in client.get(TRAIL).content.decode()
    counting = [each["sql"] for each in captured.captured_queries if "COUNT(" in each["sql"]]
    assert all("LIMIT 3" in each for each in counting)


# -- Read -----------------------------------------------------------------------------------------
def test_an_entry_is_read_in_words(client: Client) -> None:
    log_in_admin(client)
    before, after = InvestigatorFactory.create_batch(2)
    site = StudySiteFactory.create(principal_investigator=before)
    site.principal_investigator = after
    save_record(record=site, actor=build_admin_actor())
    delete_record(record=before, actor=build_admin_actor())
    entry = AuditEntry.objects.filter(record_uid=site.uid).latest("id")
    text = client.get(f"{TRAIL}{entry.pk}/change/").content.decode()
    assert f"<tr><th scope='row'>Principal investigator</th><td>{before.name}</td><td>{after.name}</td></tr>" in text
    assert site.study.name in text


def test_names_of_records_that_the_reader_does_not_see_are_not_told(client: Client) -> None:
    reader = UserFactory.create(
        is_staff=True, security_profile=SecurityProfileFactory.create(permissions=["admin:audit"])
    )
    mine, foreign = StudyAssignmentFactory.create(user=reader).study, StudyFactory.create(name="CANARY")
    activity = ActivityFactory.create(study=foreign)
    activity.study = mine
    save_record(record=activity, actor=build_admin_actor())
    client.force_login(reader)
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    page = client.get(f"{TRAIL}{entry.pk}/change/").content.decode()
    exported: Any = client.get(f"{TRAIL}export/csv/")
    assert "(not visible to you)" in page
    assert "CANARY" not in page + read(exported) + client.get(f"{TRAIL}export/print/").content.decode()
    assert mine.name in page


# -- Exported -------------------------------------------------------------------------------------
def read(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def test_the_csv_file_has_what_the_list_shows_field_by_field(client: Client) -> None:
    log_in_admin(client)
    site = StudySiteFactory.create(city="Berlin")
    site.city, site.site_name = "=cmd()", "Clinic"
    save_record(record=site, actor=build_admin_actor(), reason="Moved")
    answer = client.get(f"{TRAIL}export/csv/", {"record_uid__exact": str(site.uid), "action__exact": "changed"})
    assert "no-store" in answer.headers["Cache-Control"]
    rows = list(csv.DictReader(io.StringIO(read(answer))))
    told = {(row["Field"], row["Before"], row["After"], row["Reason"], row["Study"]) for row in rows}
    assert ("City", "Berlin", "'=cmd()", "Moved", site.study.name) in told
    assert len(rows) == 2


def test_the_workbook_has_the_same_rows(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create(name="VX-1")
    answer: Any = client.get(f"{TRAIL}export/xlsx/", {"record_uid__exact": str(study.uid)})
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    values = list(sheet.iter_rows(values_only=True))
    assert values[0][:3] == ("Entry", "Time (UTC)", "Who")
    assert any(row[14:17] == ("Study number", None, "VX-1") for row in values)


def test_the_printed_page_has_the_head_of_the_chain(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in_admin(client)
    StudyFactory.create(name="VX-1")
    monkeypatch.setattr(heads, "_readers", [])
    assert "Head of the chain" not in client.get(f"{TRAIL}export/print/").content.decode()
    monkeypatch.setattr(heads, "_readers", [lambda: "abc123"])
    text = client.get(f"{TRAIL}export/print/", {"q": "VX-1"}).content.decode()
    assert "abc123" in text
    assert "q = VX-1" in text


def test_an_export_is_an_entry_itself_and_not_in_the_file(client: Client) -> None:
    user = log_in_admin(client)
    text = read(client.get(f"{TRAIL}export/csv/", {"kind": "access"}, REMOTE_ADDR="192.0.2.4"))
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor, entry.address) == (AuditAction.EXPORTED, user, "192.0.2.4")
    assert entry.changes == {"format": [None, "csv"], "filters": [None, "kind=access"]}
    assert "Exported" not in text


def test_only_readers_of_the_trail_export_it(client: Client, carla: User) -> None:
    carla.is_staff = True
    carla.save()
    client.force_login(carla)
    assert client.get(f"{TRAIL}export/csv/").status_code == 403
    log_in_admin(client)
    assert client.get(f"{TRAIL}export/doc/").status_code == 404


# -- From the record and from the user ------------------------------------------------------------
def test_the_history_of_a_record_leads_to_the_whole_for_who_may_read_it(client: Client, carla: User) -> None:
    study = StudyFactory.create()
    address = f"{TRAIL}?record_uid__exact={study.uid}"
    log_in_admin(client)
    assert address in client.get(f"/records/study__v/{study.uid}/").content.decode()
    carla.security_profile.permissions = ["study__v:read", "admin:audit"]  # type: ignore[union-attr]
    carla.security_profile.sees_all_studies = True  # type: ignore[union-attr]
    save_record(record=carla.security_profile, actor=build_admin_actor())  # type: ignore[type-var]
    client.force_login(carla)
    assert address not in client.get(f"/records/study__v/{study.uid}/").content.decode()  # may not enter the console


def test_the_page_of_a_user_leads_to_what_the_user_did(client: Client, carla: User) -> None:
    log_in_admin(client)
    StudyFactory.create(name="HERS", actor=Actor(user=carla, source="page"))
    page = f"/admin/accounts/user/{carla.pk}/"
    assert "What this user did" in client.get(f"{page}change/").content.decode()
    answer = client.get(f"{page}did/", follow=True)
    assert {entry.record_name for entry in answer.context["cl"].result_list} == {"HERS"}
