"""The page on which a connection opens: what it says, to whom, with how many statements, and Start Now."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.actions.pausing import pause_connection
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.models import IntegrationRun
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from tests.admin_forms import list_messages, log_in_admin, submit
from tests.admin_rows import create_exception_item
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db


def build_url(connection: Connection, page: str = "") -> str:
    return f"/admin/connections/connection/{connection.pk}/{page}"


def add_run(connection: Connection, *, sent: int, failed: int) -> JobRun:
    now = get_now()
    run = JobRun.objects.create(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY),
        unit_key=str(connection.uid),
        unit_label=connection.name,
        slot=now,
        queued_at=now,
        started_at=now,
        finished_at=now,
        state=RunState.WITH_EXCEPTIONS,
    )
    IntegrationRun.objects.create(
        run=run,
        integration=connection.integrations.get(kind=IntegrationKind.STUDY_OUTBOUND),
        started_at=now,
        selected=sent + failed,
        sent=sent,
        created=sent,
        failed=failed,
        api_calls=3,
    )
    return run


def test_the_list_leads_to_the_page_and_edit_is_an_action(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    listed = client.get(reverse("admin:connections_connection_changelist")).content.decode()
    assert f'href="{build_url(connection)}"' in listed
    page = client.get(build_url(connection)).content.decode()
    assert f'href="{build_url(connection, "change/")}">Edit</a>' in page


def test_the_page_tells_what_the_last_transfers_moved_and_leads_to_their_records(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    run = add_run(connection, sent=12, failed=2)
    page = client.get(build_url(connection)).content.decode()
    assert "Sent, " in page
    assert ": 12" in page
    assert f"/admin/jobs/jobrun/{run.pk}/change/" in page
    assert f"/admin/crm_sync/transferattempt/?run__id__exact={run.pk}" in page.replace("&amp;", "&")
    assert "3 in the last transfer" in page


def test_exceptions_are_shown_by_cause_to_those_who_may_read_them(client: Client) -> None:
    item = create_exception_item()
    connection = item.message.connection
    assert connection is not None
    log_in_admin(client)
    assert "Exceptions by cause" in client.get(build_url(connection)).content.decode()
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    page = client.get(build_url(connection)).content.decode()
    assert "Exceptions by cause" not in page
    assert "start-now" not in page


def test_who_may_not_read_connections_sees_no_page(client: Client) -> None:
    connection = ConnectionFactory.create()
    profile = SecurityProfileFactory.create(permissions=["study__v:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(build_url(connection)).status_code == 403


def test_start_now_starts_a_transfer_of_this_connection_alone(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    ConnectionFactory.create(name="EU")
    response = client.post(build_url(connection, "start-now/"), follow=True)
    assert list_messages(response) == ["A transfer of NA was started."]
    assert [run.unit_label for run in JobRun.objects.all()] == ["NA"]


def test_start_now_of_a_paused_or_inactive_connection_says_so(client: Client) -> None:
    log_in_admin(client)
    paused = ConnectionFactory.create(name="NA")
    inactive = ConnectionFactory.create(name="EU", status=RecordStatus.INACTIVE)
    pause_connection(connection=paused, reason="Upgrade", actor=build_admin_actor())
    response = client.post(build_url(paused, "start-now/"), follow=True)
    assert list_messages(response) == ["NA is paused, so no transfer was started. Resume it first."]
    assert "Upgrade" in response.content.decode()
    response = client.post(build_url(inactive, "start-now/"), follow=True)
    assert list_messages(response) == ["EU is Inactive, so no transfer was started. Activate it first."]
    assert not JobRun.objects.exists()


def test_the_page_runs_the_same_statements_for_one_run_and_for_ten(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    add_run(connection, sent=1, failed=1)

    def count() -> int:
        client.get(build_url(connection))  # which notes the use of the session, if the log-in is a minute ago
        with CaptureQueriesContext(database) as queries:
            client.get(build_url(connection))
        return len(queries)

    few = count()
    for number in range(9):
        add_run(connection, sent=number, failed=0)
    assert count() == few


def test_a_run_leads_to_its_connection_and_its_records(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    run = add_run(connection, sent=12, failed=2)
    integration = connection.integrations.get(kind=IntegrationKind.STUDY_OUTBOUND)
    page = client.get(reverse("admin:jobs_jobrun_change", args=(run.pk,))).content.decode().replace("&amp;", "&")
    assert f"href='{build_url(connection)}'" in page
    query = f"run__id__exact={run.pk}&integration__id__exact={integration.pk}"
    assert f"{reverse('admin:crm_sync_transferattempt_changelist')}?{query}" in page
    assert "12 sent, 0 received, 2 failed" in page


def test_every_action_of_the_page_has_a_label_and_an_address_that_answers(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    links = client.get(build_url(connection)).context["page_actions"]
    assert [each["label"] for each in links][:5] == [
        "Preview",
        "Test One Record",
        "Test Connection",
        "Reconciliation",
        "Pause",
    ]
    assert "Unmatched" in [each["label"] for each in links]
    for each in links:
        assert client.get(each["url"]).status_code in (200, 302)


def test_saving_the_form_leads_back_to_the_page(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    url = build_url(connection, "change/")
    response = submit(client, url, form_id="connection_form", description="Of the north")
    assert response.url == build_url(connection)
    connection.refresh_from_db()
    assert connection.description == "Of the north"
