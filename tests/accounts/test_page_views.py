"""What users look at whose profile notes it: every request, with the record, and nothing of others."""

from __future__ import annotations

import csv
import io
from typing import Any
from unittest.mock import patch

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import PageView, SecurityProfile, User
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study
from ctms.core.errors import UnauditedWriteError
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_row
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def inspector(client: Client) -> User:
    """A user of the delivered profile, who is logged in and opens the console."""
    profile = SecurityProfile.objects.get(api_name="inspector__v")
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    return user


def list_noted() -> list[tuple[str, str, int, str]]:
    rows = PageView.objects.order_by("pk")
    return [(row.method, row.address, row.status, row.record_name) for row in rows]


def test_each_page_of_an_inspector_is_noted_with_its_record(client: Client, inspector: User) -> None:
    study = StudyAssignmentFactory.create(user=inspector).study
    addresses = ["/records/study__v/?q=cardio", f"/records/study__v/{study.uid}/", f"/api/v1/study__v/{study.uid}/"]
    for address in addresses:
        assert client.get(address).status_code == 200
    assert list_noted() == [
        ("GET", addresses[0], 200, ""),
        ("GET", addresses[1], 200, str(study)),
        ("GET", addresses[2], 200, str(study)),
    ]
    row = PageView.objects.order_by("pk")[1]
    assert (row.user, row.object_name, row.record_uid) == (inspector, "study__v", study.uid)


def test_a_record_that_was_not_shown_is_noted_without_its_name(client: Client, inspector: User) -> None:
    address = f"/records/study__v/{StudyFactory.create().uid}/"
    assert client.get(address).status_code == 404
    assert list_noted() == [("GET", address, 404, "")]


def test_a_program_that_acts_as_an_inspector_is_noted_too(inspector: User) -> None:
    study = StudyAssignmentFactory.create(user=inspector).study
    _, text = create_token(name="Export", days=30, actor=Actor(user=inspector, source="page"))
    address = f"/api/v1/study__v/{study.uid}/"
    assert Client().get(address, headers={"Authorization": f"Bearer {text}"}).status_code == 200
    assert list_noted() == [("GET", address, 200, str(study))]


def test_pages_of_other_profiles_are_not_noted(client: Client) -> None:
    log_in_admin(client, security_profile=SecurityProfileFactory.create())
    client.get("/records/study__v/")
    assert list_noted() == []


def test_the_flag_of_the_profile_decides_and_not_its_name(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"], log_views=True)
    client.force_login(UserFactory.create(security_profile=profile))
    client.get("/records/study__v/")
    assert list_noted() == [("GET", "/records/study__v/", 200, "")]


def test_what_cannot_be_noted_is_not_shown(client: Client, inspector: User) -> None:
    client.raise_request_exception = False
    with patch.object(PageView.objects, "create", side_effect=DatabaseError("disk full")):
        response = client.get("/records/study__v/")
    assert response.status_code == 500


def test_an_inspector_writes_nothing(client: Client, inspector: User) -> None:
    study = StudyAssignmentFactory.create(user=inspector).study
    answers = {
        address: client.post(address, {"name__v": "X", "expected_version": "1"}).status_code
        for address in (
            "/records/study__v/create/",
            f"/records/study__v/{study.uid}/edit/",
            f"/records/study__v/{study.uid}/delete/",
            "/records/study__v/import/",
        )
    }
    assert set(answers.values()) == {403}
    assert client.get("/admin/audit/auditentry/").status_code == 200
    assert client.get(reverse("admin:accounts_pageview_changelist")).status_code == 403


# -- The rows stay --------------------------------------------------------------------------------
def test_rows_are_neither_changed_nor_removed() -> None:
    row: PageView = create_row(PageView)
    attempts: list[Any] = [
        row.save,
        row.delete,
        PageView.objects.all().delete,
        lambda: PageView.objects.update(address="/"),
        lambda: PageView._base_manager.filter(pk=row.pk).update(address="/"),
    ]
    for attempt in attempts:
        with pytest.raises(UnauditedWriteError, match="Rows of page views are neither changed nor removed"):
            attempt()


@pytest.mark.postgresql
@pytest.mark.parametrize("sql", ["UPDATE accounts_pageview SET address = '/'", "DELETE FROM accounts_pageview"])
def test_postgresql_refuses_it_as_well(sql: str) -> None:
    create_row(PageView)
    with pytest.raises(DatabaseError, match="never changed or removed"), transaction.atomic():
        connection.cursor().execute(sql)


# -- The report -----------------------------------------------------------------------------------
def test_the_report_is_exported_as_it_is_filtered_and_that_is_in_the_audit_trail(client: Client) -> None:
    log_in_admin(client)
    rows = [create_row(PageView) for _ in range(2)]
    url = reverse("admin:accounts_pageview_changelist")
    page = client.get(url, {"q": rows[0].user.username})
    assert f"?q={rows[0].user.username}&amp;export=csv" in page.content.decode()
    answer: Any = client.get(url, {"q": rows[0].user.username, "export": "csv"})
    lines = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert (lines[0][:3], len(lines)) == (["Time (UTC)", "User", "Username"], 2)
    assert lines[1][2:] == [
        rows[0].user.username,
        "GET",
        rows[0].address,
        "200",
        "study__v",
        rows[0].record_name,
        str(rows[0].record_uid),
    ]
    entry = AuditEntry.objects.filter(action=AuditAction.EXPORTED).get()
    assert entry.changes == {"list": [None, f"q={rows[0].user.username}"], "records": [None, 1]}


def test_who_sees_some_studies_sees_the_views_of_their_records(client: Client) -> None:
    seen, _ = (create_row(PageView) for _ in range(2))
    profile = SecurityProfileFactory.create(permissions=["admin:security", "study__v:read"])
    admin = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(admin)
    url = reverse("admin:accounts_pageview_changelist")
    assert client.get(url).context["cl"].result_count == 0
    StudyAssignmentFactory.create(user=admin, study=Study.objects.get(uid=seen.record_uid))
    assert list(client.get(url).context["cl"].result_list) == [seen]
