"""The actions Schedule and Alerts of a connection."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from connections.models import Connection, ConnectionSchedule
from crm_sync.jobs import TRANSFER_JOB_KEY, list_scheduled_transfer_units
from crm_sync.models import AlertSettings
from ctms.core.choices import RecordStatus
from ctms.jobs.services import set_job_status
from ctms.webhooks.models import Webhook, WebhookDelivery
from tests.admin_forms import log_in_admin
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db
SECRET = "webhook-secret-of-tests-alone"
ALERTS = {"contacts": "", "percent": 10, "silent_hours": "", "runs_to_alert": 1, "runs_to_recover": 2}


@pytest.fixture
def connection() -> Connection:
    return ConnectionFactory.create()


def get_url(connection: Connection, page: str) -> str:
    return reverse(f"admin:connections_connection_{page}", args=(connection.pk,))


def read(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_a_connection_gets_a_schedule_of_its_own_and_shows_its_next_three_times(
    client: Client, connection: Connection
) -> None:
    log_in_admin(client)
    set_job_status(key=TRANSFER_JOB_KEY, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    url = get_url(connection, "schedule")
    assert "by the schedule of the transfer job" in read(client, url)
    values = {"is_own": "on", "frequency": "daily", "weekday": 0, "hour": 6, "minute": 15, "cron": ""}
    assert client.post(url, {**values, "time_zone": "Asia/Tokyo"}).status_code == 302
    page = read(client, url)
    assert "Every day at 06:15 (Asia/Tokyo), by the schedule of its own." in page
    assert page.count("06:15 JST (UTC+9)") >= 3
    (unit,) = list_scheduled_transfer_units()
    assert unit.schedule == ConnectionSchedule.objects.get()


def test_a_cron_mistake_is_refused_beside_its_field(client: Client, connection: Connection) -> None:
    log_in_admin(client)
    values = {"is_own": "on", "frequency": "cron", "weekday": 0, "hour": 0, "minute": 0, "time_zone": "UTC"}
    response = client.post(get_url(connection, "schedule"), {**values, "cron": "*/90 * * * *"})
    assert "only 0 is left" in response.content.decode()
    assert not ConnectionSchedule.objects.exists()


def test_a_schedule_that_somebody_else_changed_is_not_overwritten(client: Client, connection: Connection) -> None:
    log_in_admin(client)
    url = get_url(connection, "schedule")
    values = {
        "is_own": "on",
        "frequency": "hourly",
        "weekday": 0,
        "hour": 0,
        "minute": 5,
        "cron": "",
        "time_zone": "UTC",
    }
    client.post(url, values)
    client.post(url, {**values, "minute": 6, "read_version": 1})
    client.post(url, {**values, "minute": 7, "read_version": 1})
    assert ConnectionSchedule.objects.get().minute == 6


def test_alerts_are_saved_with_a_webhook_whose_secret_is_never_shown(client: Client, connection: Connection) -> None:
    log_in_admin(client)
    url = get_url(connection, "alerts")
    read(client, url)
    hook = {"webhook_url": "https://hooks.example.com/vault", "webhook_secret": SECRET}
    assert client.post(url, {**ALERTS, "contacts": "a@example.com", **hook}).status_code == 302
    settings = AlertSettings.objects.get()
    assert settings.webhook is not None
    assert settings.webhook.secret.reveal() == SECRET
    page = read(client, url)
    assert "a@example.com" in page
    assert SECRET not in page
    assert client.post(url, {"test": "1"}).status_code == 302
    assert WebhookDelivery.objects.get().event == "test"
    assert "Deliveries to the webhook" in read(client, url)


def test_another_host_does_not_get_what_is_signed_with_the_secret_of_the_first(
    client: Client, connection: Connection
) -> None:
    log_in_admin(client)
    url, secret = get_url(connection, "alerts"), "another secret of 24 characters"
    client.post(url, {**ALERTS, "webhook_url": "https://hooks.example.com/vault", "webhook_secret": SECRET})
    values = {**ALERTS, "read_version": AlertSettings.objects.get().version}

    refused = client.post(url, {**values, "webhook_url": "https://elsewhere.example.net/vault"})
    assert "the one that is stored was entered for hooks.example.com" in refused.content.decode()
    assert Webhook.objects.get().url == "https://hooks.example.com/vault"

    assert client.post(url, {**values, "webhook_url": "https://hooks.example.com/other"}).status_code == 302
    values["read_version"] = AlertSettings.objects.get().version
    moved = {"webhook_url": "https://elsewhere.example.net/vault", "webhook_secret": secret}
    assert client.post(url, {**values, **moved}).status_code == 302
    assert Webhook.objects.get().secret.reveal() == secret


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"webhook_url": "http://hooks.example.com/"}, "must begin with https://"),
        ({"webhook_url": "https://hooks.example.com/"}, "Enter a secret"),
        ({"webhook_url": "https://hooks.example.com/", "webhook_secret": "short"}, "at least 24 characters"),
        ({"contacts": "nobody"}, "nobody is no e-mail address"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(
    client: Client, connection: Connection, values: dict[str, str], said: str
) -> None:
    log_in_admin(client)
    response = client.post(get_url(connection, "alerts"), {**ALERTS, **values})
    assert said in response.content.decode()
    assert not AlertSettings.objects.exists()


@pytest.mark.parametrize("page", ["schedule", "alerts"])
def test_who_may_not_edit_connections_is_refused(client: Client, connection: Connection, page: str) -> None:
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(get_url(connection, page)).status_code == 403
