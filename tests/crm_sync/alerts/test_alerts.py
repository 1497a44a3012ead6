"""Alerts about connections: once for each change, with thresholds, to contacts and owner, and recovery said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections.models import Connection
from crm_sync.alerts.changes import describe_duration, follow_change, list_changes
from crm_sync.alerts.jobs import ALERT_JOB_KEY
from crm_sync.alerts.sending import _list_connections, list_alert_units
from crm_sync.alerts.services import mark_seen, save_alert_settings
from crm_sync.choices import AlertMailState, ConnectionStateKey
from crm_sync.models import AlertMail, AlertSettings, ConnectionAlert, ConnectionStanding
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import execute_run, start_now
from ctms.records.pages.notifications import list_notifications
from ctms.webhooks.models import WebhookDelivery
from exceptions_log.models import ExceptionMessage
from tests.admin_rows import create_exception_item, create_exception_message, get_integration
from tests.crm_sync.transfer_runs import add_run
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET = "webhook-secret-of-tests-alone"


@pytest.fixture
def connection() -> Connection:
    return ConnectionFactory.create(contact_email="contact@example.com")


def end(connection: Connection, state: RunState, message: str = "") -> None:
    """Let a run of the transfer end a moment ago, after those before."""
    add_run(connection, state, at=get_now(), message=message or state.label)


def tick() -> None:
    """Do what the job does within a minute, as a worker would."""
    if list_alert_units():
        for run in start_now(definition=JobDefinition.objects.get(key=ALERT_JOB_KEY), user=None):
            execute_run(run.pk)


def configure(connection: Connection, *, webhook_url: str = "", **values: Any) -> AlertSettings:
    settings = AlertSettings(connection=connection, **values)
    save_alert_settings(
        settings=settings,
        webhook_url=webhook_url,
        webhook_secret=SECRET if webhook_url else "",
        actor=build_admin_actor(),
    )
    return settings


def list_told() -> list[str]:
    return list(ConnectionAlert.objects.order_by("pk").values_list("key", flat=True))


def test_a_failure_is_told_once_and_recovery_says_what_it_was_and_how_long(connection: Connection) -> None:
    end(connection, RunState.SUCCEEDED)
    tick()
    assert list_told() == []
    end(connection, RunState.FAILED, "The CRM refused the log-in.")
    for _ in range(3):
        tick()
        end(connection, RunState.FAILED, "The CRM refused the log-in.")
    assert list_told() == [ConnectionStateKey.FAILING]
    assert [letter.to for letter in mail.outbox].count(["contact@example.com"]) == 1
    assert "The CRM refused the log-in." in mail.outbox[0].body
    mail.outbox.clear()
    end(connection, RunState.SUCCEEDED)
    tick()
    assert list_told() == [ConnectionStateKey.FAILING]
    end(connection, RunState.SUCCEEDED)
    tick()
    assert list_told() == [ConnectionStateKey.FAILING, ConnectionStateKey.OK]
    assert "works again" in mail.outbox[0].subject
    assert "The CRM refused the log-in." in mail.outbox[0].body
    assert "It lasted" in mail.outbox[0].body


def test_a_connection_that_flaps_is_told_of_once(connection: Connection) -> None:
    for _ in range(4):
        for state in (RunState.FAILED, RunState.SUCCEEDED):
            end(connection, state)
            tick()
    assert list_told() == [ConnectionStateKey.FAILING]


def test_trouble_can_wait_for_several_runs(connection: Connection) -> None:
    configure(connection, runs_to_alert=3)
    for expected in ([], [], [ConnectionStateKey.FAILING]):
        end(connection, RunState.FAILED)
        tick()
        assert list_told() == expected


def test_two_workers_tell_once(connection: Connection) -> None:
    end(connection, RunState.FAILED)
    first, second = (list_changes(list(_list_connections()))[0] for _ in range(2))
    assert follow_change(first) is not None
    assert follow_change(second) is None
    standing = ConnectionStanding.objects.get()
    assert (standing.number, ConnectionAlert.objects.count(), AlertMail.objects.count()) == (1, 1, 2)


@pytest.mark.parametrize(("percent", "told"), [(100, []), (50, [ConnectionStateKey.WITH_EXCEPTIONS])])
def test_failing_records_are_told_above_the_threshold(percent: int, told: list[str]) -> None:
    message = create_exception_message(status=RecordStatus.ACTIVE)
    create_exception_item(message=message, key="one")
    ExceptionMessage.objects.exclude(pk=message.pk).update(status=RecordStatus.INACTIVE)
    connection = get_integration(message).connection
    configure(connection, percent=percent)
    end(connection, RunState.WITH_EXCEPTIONS)
    tick()
    assert list_told() == told


def test_silence_is_told_after_the_hours_of_the_connection(connection: Connection) -> None:
    configure(connection, silent_hours=5)
    run = add_run(connection, RunState.SUCCEEDED, at=get_now() - timedelta(hours=4))
    tick()
    assert list_told() == []
    type(run).objects.filter(pk=run.pk).update(finished_at=get_now() - timedelta(hours=6))
    tick()
    assert list_told() == [ConnectionStateKey.SILENT]
    assert "5 hours" in ConnectionAlert.objects.get().text


def test_pausing_and_inactivity_are_neither_trouble_nor_recovery(connection: Connection) -> None:
    end(connection, RunState.FAILED)
    tick()
    connection.status = RecordStatus.INACTIVE
    save_record(record=connection, actor=build_admin_actor())
    tick()
    assert list_told() == [ConnectionStateKey.FAILING]


def test_a_connection_being_set_up_is_not_told_of() -> None:
    ConnectionFactory.create(authorization=None)
    tick()
    assert list_told() == []


def test_contacts_and_owner_get_one_e_mail_each(connection: Connection) -> None:
    owner = UserFactory.create(email="owner@example.com")
    configure(connection, owner=owner, contacts="A@example.com, contact@example.com\na@example.com")
    end(connection, RunState.FAILED)
    tick()
    addresses = sorted(letter.to[0].casefold() for letter in mail.outbox)
    assert addresses == ["a@example.com", "contact@example.com", "owner@example.com"]


def test_an_address_that_is_none_is_refused_by_name(connection: Connection) -> None:
    with pytest.raises(Exception, match="nobody is no e-mail address"):
        configure(connection, contacts="nobody")


def test_an_e_mail_of_a_worker_that_died_is_not_sent_again(connection: Connection) -> None:
    end(connection, RunState.FAILED)
    (change,) = list_changes(list(_list_connections()))
    follow_change(change)
    AlertMail.objects.update(state=AlertMailState.SENDING)
    tick()
    assert mail.outbox == []
    assert set(AlertMail.objects.values_list("state", flat=True)) == {AlertMailState.UNCLEAR}


def test_an_e_mail_that_fails_is_tried_again(connection: Connection, settings: Any) -> None:
    end(connection, RunState.FAILED)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "nowhere.EmailBackend"
    tick()
    assert set(AlertMail.objects.values_list("state", "attempts")) == {(AlertMailState.WAITING, 1)}
    assert list_alert_units() == []
    settings.EMAIL_BACKEND = backend
    AlertMail.objects.update(next_try_at=get_now() - timedelta(seconds=1))
    tick()
    assert set(AlertMail.objects.values_list("state", flat=True)) == {AlertMailState.SENT}


def test_an_admin_is_notified_until_the_page_was_seen(connection: Connection) -> None:
    admin = UserFactory.create(is_superuser=True, is_staff=True)
    end(connection, RunState.FAILED)
    tick()
    (notice,) = list_notifications(user=admin, limit=5)
    assert (notice.is_warning, connection.name in notice.label) == (True, True)
    mark_seen(connection=connection, user=admin)
    assert list_notifications(user=admin, limit=5) == []


def test_the_webhook_gets_an_event_for_each_change_without_its_secret(connection: Connection) -> None:
    configure(connection, webhook_url="https://hooks.example.com/vault")
    end(connection, RunState.FAILED)
    tick()
    (delivery,) = WebhookDelivery.objects.all()
    assert (delivery.event, delivery.key) == ("connection.state_changed", f"{connection.uid}:1")
    assert '"state": "failing"' in delivery.body
    assert SECRET not in delivery.body


def test_ten_connections_are_judged_with_as_many_statements_as_one(connection: Connection) -> None:
    def count() -> int:
        with CaptureQueriesContext(database) as queries:
            list_alert_units()
        return len(queries)

    end(connection, RunState.FAILED)
    one = count()
    for _ in range(9):
        end(ConnectionFactory.create(), RunState.FAILED)
    assert count() == one


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=5), "1 minute"),
        (timedelta(hours=2, minutes=5), "2 hours 5 minutes"),
        (timedelta(days=1, hours=3, minutes=9), "1 day 3 hours"),
    ],
)
def test_durations_are_said_in_words(span: timedelta, words: str) -> None:
    assert describe_duration(span) == words
