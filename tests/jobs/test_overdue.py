"""Jobs that have not succeeded for longer than their schedule allows are shown, and one e-mail is sent for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from time_machine import Traveller, travel

from ctms.audit.services import save_record
from ctms.core.models import allow_record_writes
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from ctms.jobs.overdue import list_recipients, notify_overdue_jobs
from ctms.jobs.selectors import list_overdue_jobs
from ctms.jobs.services import dispatch_due, execute_run, reset_clock
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.jobs.handlers import CountingJob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages"), pytest.mark.both_databases]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _nobody_to_tell() -> None:
    user = get_admin_user()
    user.email = ""
    user.save()


@pytest.fixture
def _admin_with_address() -> None:
    UserFactory.create(is_superuser=True, email="ada@example.org")


def tick(clock: Traveller, at: datetime) -> None:
    clock.move_to(at)
    dispatch_due()


def run_all(**states: str) -> None:
    """Execute the queued runs; a unit named in `states` ends in that state."""
    for run in JobRun.objects.filter(state=RunState.QUEUED):
        execute_run(run.pk)
        if run.unit_key in states:
            JobRun.objects.filter(pk=run.pk).update(state=states[run.unit_key])


def list_sentences() -> list[str]:
    return [job.sentence for job in list_overdue_jobs()]


def test_a_job_that_runs_as_it_should_is_never_overdue(job: CountingJob, clock: Traveller) -> None:
    job.activate()
    for hour in range(1, 5):
        clock.move_to(NOON + hour * HOUR)
        assert list_overdue_jobs() == []
        dispatch_due()
        run_all()
        assert list_overdue_jobs() == []


def test_a_job_is_overdue_one_interval_and_a_quarter_of_an_hour_after_its_last_success(
    job: CountingJob, clock: Traveller
) -> None:
    job.activate()
    tick(clock, NOON + HOUR)
    run_all()
    tick(clock, NOON + 2 * HOUR)
    run_all(north=RunState.FAILED, south=RunState.FAILED)
    clock.move_to(NOON + 2 * HOUR + 15 * MINUTE)
    assert list_overdue_jobs() == []
    clock.move_to(NOON + 2 * HOUR + 16 * MINUTE)
    (overdue,) = list_overdue_jobs()
    assert (overdue.definition.key, overdue.since) == (job.key, NOON + HOUR)
    assert overdue.sentence == (
        "Counting Job has not succeeded for North, South since 2 Mar 2026, 13:00 UTC. "
        "See its runs in Job Status, and that a worker runs."
    )


def test_one_unit_that_fails_makes_the_job_overdue_and_is_named(job: CountingJob, clock: Traveller) -> None:
    job.activate()
    tick(clock, NOON + HOUR)
    run_all()
    tick(clock, NOON + 2 * HOUR)
    run_all(north=RunState.FAILED)
    tick(clock, NOON + 3 * HOUR)
    run_all(north=RunState.FAILED)
    assert [sentence.partition(".")[0] for sentence in list_sentences()] == [
        "Counting Job has not succeeded for North since 2 Mar 2026, 13:00 UTC"
    ]
    tick(clock, NOON + 4 * HOUR)
    run_all(north=RunState.WITH_EXCEPTIONS)
    assert list_overdue_jobs() == []


def test_a_job_that_nobody_executes_is_overdue_although_its_slots_are_claimed(
    job: CountingJob, clock: Traveller
) -> None:
    job.activate()
    tick(clock, NOON + HOUR)
    clock.move_to(NOON + HOUR + 16 * MINUTE)
    (overdue,) = list_overdue_jobs()
    assert overdue.since == NOON
    assert overdue.sentence.startswith("Counting Job has not succeeded for North, South yet. ")


def test_a_job_that_nobody_starts_is_overdue(job: CountingJob, clock: Traveller) -> None:
    job.activate()
    clock.move_to(NOON + HOUR + 15 * MINUTE)
    assert list_overdue_jobs() == []
    clock.move_to(NOON + HOUR + 16 * MINUTE)
    assert list_sentences() == [
        (
            "Counting Job was due at 2 Mar 2026, 13:00 UTC, and nobody started it; "
            "see that the scheduler (celery beat) runs."
        )
    ]


def test_a_job_that_cannot_say_what_to_do_is_overdue(
    job: CountingJob, clock: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.activate()
    monkeypatch.delattr(job, "units")
    tick(clock, NOON + 2 * HOUR)
    assert "it cannot say what there is to do" in list_sentences()[0]


def test_a_job_with_nothing_to_do_is_not_overdue(job: CountingJob, clock: Traveller) -> None:
    job.units = []
    job.activate()
    tick(clock, NOON + HOUR)
    clock.move_to(NOON + 10 * HOUR)
    assert list_overdue_jobs() == []


def test_a_unit_that_was_added_later_is_not_overdue_before_its_first_slot(job: CountingJob, clock: Traveller) -> None:
    units, job.units = job.units, job.units[:1]
    job.activate()
    for hour in range(1, 4):
        tick(clock, NOON + hour * HOUR)
        run_all()
    job.units = units
    clock.move_to(NOON + 3 * HOUR + 30 * MINUTE)
    assert list_overdue_jobs() == []
    tick(clock, NOON + 4 * HOUR)
    run_all(south=RunState.FAILED)
    assert list_overdue_jobs() == []
    clock.move_to(NOON + 4 * HOUR + 16 * MINUTE)
    assert [sentence.partition(" yet")[0] for sentence in list_sentences()] == [
        "Counting Job has not succeeded for South"
    ]


def test_an_inactive_or_rescheduled_job_is_judged_from_its_activation(job: CountingJob, clock: Traveller) -> None:
    definition = job.activate()
    tick(clock, NOON + 10 * HOUR)
    clock.move_to(NOON + 12 * HOUR)
    assert len(list_overdue_jobs()) == 1
    reset_clock(definition)
    assert list_overdue_jobs() == []


def test_a_cron_job_may_rest_over_the_weekend(job: CountingJob, clock: Traveller) -> None:
    definition = job.activate()
    definition.frequency, definition.cron = Frequency.CRON, "0 9 * * mon-fri"
    save_record(record=definition, actor=build_admin_actor())
    friday = datetime(2026, 3, 6, 9, tzinfo=UTC)
    clock.move_to(friday - MINUTE)
    reset_clock(definition)
    tick(clock, friday)
    run_all()
    clock.move_to(friday + timedelta(days=3) - MINUTE)
    assert list_overdue_jobs() == []


def test_the_statements_do_not_depend_on_units_or_runs(
    job: CountingJob, clock: Traveller, django_assert_max_num_queries: Any
) -> None:
    job.activate()
    for hour in range(1, 6):
        tick(clock, NOON + hour * HOUR)
        run_all(north=RunState.FAILED, south=RunState.FAILED)
    with django_assert_max_num_queries(10):  # seven are those of other jobs that may have units, such as flash reports
        assert len(list_overdue_jobs()) == 1


# -- E-mail ---------------------------------------------------------------------------------------
@pytest.mark.usefixtures("_admin_with_address")
def test_one_mail_is_sent_however_often_the_clock_ticks_and_another_when_it_happens_again(
    job: CountingJob, clock: Traveller
) -> None:
    definition = job.activate()
    for minute in range(0, 60 * 3, 7):
        tick(clock, NOON + HOUR + minute * MINUTE)
    assert [message.subject for message in mail.outbox] == ["[CTMS Vault] Counting Job is overdue"]
    message = mail.outbox[0]
    assert message.to == ["ada@example.org"]
    assert f"/admin/jobs/jobdefinition/{definition.pk}/change/" in message.body
    assert "Schedule: Every hour at minute 0." in message.body
    run_all()
    tick(clock, NOON + 4 * HOUR)
    run_all()
    assert JobClock.objects.get(definition=definition).notified_at is None
    for minute in range(0, 60 * 3, 7):
        tick(clock, NOON + 5 * HOUR + minute * MINUTE)
    assert len(mail.outbox) == 2


@pytest.mark.usefixtures("_admin_with_address")
def test_a_mail_that_fails_is_tried_again_and_fails_no_tick(job: CountingJob, clock: Traveller) -> None:
    job.activate()
    with patch.object(EmailBackend, "send_messages", side_effect=ConnectionRefusedError):
        tick(clock, NOON + HOUR)
        tick(clock, NOON + HOUR + 20 * MINUTE)
    assert mail.outbox == []
    assert JobRun.objects.count() == 2
    tick(clock, NOON + HOUR + 21 * MINUTE)
    tick(clock, NOON + HOUR + 22 * MINUTE)
    assert len(mail.outbox) == 1


def test_whatever_goes_wrong_in_telling_fails_no_tick(job: CountingJob, clock: Traveller) -> None:
    job.activate()
    clock.move_to(NOON + HOUR)
    with patch("ctms.jobs.services.notify_overdue_jobs", side_effect=RuntimeError):
        assert dispatch_due().claimed == 1


def test_without_anybody_to_tell_nothing_is_noted_and_who_comes_later_is_told(
    job: CountingJob, clock: Traveller
) -> None:
    job.activate()
    tick(clock, NOON + HOUR)
    clock.move_to(NOON + 3 * HOUR)
    assert notify_overdue_jobs() == 0
    UserFactory.create(is_superuser=True, email="late@example.org")
    assert notify_overdue_jobs() == 1


def test_admins_of_jobs_and_the_owner_are_told_once_each(job: CountingJob) -> None:
    of_jobs = SecurityProfileFactory.create(permissions=["admin:jobs"])
    of_else = SecurityProfileFactory.create(permissions=["study__v:read"])
    UserFactory.create(email="root@example.org", is_superuser=True)
    UserFactory.create(email="jobs@example.org", security_profile=of_jobs)
    UserFactory.create(email="gone@example.org", security_profile=of_jobs, is_active=False)
    UserFactory.create(email="", security_profile=of_jobs)
    UserFactory.create(email="else@example.org", security_profile=of_else)
    definition = job.deliver()
    definition.owner = UserFactory.create(email="Owner@example.org", security_profile=of_else)
    assert sorted(list_recipients(definition)) == ["Owner@example.org", "jobs@example.org", "root@example.org"]
    definition.owner = UserFactory.create(email="ROOT@example.org", security_profile=of_else)
    assert len(list_recipients(definition)) == 2
    definition.owner = UserFactory.create(email="ended@example.org", valid_until=NOON.date())
    assert sorted(list_recipients(definition)) == ["jobs@example.org", "root@example.org"]


# -- The page -------------------------------------------------------------------------------------
def test_job_definitions_begin_with_what_is_overdue(job: CountingJob, clock: Traveller, client: Client) -> None:
    admin = log_in_admin(client)
    url = reverse("admin:jobs_jobdefinition_changelist")
    job.activate()
    assert "vault-overdue" not in client.get(url).content.decode()
    clock.move_to(NOON + 3 * HOUR)
    client.force_login(admin)  # the session has ended meanwhile
    page = client.get(url).content.decode()
    assert "Counting Job was due at 2 Mar 2026, 13:00 UTC, and nobody started it" in page


def test_a_definition_without_a_sound_cron_expression_breaks_no_list(
    job: CountingJob, clock: Traveller, client: Client
) -> None:
    definition = job.activate()
    with allow_record_writes():
        JobDefinition.objects.filter(pk=definition.pk).update(frequency=Frequency.CRON, cron="nonsense")
    clock.move_to(NOON + 3 * HOUR)
    log_in_admin(client)
    assert dispatch_due().claimed == 0
    assert client.get(reverse("admin:jobs_jobdefinition_changelist")).status_code == 200
    assert client.get(reverse("admin:jobs_jobdefinition_change", args=(definition.pk,))).status_code == 200


def test_the_landing_page_begins_with_overdue_jobs_for_those_who_see_jobs(
    client: Client, job: CountingJob, clock: Traveller
) -> None:
    job.activate()
    log_in_admin(client)
    assert "Overdue jobs" not in [panel["title"] for panel in client.get("/admin/").context["panels"]]
    clock.move_to(NOON + HOUR + 16 * MINUTE)
    log_in_admin(client)  # the session of before has ended
    page = client.get("/admin/")
    assert page.context["panels"][0]["title"] == "Overdue jobs"
    assert "nobody started it" in page.content.decode()
    profile = SecurityProfileFactory.create(permissions=["admin:settings"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert "Overdue jobs" not in [panel["title"] for panel in client.get("/admin/").context["panels"]]
