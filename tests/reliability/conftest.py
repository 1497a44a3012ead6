"""Fixtures for tests whose commits are real and seen by other processes: a world and an installation with workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from celery import Celery
from django.conf import settings as django_settings
from django.db import connection as database

from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.jobs import queue
from ctms.settings import base
from tests.crm_sync.world import World, build_world
from tests.jobs.handlers import keep_all_schedules_away
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
    """Return the URL of the workers' broker, and let this process send its messages to it, as in production."""
    send_through(redis_url, monkeypatch=monkeypatch)
    return redis_url


def send_through(url: str, *, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process send its messages to the broker of this URL."""
    app = Celery("production", set_as_current=False)
    app.config_from_object(base, namespace="CELERY")
    app.conf.update(broker_url=url)
    monkeypatch.setattr(queue, "current_app", app)


@pytest.fixture
def installation(world: World, sandbox: RunningSandbox, broker_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Yield an installation whose processes use the database of this test, and in which no job is due by itself."""
    keep_all_schedules_away()
    origins = {f"{name}.crm.test": running.base_url for name, running in sandbox.organisations.items()}
    running = Installation(
        broker_url=broker_url,
        environment={
            "DATABASE_URL": build_database_url(),
            "SECRET_KEY": django_settings.SECRET_KEY,
            "FIELD_ENCRYPTION_KEYS": ",".join(django_settings.FIELD_ENCRYPTION_KEYS),
            "ALLOWED_HOSTS": "localhost,vault.example.org",
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
    """Return the URL of the database that this process uses."""
    values = database.settings_dict
    account = quote(str(values["USER"]))
    if values["PASSWORD"]:
        account += f":{quote(str(values['PASSWORD']))}"
    return f"postgresql://{account}@{values['HOST']}:{values['PORT'] or 5432}/{values['NAME']}"
