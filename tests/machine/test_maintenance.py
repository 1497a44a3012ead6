"""Maintenance: everything is read, nothing is saved, what was typed is kept, and an admin ends it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from activities.tasks import write_contact_dates
from ctms.audit.actors import build_system_actor
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study
from ctms.core.standing import read_standing
from ctms.jobs.choices import RunState
from ctms.jobs.errors import JobHeldError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import dispatch_due, execute_run, start_now
from ctms.machine.declaring import begin_maintenance, end_maintenance
from ctms.machine.models import Installation
from tests.admin_forms import log_in_admin
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MESSAGE = "Until 14:00."


@pytest.fixture
def maintenance() -> None:
    begin_maintenance(message=MESSAGE, actor=build_system_actor(source="command", reference="test"))


def test_pages_are_read_and_say_so(client: Client, maintenance: None) -> None:
    log_in_admin(client)
    study = StudyFactory.create()
    for url in (
        "/",
        "/records/study__v/",
        f"/records/study__v/{study.uid}/",
        reverse("admin:index"),
        "/api/v1/study__v/",
    ):
        response = client.get(url, follow=True)
        assert response.status_code == 200, url
        if "html" in response.headers["Content-Type"]:
            assert MESSAGE in response.content.decode(), url


def test_what_was_typed_is_kept_and_sent_again(client: Client, maintenance: None) -> None:
    log_in_admin(client)
    typed = {"csrfmiddlewaretoken": "x", "name__v": "VLT <9>", "token": "of the form", "country_code": "DE"}
    response = client.post("/records/study__v/create/", typed)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "120"
    assert "no-store" in response.headers["Cache-Control"]
    page = response.content.decode()
    assert 'name="name__v" value="VLT &lt;9&gt;"' in page
    assert 'action="/records/study__v/create/"' in page
    assert 'name="token" value="of the form"' in page
    assert 'name="country_code" value="DE"' in page
    assert "Send it again" in page
    assert not Study.objects.exists()


def test_secrets_are_in_no_page(client: Client, maintenance: None) -> None:
    log_in_admin(client)
    response = client.post(reverse("change_password"), {"csrfmiddlewaretoken": "x", "new_password1": "canary-word"})
    assert response.status_code == 503
    assert "canary-word" not in response.content.decode()


def test_every_door_is_shut(client: Client, maintenance: None) -> None:
    log_in_admin(client)
    study = StudyFactory.create()
    before = AuditEntry.objects.count()
    doors = [
        ("post", "/api/v1/study__v/", {"name__v": "x"}),
        ("patch", f"/api/v1/study__v/{study.uid}/", {"name__v": "x"}),
        ("delete", f"/api/v1/study__v/{study.uid}/", None),
        ("post", reverse("admin:clinical_study_changelist"), {"action": "delete_selected"}),
        ("post", reverse("admin:accounts_user_add"), {"username": "x"}),
        ("post", "/records/person__sys/import/", {}),
    ]
    for method, url, data in doors:
        kwargs: dict[str, Any] = {"content_type": "application/json"} if url.startswith("/api/") else {}
        response = getattr(client, method)(url, data, **kwargs)
        assert response.status_code == 503, url
        assert response.headers["Retry-After"] == "120"
    answer = client.post("/api/v1/study__v/", {}, content_type="application/json")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert MESSAGE in answer.json()["detail"]
    assert client.post("/records/study__v/create/", {}, HTTP_HX_REQUEST="true").json()["status"] == 503
    assert AuditEntry.objects.count() == before


def test_users_log_in_and_out(client: Client, maintenance: None) -> None:
    UserFactory.create(username="ada", password="correct horse battery")
    client.post(reverse("login"), {"username": "ada", "password": "correct horse battery"})
    assert "_auth_user_id" in client.session
    assert client.post(reverse("logout")).status_code == 302


def test_no_run_begins_and_what_is_due_stays_due() -> None:
    definition = JobDefinition.objects.get(key="audit_trail_verification")
    runs = start_now(definition=definition, user=None)
    call_command("maintenance", "on", "--message", MESSAGE)
    assert execute_run(runs[0].pk) is None
    assert dispatch_due().claimed == 0
    write_contact_dates()
    with pytest.raises(JobHeldError, match="under maintenance"):
        start_now(definition=JobDefinition.objects.get(key="crm_reconciliation"), user=None)
    assert JobRun.objects.get(pk=runs[0].pk).state == RunState.QUEUED
    call_command("maintenance", "off")
    assert execute_run(runs[0].pk) is not None


def test_an_admin_ends_it_in_the_console(client: Client, maintenance: None) -> None:
    log_in_admin(client)
    row = Installation.objects.get()
    url = reverse("admin:machine_installation_end_maintenance", args=(row.pk,))
    assert client.get(url).status_code == 200
    assert client.post(url, {}).status_code == 302
    assert not read_standing().is_read_only
    client.post(reverse("admin:machine_installation_maintenance", args=(row.pk,)), {"message": "Again."})
    assert read_standing().message == "Again."
    assert end_maintenance(actor=build_system_actor(source="command"))
    assert not end_maintenance(actor=build_system_actor(source="command"))


def test_the_command_tells(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("maintenance")
    assert "no maintenance" in capsys.readouterr().out
    call_command("maintenance", "on", "--json")
    assert '"read_only": true' in capsys.readouterr().out
