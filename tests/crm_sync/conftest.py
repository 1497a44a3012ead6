"""Fixtures: a scripted CRM with a client of it, and a Vault connected to organisations of the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from crm_sync.salesforce.client import ClientOptions, Credentials, CrmClient
from crm_sync.sandbox.serving.running import RunningSandbox
from tests.crm_sync.altered_answers import AlteringProxy, run_altering_proxy
from tests.crm_sync.plain_crm import build_plain_world
from tests.crm_sync.scripted_server import ScriptedServer, run_scripted_server
from tests.crm_sync.world import World, prepare_world

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
            "connect_timeout": 60.0,
            "read_timeout": 60.0,
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


# -- A Vault connected to one organisation, and to two -----------------------------------------------
@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(names=["na", "emea"]) as running:
        yield running


@pytest.fixture
def quick_retries(settings: Any) -> None:
    """Make retries few and without waiting."""
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_MAX_ATTEMPTS = 3


@pytest.fixture
def patient_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each call for which somebody waits at a page the time that all of them have: a busy machine needs it."""
    monkeypatch.setattr("crm_sync.crm.deadlines.time", SimpleNamespace(monotonic=lambda: 0.0))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked `every_dialect` over the sandbox and over a CRM of another kind.

    On PostgreSQL over the sandbox alone: docs/decisions/0063-dialects-are-compared-on-one-database.md.
    """
    if "world" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_dialect"):
        dialects = ["salesforce"] if connection.vendor == "postgresql" else ["salesforce", "plain"]
        metafunc.parametrize("world", dialects, indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest, settings: Any, quick_retries: None, patient_pages: None, db: None) -> World:
    settings.CRM_SANDBOX_ORIGINS = {}
    if getattr(request, "param", "salesforce") == "plain":
        settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": "http://127.0.0.1:9"}
        return build_plain_world(request.getfixturevalue("monkeypatch"))
    return prepare_world(crm=request.getfixturevalue("sandbox")["na"])


@pytest.fixture
def second_world(sandbox: RunningSandbox, world: World) -> World:
    return prepare_world(crm=sandbox["emea"], name="EMEA")


@pytest.fixture
def altered(world: World, settings: Any) -> Iterator[AlteringProxy]:
    """Return a proxy between the Vault and the organisation of `world`, which alters answers as the test says."""
    with run_altering_proxy(world.crm.base_url) as proxy:
        settings.CRM_SANDBOX_ORIGINS = {**settings.CRM_SANDBOX_ORIGINS, "na.crm.test": proxy.origin}
        yield proxy
