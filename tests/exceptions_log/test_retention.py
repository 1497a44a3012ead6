"""Resolved items are deleted once they are older than the setting allows, and nothing that fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.configuration.steps import StepStatus, apply_step, get_step
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import JobUnit, get_handler
from ctms.jobs.services import create_run, execute_run
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.retention import RETENTION_JOB_KEY
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _thirty_days(settings: Any) -> None:
    settings.EXCEPTION_RETENTION_DAYS = 30


def create_old(days: int, **values: Any) -> ExceptionItem:
    """Create an item, in a message of its own, that was resolved so many days ago."""
    then = get_now() - timedelta(days=days)
    message = create_exception_message(status=RecordStatus.INACTIVE, created_at=then)
    message.items.update(**{"resolved_at": then} | values)
    return message.items.get()


def delete() -> JobRun:
    definition = JobDefinition.objects.get(key=RETENTION_JOB_KEY)
    run = create_run(definition=definition, unit=JobUnit(key="all", label=""), user=None)
    finished = execute_run(run.pk)
    assert finished is not None
    return finished


def test_resolved_items_and_empty_messages_go_after_the_days_of_the_setting() -> None:
    create_old(31)
    young = create_old(29)
    run = delete()
    assert list(ExceptionItem.objects.all()) == [young]
    assert list(ExceptionMessage.objects.all()) == [young.message]
    assert (run.state, run.message) == (RunState.SUCCEEDED, "Deleted: 1 resolved items, 1 empty messages.")


def test_what_fails_or_is_dismissed_stays_however_old_with_its_message() -> None:
    kept = [
        create_exception_message(created_at=get_now() - timedelta(days=90)).items.get(),
        create_old(90, resolved_at=None, dismissed_at=get_now(), dismissal_reason="Known"),
    ]
    delete()
    assert list(ExceptionItem.objects.order_by("pk")) == kept
    assert set(ExceptionMessage.objects.all()) == {item.message for item in kept}


def test_it_deletes_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctms.jobs.retention._BATCH", 2)
    item = create_old(31)
    for _ in range(4):
        create_exception_item(message=item.message, resolved_at=item.resolved_at)
    with CaptureQueriesContext(connection) as queries:
        delete()
    deletions = [each for each in queries if each["sql"].startswith('DELETE FROM "exceptions_log_exceptionitem"')]
    assert (ExceptionItem.objects.count(), len(deletions)) == (0, 3)


def test_with_zero_days_there_is_nothing_to_do(settings: Any) -> None:
    settings.EXCEPTION_RETENTION_DAYS = 0
    assert get_handler(RETENTION_JOB_KEY).list_units() == []


def test_it_is_delivered_daily_and_inactive_and_its_step_activates_it() -> None:
    definition = JobDefinition.objects.get(key=RETENTION_JOB_KEY)
    assert (definition.frequency, definition.hour, definition.status) == (Frequency.DAILY, 3, RecordStatus.INACTIVE)
    step = get_step("user_exception_retention")
    assert step.read_state().status == StepStatus.TO_DO
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state().status == StepStatus.DONE
