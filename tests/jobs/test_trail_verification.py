"""The job *Verify Audit Trail*: what it says, when it fails, and where it sends the head of the chain."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction

from ctms.audit import verification
from ctms.audit.checks import check_verified_head
from ctms.audit.models import AuditEntry
from ctms.audit.sealing import read_head, seal_entries
from ctms.configuration.steps import StepStatus, apply_step, get_step
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import JobUnit
from ctms.jobs.services import create_run, execute_run
from ctms.jobs.trail_verification import VERIFICATION_JOB_KEY
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory
from tests.rows import without_triggers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _recipients(settings: Any) -> None:
    settings.AUDIT_ANCHOR_RECIPIENTS = ["quality@example.org", "archive@example.org"]


def verify() -> JobRun:
    definition = JobDefinition.objects.get(key=VERIFICATION_JOB_KEY)
    run = create_run(definition=definition, unit=JobUnit(key="all", label=""), user=None)
    finished = execute_run(run.pk)
    assert finished is not None
    return finished


def test_it_is_delivered_for_every_night() -> None:
    definition = JobDefinition.objects.get(key=VERIFICATION_JOB_KEY)
    assert (definition.name, definition.frequency) == ("Verify Audit Trail", Frequency.DAILY)


def test_a_trail_that_holds_succeeds_and_its_head_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_ROWS", 2)
    StudyFactory.create_batch(3)
    seal_entries()
    head = read_head()
    run = verify()
    message = f"{head.position:,} entries were verified up to position {head.position}; all holds."
    assert (run.state, run.message) == (RunState.SUCCEEDED, message)
    assert run.result["entries"]["verified"] == head.position
    (sent,) = mail.outbox
    assert sent.to == ["quality@example.org", "archive@example.org"]
    assert sent.subject.endswith("Audit trail verified")
    assert f"--expect {head}" in sent.body


def test_a_trail_that_does_not_hold_fails_and_names_the_entry() -> None:
    StudyFactory.create()
    seal_entries()
    entry = AuditEntry.objects.latest("id")
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        cursor.execute("UPDATE audit_auditentry SET reason = 'forged' WHERE id = %s", [entry.pk])
    run = verify()
    assert run.state == RunState.FAILED
    assert f"Entry {entry.pk} of" in run.message
    assert f"Entry {entry.pk} of" in run.log
    assert mail.outbox[0].subject.endswith("The audit trail does not hold")


def test_a_head_that_cannot_be_sent_fails_the_run(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    run = verify()
    assert run.state == RunState.FAILED
    assert "The e-mail was not sent" in run.message


def test_without_recipients_nothing_is_sent(settings: Any) -> None:
    settings.AUDIT_ANCHOR_RECIPIENTS = []
    assert verify().state == RunState.SUCCEEDED
    assert mail.outbox == []


def test_what_was_looked_into_is_not_verified_again(settings: Any) -> None:
    StudyFactory.create()
    seal_entries()
    entry = AuditEntry.objects.latest("id")
    with transaction.atomic(), connection.cursor() as cursor, without_triggers(cursor):
        cursor.execute("UPDATE audit_auditentry SET reason = 'forged' WHERE id = %s", [entry.pk])
    assert verify().state == RunState.FAILED
    head = read_head()
    settings.AUDIT_VERIFIED_UP_TO = str(head)
    StudyFactory.create()
    seal_entries()
    run = verify()
    assert run.state == RunState.SUCCEEDED
    assert f"entries after position {head.position} (AUDIT_VERIFIED_UP_TO) were verified" in run.message
    assert run.result["entries"]["verified"] == read_head().position - head.position


def test_a_place_that_is_not_in_the_chain_fails(settings: Any) -> None:
    StudyFactory.create()
    seal_entries()
    settings.AUDIT_VERIFIED_UP_TO = f"{read_head().position}:{'0' * 64}"
    run = verify()
    assert run.state == RunState.FAILED
    assert "is not the one that was kept" in run.message


def test_a_place_that_cannot_be_read_is_refused_at_the_start(settings: Any) -> None:
    settings.AUDIT_VERIFIED_UP_TO = "yesterday"
    (error,) = check_verified_head()
    assert error.msg.startswith("AUDIT_VERIFIED_UP_TO: 'yesterday' is no head of the audit trail")
    settings.AUDIT_VERIFIED_UP_TO = ""
    assert check_verified_head() == []


def test_the_setup_checklist_has_a_step_for_it() -> None:
    step = get_step("audit_trail_verification")
    assert step.read_state().status == StepStatus.TO_DO
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state().reason == "Verify Audit Trail is Active."
