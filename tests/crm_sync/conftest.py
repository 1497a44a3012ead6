"""A scripted CRM and a client that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crm_sync.client import ClientOptions, Credentials, CrmClient
from tests.crm_sync.scripted_server import ScriptedServer, run_scripted_server

SECRET = "canary-" + "secret"
PASSWORD_LOG_IN = Credentials(
    flow="password",
    username="vault@example.com",
    password=SECRET + "-password",
    consumer_key=SECRET + "-key",
    consumer_secret=SECRET + "-consumer",
)

MakeClient = Callable[..., CrmClient]


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with run_scripted_server() as server:
        yield server


@pytest.fixture
def make_client(scripted: ScriptedServer) -> Iterator[MakeClient]:
    """Return a maker of clients of the scripted CRM that hardly wait; options are given by name."""
    clients: list[CrmClient] = []

    def make(
        *, credentials: Credentials = PASSWORD_LOG_IN, on_wait: Callable[[], None] | None = None, **options: Any
    ) -> CrmClient:
        chosen: dict[str, Any] = {
            "connect_timeout": 2.0,
            "read_timeout": 5.0,
            "backoff_base_seconds": 0.001,
            "sandbox_origins": {"https://na.crm.test": scripted.origin},
        } | options
        client = CrmClient(
            base_url="https://na.crm.test", credentials=credentials, options=ClientOptions(**chosen), on_wait=on_wait
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
