"""Job Definitions are activated, rescheduled and started; Job Status tells how runs ended."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from time_machine import travel

from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import Frequency, RunState, RunTrigger, Weekday
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from tests.admin_forms import list_errors, list_messages, log_in_admin, submit
from tests.admin_rows import create_job_run
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db

FORM = "jobdefinition_form"


@pytest.fixture
def transfer() -> JobDefinition:
    return JobDefinition.objects.get(key=TRANSFER_JOB_KEY)


def job_url(definition: JobDefinition, page: str = "change") -> str:
    return f"/admin/jobs/jobdefinition/{definition.pk}/{page}/"


def test_the_transfer_is_delivered_inactive_and_has_no_next_run(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    assert transfer.status == RecordStatus.INACTIVE
    assert "None while the job is Inactive" in client.get(job_url(transfer)).content.decode()


def test_an_activated_job_is_due_at_its_next_regular_time(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    with travel("2026-03-02T10:20:00Z", tick=False):
        submit(client, job_url(transfer), form_id=FORM, status=RecordStatus.ACTIVE, minute=15)
        assert JobClock.objects.get(definition=transfer).next_run_at.isoformat() == "2026-03-02T11:15:00+00:00"
        assert "2026-03-02 11:15" in client.get(job_url(transfer)).content.decode()


def test_a_rescheduled_job_is_due_at_the_new_time(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    with travel("2026-03-02T10:20:00Z", tick=False):  # a Monday
        submit(client, job_url(transfer), form_id=FORM, status=RecordStatus.ACTIVE)
        submit(
            client,
            job_url(transfer),
            form_id=FORM,
            frequency=Frequency.WEEKLY,
            weekday=Weekday.SUNDAY,
            hour=6,
            minute=30,
        )
        assert JobClock.objects.get(definition=transfer).next_run_at.isoformat() == "2026-03-08T06:30:00+00:00"
        assert "Every Sunday at 06:30 UTC" in client.get(job_url(transfer)).content.decode()


def test_renaming_a_job_does_not_move_its_next_run(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    with travel("2026-03-02T10:20:00Z", tick=False):
        submit(client, job_url(transfer), form_id=FORM, status=RecordStatus.ACTIVE)
    with travel("2026-03-02T12:20:00Z", tick=False):
        submit(client, job_url(transfer), form_id=FORM, name="Transfer")
    assert JobClock.objects.get(definition=transfer).next_run_at.isoformat() == "2026-03-02T11:00:00+00:00"


def test_a_time_that_is_none_is_refused(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    response = submit(client, job_url(transfer), form_id=FORM, minute=60)
    assert list_errors(response) == {"minute": ["Ensure this value is less than or equal to 59."]}


def test_start_now_asks_first(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    ConnectionFactory.create()
    response = client.get(job_url(transfer, "start-now"))
    assert "runs at once, beside its schedule" in response.content.decode()
    assert not JobRun.objects.exists()


def test_start_now_queues_a_run_of_each_connection_and_shows_them(client: Client, transfer: JobDefinition) -> None:
    user = log_in_admin(client)
    ConnectionFactory.create(name="NA")
    ConnectionFactory.create(name="EMEA")
    response = client.post(job_url(transfer, "start-now"), follow=True)
    runs = {(run.unit_label, run.state, run.trigger, run.requested_by) for run in JobRun.objects.all()}
    assert runs == {(name, RunState.QUEUED, RunTrigger.START_NOW, user) for name in ("NA", "EMEA")}
    assert list_messages(response) == ["CRM/Clinical Operations Transfer was started: 2 run(s) queued."]
    assert response.context["cl"].result_count == 2


def test_start_now_of_a_running_job_says_so(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    ConnectionFactory.create()
    client.post(job_url(transfer, "start-now"))
    response = client.post(job_url(transfer, "start-now"), follow=True)
    assert list_messages(response)[-1] == (
        "CRM/Clinical Operations Transfer is scheduled or running already; see Job Status."
    )
    assert JobRun.objects.count() == 1


def test_start_now_without_a_connection_says_what_is_missing(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    response = client.post(job_url(transfer, "start-now"), follow=True)
    assert list_messages(response) == [
        "CRM/Clinical Operations Transfer has nothing to work on: no connection is Active."
    ]


def test_who_may_not_manage_jobs_starts_none(client: Client, transfer: JobDefinition) -> None:
    ConnectionFactory.create()
    profile = SecurityProfileFactory.create(permissions=["connection__sys:edit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.post(job_url(transfer, "start-now")).status_code == 403
    assert not JobRun.objects.exists()


def test_jobs_are_neither_added_nor_deleted(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    assert client.get(reverse("admin:jobs_jobdefinition_add")).status_code == 403
    assert client.post(job_url(transfer, "delete"), {"post": "yes"}).status_code == 403


def test_job_status_shows_state_counts_and_message(client: Client) -> None:
    log_in_admin(client)
    run = create_job_run(log="line 1\nline 2")
    page = client.get(reverse("admin:jobs_jobrun_changelist")).content.decode()
    shown = [
        text for text in ("Finished with exceptions", "selected 3, failed 1, API calls 3", run.message) if text in page
    ]
    assert shown == ["Finished with exceptions", "selected 3, failed 1, API calls 3", "1 record could not be sent."]
    record = client.get(reverse("admin:jobs_jobrun_change", args=(run.pk,))).content.decode()
    assert "line 1\nline 2" in record
    assert "<tr><th scope='row'>study__v</th><td>1</td><td>0</td><td>–</td></tr>" in record
