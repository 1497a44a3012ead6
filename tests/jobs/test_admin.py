"""Job Definitions are activated, rescheduled and started; Job Status shows how runs ended."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from time_machine import travel

from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.accounts.models import SYSTEM_USERNAME
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState, RunTrigger, Weekday
from ctms.jobs.leases import acquire_lease
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
        assert "2 Mar 2026, 11:15" in client.get(job_url(transfer)).content.decode()


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
    assert list_messages(response) == ["CRM/Clinical Operations Transfer was started: 2 runs queued."]
    assert [run.unit_label for run in response.context["queued"]] == ["EMEA", "NA"]
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.record_uid, entry.reason) == (user, transfer.uid, "Started now")


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
        "CRM/Clinical Operations Transfer has nothing to work on: no connection is Active, or each one is paused."
    ]


def test_start_now_of_a_job_for_which_nothing_waits_says_so(client: Client) -> None:
    log_in_admin(client)
    bulk = JobDefinition.objects.get(key="records.bulk")
    response = client.post(job_url(bulk, "start-now"), follow=True)
    assert list_messages(response) == ["Bulk Edits and Imports has nothing to work on: nothing waits for it."]


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


def test_job_status_sums_the_counts_of_all_parts(client: Client) -> None:
    log_in_admin(client)
    create_job_run(result={"a": {"sent": 1000, "failed": 0}, "b": {"sent": 234}})
    page = client.get(reverse("admin:jobs_jobrun_changelist")).content.decode()
    names = ("count_sent", "count_failed", "count_api_calls")
    assert [read_column(page, name) for name in names] == [["1,234"], ["0"], ["–"]]


def read_column(page: str, name: str) -> list[str]:
    """Return the texts of a column of a list of the console."""
    cells = re.findall(rf"<td[^>]*field-{name}[ \"][^>]*>(.*?)</td>", page, re.DOTALL)
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in cells]


def test_job_status_shows_state_counts_and_message(client: Client) -> None:
    log_in_admin(client)
    run = create_job_run(log="line 1\nline 2")
    page = client.get(reverse("admin:jobs_jobrun_changelist")).content.decode()
    assert "Finished with exceptions" in page
    assert read_column(page, "show_short_message") == [run.message] == ["1 record could not be sent."]
    names = ("count_sent", "count_received", "count_failed", "count_api_calls")
    assert [read_column(page, name) for name in names] == [["–"], ["–"], ["1"], ["3"]]
    record = client.get(reverse("admin:jobs_jobrun_change", args=(run.pk,))).content.decode()
    assert "line 1\nline 2" in record
    assert (
        "<th scope='row'>Studies</th><td class='number'>1</td><td class='number'>0</td><td class='number'>–</td>"
        in record
    )


# -- The form of a schedule -----------------------------------------------------------------------
def test_the_parts_of_a_run_are_called_what_people_call_them(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    result = {
        "clinical_study_outbound__v": {"selected": 3},
        "crm_call_inbound__v": {"selected": 10_000},
        "monitoring_event__ctms": {"selected": 7},
        "something_else": {"selected": 1},
    }
    page = client.get(f"/admin/jobs/jobrun/{create_job_run(definition=transfer, result=result).pk}/change/")
    text = page.content.decode()
    places = [
        text.index(f"<th scope='row'>{part}</th>")
        for part in ("CRM Call Inbound Integration", "Clinical Study Outbound Integration", "Monitoring Events")
    ]
    assert places == sorted(places)
    assert ("<th scope='row'>Something else</th>" in text, "10,000" in text) == (True, True)


def test_a_job_says_what_it_does(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    assert "receives its calls as Medical Activities" in client.get(job_url(transfer)).content.decode()


def test_a_cron_schedule_is_shown_with_its_next_three_runs(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    with travel("2026-03-06T10:20:00Z", tick=False):  # a Friday
        submit(
            client,
            job_url(transfer),
            form_id=FORM,
            status=RecordStatus.ACTIVE,
            frequency=Frequency.CRON,
            cron=" 30  6 * * mon-fri ",
        )
        page = client.get(job_url(transfer)).content.decode()
        listed = client.get(reverse("admin:jobs_jobdefinition_changelist")).content.decode()
    transfer.refresh_from_db()
    assert transfer.cron == "30 6 * * mon-fri"
    assert "Mon 9 Mar 2026, 06:30 UTC.<br>Tue 10 Mar 2026, 06:30 UTC.<br>Wed 11 Mar 2026, 06:30 UTC." in page
    assert "Cron 30 6 * * mon-fri (UTC)" in page
    assert "9 Mar 2026, 06:30" in listed


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("", "Enter five fields, parted by spaces: minute, hour, day of month, month and day of week"),
        ("0 25 * * *", "The hour '25' is not understood. Enter numbers from 0 to 23, *, ranges (1-5)"),
        ("0 0 30 2 *", "No such day ever comes. Change the day of month or the month."),
    ],
)
def test_a_cron_expression_that_is_none_is_refused_with_what_to_enter(
    client: Client, transfer: JobDefinition, cron: str, message: str
) -> None:
    log_in_admin(client)
    response = submit(client, job_url(transfer), form_id=FORM, frequency=Frequency.CRON, cron=cron)
    errors = list_errors(response)
    assert list(errors) == ["cron"]
    assert errors["cron"][0].startswith(message)


def test_a_field_that_the_frequency_does_not_use_says_so(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    page = client.get(job_url(transfer)).content.decode()
    assert page.count("Not used while the frequency is Hourly.") == 3
    assert "0–59: the minute of every hour." in page


def test_a_job_has_an_owner_and_the_user_system_owns_none(client: Client, transfer: JobDefinition) -> None:
    user = log_in_admin(client)
    form = client.get(job_url(transfer)).context["adminform"].form
    assert SYSTEM_USERNAME not in form.fields["owner"].queryset.values_list("username", flat=True)
    submit(client, job_url(transfer), form_id=FORM, owner=user.pk)
    transfer.refresh_from_db()
    assert transfer.owner == user


# -- The three pages of Job Status ----------------------------------------------------------------
SCHEDULED, RUNNING, HISTORY = (f"admin:jobs_jobrun_{name}" for name in ("scheduled", "running", "changelist"))


def create_running(**progress: object) -> JobRun:
    run = create_job_run(state=RunState.RUNNING, started_at=get_now() - timedelta(seconds=60), finished_at=None)
    lease = acquire_lease(key=f"{run.definition.key}:{run.unit_key}", run=run)
    assert lease is not None
    lease.renew(progress=dict(progress))
    return run


def test_scheduled_shows_the_next_slot_of_active_jobs_and_what_waits(client: Client, transfer: JobDefinition) -> None:
    log_in_admin(client)
    with travel("2026-03-02T10:20:00Z", tick=False):
        submit(client, job_url(transfer), form_id=FORM, status=RecordStatus.ACTIVE, minute=15)
        create_job_run(state=RunState.QUEUED, unit_label="EMEA")
        page = client.get(reverse(SCHEDULED)).content.decode()
    assert "Mon 2 Mar 2026, 11:15" in page
    assert "Every hour at minute 15" in page
    assert "EMEA" in page
    assert page.count("/admin/jobs/jobdefinition/") >= 1


def test_running_shows_how_far_a_run_is_and_how_long_it_will_take(client: Client) -> None:
    log_in_admin(client)
    with travel("2026-03-02T10:20:00Z", tick=False):
        create_running(study__v={"selected": 100, "total": 100}, site__v={"selected": 300, "total": 900})
        page = client.get(reverse(RUNNING)).content.decode()
    assert "400 of 1,000 · 400 a minute · about 1 min 30 s left" in page
    assert 'value="40"' in page
    assert "for 1 min 0 s" in page


def test_running_without_a_known_total_shows_what_is_done(client: Client) -> None:
    log_in_admin(client)
    create_running(inbound__v={"selected": 1200, "total": 0})
    page = client.get(reverse(RUNNING)).content.decode()
    assert "1,200 so far" in page
    assert "max=" not in page.partition("<progress")[2].partition(">")[0]


def test_the_history_shows_what_ended_and_the_rest_if_asked_for(client: Client) -> None:
    log_in_admin(client)
    done, running = create_job_run(), create_running()
    listed = client.get(reverse(HISTORY)).context["cl"].queryset
    assert list(listed) == [done]
    listed = client.get(reverse(HISTORY), {"state__exact": RunState.RUNNING}).context["cl"].queryset
    assert list(listed) == [running]


@pytest.mark.parametrize("page", [SCHEDULED, RUNNING])
def test_the_pages_ask_as_many_queries_for_five_runs_as_for_one(
    client: Client, page: str, django_assert_num_queries: Any
) -> None:
    log_in_admin(client)
    with travel(get_now(), tick=False):  # a minute later the use of the session would be noted, too
        create_running(part={"done": 1})
        create_job_run(state=RunState.QUEUED)
        client.get(reverse(page))
        with CaptureQueriesContext(connection) as for_one:
            client.get(reverse(page))
        for _ in range(4):
            create_running(part={"done": 1})
            create_job_run(state=RunState.QUEUED)
        with django_assert_num_queries(len(for_one)):
            client.get(reverse(page))


@pytest.mark.parametrize("page", [SCHEDULED, RUNNING])
def test_who_may_not_manage_jobs_sees_no_page_of_job_status(client: Client, page: str) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:edit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(reverse(page)).status_code == 403


# -- Cancel ---------------------------------------------------------------------------------------
def cancel_url(run: JobRun) -> str:
    return reverse("admin:jobs_jobrun_cancel", args=(run.pk,))


def test_cancel_asks_first_and_then_says_what_happens(client: Client) -> None:
    user = log_in_admin(client)
    queued, running = create_job_run(state=RunState.QUEUED, finished_at=None), create_running()
    assert "stops after its current batch" in client.get(cancel_url(running)).content.decode()
    response = client.post(cancel_url(queued), follow=True)
    assert list_messages(response) == [f"{queued} was cancelled."]
    response = client.post(cancel_url(running), follow=True)
    assert list_messages(response) == [f"{running} stops after its current batch."]
    page = response.content.decode()
    assert "Is being cancelled" in page
    assert cancel_url(running) not in page
    running.refresh_from_db()
    assert (running.state, running.cancel_requested_by) == (RunState.RUNNING, user)
    record = client.get(reverse("admin:jobs_jobrun_change", args=(running.pk,))).content.decode()
    assert f"By {user} at" in record
    assert cancel_url(running) not in record


def test_a_run_that_has_ended_is_not_cancelled(client: Client) -> None:
    log_in_admin(client)
    run = create_job_run()
    response = client.post(cancel_url(run), follow=True)
    assert list_messages(response) == ["It has ended already: Finished with exceptions. Nothing was cancelled."]
    assert cancel_url(run) not in client.get(reverse("admin:jobs_jobrun_change", args=(run.pk,))).content.decode()


def test_who_may_not_manage_jobs_cancels_none(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:edit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    run = create_job_run(state=RunState.QUEUED)
    assert client.get(cancel_url(run)).status_code == 403
    assert client.post(cancel_url(run)).status_code == 403
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
