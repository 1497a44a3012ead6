"""Webhooks: signed, to addresses of the internet alone, retried from rows, told apart by their keys."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ctms.core.checked_transport import CheckedAdapter, is_local_address
from ctms.core.clock import get_database_now
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import execute_run, start_now
from ctms.webhooks import calls, delivery
from ctms.webhooks.choices import DeliveryState
from ctms.webhooks.delivery import WAITS, list_due_units
from ctms.webhooks.jobs import WEBHOOK_JOB_KEY
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import queue_event, queue_test, retry_delivery, save_webhook
from ctms.webhooks.signing import SIGNATURE_HEADER
from ctms.webhooks.validators import validate_webhook_url
from tests.crm_sync.scripted_server import Reply, ScriptedServer, run_scripted_server
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db(transaction=True)]
SECRET = "webhook-secret-of-tests-alone"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with run_scripted_server() as script:
        yield script


@pytest.fixture
def receiver(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """A receiver on this machine that calls of webhooks are led to; everything else is as in production."""
    open_session = calls.open_session

    def open_local() -> Any:
        session = open_session()
        session.mount("http://", CheckedAdapter(is_allowed=is_local_address, pool_size=1))
        return session

    monkeypatch.setattr(calls, "open_session", open_local)
    monkeypatch.setattr(calls, "validate_webhook_url", lambda _url: None)
    return server


def make_webhook(url: str = "https://hooks.example.com/vault") -> Webhook:
    webhook = Webhook(name="Hook", url=url)
    save_webhook(webhook=webhook, actor=build_admin_actor(), secret=SECRET)
    return webhook


def deliver() -> list[JobRun]:
    runs = start_now(definition=JobDefinition.objects.get(key=WEBHOOK_JOB_KEY), user=None)
    return [run for run in (execute_run(each.pk) for each in runs) if run is not None]


def lead_to(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    """Let the call of a webhook go to the receiver, whose address is none that a webhook may have."""

    def call(found: WebhookDelivery) -> calls.CallResult:
        found.webhook.url = server.origin
        return calls.call_webhook(found)

    monkeypatch.setattr(delivery, "call_webhook", call)


def test_a_receiver_can_check_signature_and_time(receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to(monkeypatch, receiver)
    receiver.replies = [Reply(status=204)]
    queued = queue_event(webhook=make_webhook(), event="sample", key="sample:1", data={"name": "Ä"})
    (run,) = deliver()
    (request,) = receiver.received
    timestamp, signature = (part.partition("=")[2] for part in request.headers[SIGNATURE_HEADER].split(","))
    expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert signature == expected
    assert abs(int(timestamp) - get_database_now().timestamp()) < 60
    assert json.loads(request.body)["data"] == {"name": "Ä"}
    assert request.headers["Vault-Delivery"] == str(queued.uid)
    queued.refresh_from_db()
    assert (queued.state, queued.status_code, queued.attempts) == (DeliveryState.DELIVERED, 204, 1)
    assert SECRET not in queued.body + run.message + str(run.result)


def test_what_is_refused_is_tried_again_with_growing_waits_and_then_failed(
    receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(monkeypatch, receiver)
    receiver.replies = [Reply(status=500) for _ in range(len(WAITS) + 1)]
    queued = queue_test(make_webhook())
    for number, wait in enumerate(WAITS, start=1):
        deliver()
        queued.refresh_from_db()
        assert (queued.state, queued.attempts) == (DeliveryState.WAITING, number)
        assert queued.next_try_at is not None
        assert queued.tried_at is not None
        assert queued.next_try_at - queued.tried_at == wait
        assert list_due_units() == []
        WebhookDelivery.objects.update(next_try_at=get_database_now() - timedelta(seconds=1))
    deliver()
    queued.refresh_from_db()
    assert (queued.state, queued.next_try_at) == (DeliveryState.FAILED, None)
    assert "500" in queued.message
    assert retry_delivery(queued) is True
    assert retry_delivery(queued) is False
    assert len(list_due_units()) == 1


def test_a_redirect_is_refused(receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to(monkeypatch, receiver)
    receiver.replies = [Reply(status=302, headers={"Location": f"{receiver.origin}/elsewhere"})]
    queued = queue_test(make_webhook())
    deliver()
    queued.refresh_from_db()
    assert len(receiver.received) == 1
    assert queued.state == DeliveryState.WAITING
    assert "redirect" in queued.message


def test_a_host_that_leads_into_the_network_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        calls,
        "CheckedAdapter",
        partial(CheckedAdapter, resolve=lambda *_args: [(2, 1, 6, "", ("169.254.169.254", 443))]),
    )
    queued = queue_test(make_webhook())
    deliver()
    queued.refresh_from_db()
    assert "169.254.169.254" in queued.message
    assert queued.state == DeliveryState.WAITING


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://user:word@hooks.example.com/",
        "https://localhost/",
        "https://hooks.example.com\\@evil.example/",
        "ftp://hooks.example.com/",
    ],
)
def test_addresses_that_a_webhook_may_not_have_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        validate_webhook_url(url)


def test_the_same_event_is_queued_once() -> None:
    webhook = make_webhook()
    first = queue_event(webhook=webhook, event="sample", key="sample:1", data={})
    assert queue_event(webhook=webhook, event="sample", key="sample:1", data={"other": 1}) == first
    assert WebhookDelivery.objects.count() == 1


def test_an_event_whose_worker_died_is_sent_again(receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to(monkeypatch, receiver)
    receiver.replies = [Reply(status=200)]
    queued = queue_test(make_webhook())
    WebhookDelivery.objects.filter(pk=queued.pk).update(state=DeliveryState.SENDING, attempts=1)
    deliver()
    queued.refresh_from_db()
    assert (queued.state, queued.attempts) == (DeliveryState.DELIVERED, 2)
