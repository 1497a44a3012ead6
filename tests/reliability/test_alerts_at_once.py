"""Two workers that decide at the same moment about a connection tell of a change, and of its recovery, once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.core import mail

from connections.models import Connection
from crm_sync.alerts.changes import follow_change, list_changes
from crm_sync.alerts.jobs import ALERT_JOB_KEY
from crm_sync.alerts.sending import _list_connections
from crm_sync.alerts.services import save_alert_settings
from crm_sync.choices import AlertMailState, ConnectionStateKey
from crm_sync.models import AlertMail, AlertNotice, AlertSettings, ConnectionAlert, ConnectionStanding
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import execute_run, start_now
from ctms.webhooks.models import WebhookDelivery
from tests.crm_sync.transfer_runs import add_run
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
WORKERS = 4


@pytest.fixture
def connection() -> Connection:
    connection = ConnectionFactory.create(contact_email="contact@example.com")
    save_alert_settings(
        settings=AlertSettings(connection=connection, runs_to_alert=1, runs_to_recover=1),
        webhook_url="https://hooks.example.com/vault",
        webhook_secret="webhook-secret-of-tests-alone",
        actor=build_admin_actor(),
    )
    return connection


def decide() -> Any:
    """Judge the connection and write what follows, as a worker does."""
    changes = list_changes(list(_list_connections()))
    return follow_change(changes[0]) if changes else None


def count_told() -> list[int]:
    """The alerts, e-mails by address, notices by user, and webhook events so far."""
    return [each.objects.count() for each in (ConnectionAlert, AlertMail, AlertNotice, WebhookDelivery)]


@pytest.mark.parametrize("_attempt", range(5))
def test_workers_that_decide_at_once_tell_a_change_and_a_recovery_once(_attempt: int, connection: Connection) -> None:
    told: list[str] = []
    once: list[int] = []
    for state, key in (
        (RunState.FAILED, ConnectionStateKey.FAILING),
        (RunState.SUCCEEDED, ConnectionStateKey.OK),
        (RunState.FAILED, ConnectionStateKey.FAILING),
    ):
        add_run(connection, state, at=get_now(), message="The CRM refused the log-in.")
        answers = call_at_once([decide] * WORKERS)
        assert [each for each in answers if isinstance(each, Exception)] == []
        assert len([each for each in answers if each is not None]) == 1
        told.append(key)
        once = once or count_told()
        assert list(ConnectionAlert.objects.order_by("number").values_list("key", flat=True)) == told
        assert count_told() == [each * len(told) for each in once]
    assert once[0] == once[3] == 1
    assert sorted(AlertMail.objects.values_list("alert__number", "address").distinct()) == sorted(
        AlertMail.objects.values_list("alert__number", "address")
    )
    assert ConnectionStanding.objects.get().number == len(told)


@pytest.mark.parametrize("_attempt", range(3))
def test_workers_that_send_at_once_send_each_letter_once(_attempt: int, connection: Connection) -> None:
    """Two runs of the job at the same moment, as after a lease that was taken over while its worker slept."""
    add_run(connection, RunState.FAILED, at=get_now(), message="The CRM refused the log-in.")
    definition = JobDefinition.objects.get(key=ALERT_JOB_KEY)
    runs = [*start_now(definition=definition, user=None)]
    answers = call_at_once([partial(execute_run, run.pk) for run in runs for _ in range(2)])
    assert [each for each in answers if isinstance(each, Exception)] == []
    letters = [(letter.subject, *letter.to) for letter in mail.outbox]
    assert sorted(letters) == sorted(set(letters))
    assert set(AlertMail.objects.values_list("state", flat=True)) == {AlertMailState.SENT}
    assert len(letters) == AlertMail.objects.count()
