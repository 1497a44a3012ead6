"""A receiver on this machine that calls of webhooks are led to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ctms.core.checked_transport import CheckedAdapter, is_local_address
from ctms.webhooks import calls, delivery
from ctms.webhooks.models import WebhookDelivery
from tests.crm_sync.scripted_server import Reply, ScriptedServer, run_scripted_server


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A receiver that accepts everything."""
    with run_scripted_server() as script:
        script.answer = lambda _request: Reply(status=204)
        yield script


@pytest.fixture
def receiver(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """The same, called by every webhook; everything else is as in production."""
    open_session = calls.open_session

    def open_local() -> Any:
        session = open_session()
        session.mount("http://", CheckedAdapter(is_allowed=is_local_address, pool_size=1))
        return session

    def call(found: WebhookDelivery) -> calls.CallResult:
        found.webhook.url = server.origin
        return calls.call_webhook(found)

    monkeypatch.setattr(calls, "open_session", open_local)
    monkeypatch.setattr(calls, "validate_webhook_url", lambda _url: None)
    monkeypatch.setattr(delivery, "call_webhook", call)
    return server
