"""A world in a database of which nobody else is using anything: its commits are real, and other processes see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection as database
from kombu import Connection as BrokerConnection

from crm_sync.sandbox.running import RunningSandbox
from ctms.jobs import tasks
from tests.crm_sync.world import World, build_world
from tests.reliability.processes import Installation


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(names=["na", "emea"]) as running:
        yield running


@pytest.fixture
def world(sandbox: RunningSandbox, settings: Any, transactional_db: None) -> World:
    settings.CRM_SANDBOX_ORIGINS = {}
    return build_world(crm=sandbox["na"])


@pytest.fixture
def broker_url(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The broker of the workers, to which this process sends its messages, too."""

    def send(run_id: int) -> None:
        with BrokerConnection(redis_url) as connection:
            tasks.execute_job_run.apply_async((run_id,), producer=connection.Producer())

    monkeypatch.setattr(tasks.execute_job_run, "delay", send)
    return redis_url


@pytest.fixture
def installation(world: World, sandbox: RunningSandbox, broker_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Processes of the Vault whose database this test uses."""
    origins = {f"{name}.crm.test": running.base_url for name, running in sandbox.organisations.items()}
    running = Installation(
        broker_url=broker_url,
        environment={
            "DATABASE_URL": build_database_url(),
            "SECRET_KEY": django_settings.SECRET_KEY,
            "FIELD_ENCRYPTION_KEYS": ",".join(django_settings.FIELD_ENCRYPTION_KEYS),
            "ALLOWED_HOSTS": "localhost",
            "VAULT_BASE_URL": "https://vault.example.org",
            "RELIABILITY_SANDBOX_ORIGINS": ",".join(f"{host}={origin}" for host, origin in origins.items()),
        },
        directory=tmp_path,
    )
    try:
        yield running
    finally:
        running.kill_all()


def build_database_url() -> str:
    """URL of the database that this process uses."""
    values = database.settings_dict
    account = quote(str(values["USER"]))
    if values["PASSWORD"]:
        account += f":{quote(str(values['PASSWORD']))}"
    return f"postgresql://{account}@{values['HOST']}:{values['PORT'] or 5432}/{values['NAME']}"
