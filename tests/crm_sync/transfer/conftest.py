"""A world of one organisation, and of two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_sync.sandbox.running import RunningSandbox
from tests.crm_sync.world import World, build_world


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(names=["na", "emea"]) as running:
        yield running


@pytest.fixture
def quick_retries(settings: Any) -> None:
    """Retries that do not wait, and few of them."""
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_MAX_ATTEMPTS = 3


@pytest.fixture
def world(sandbox: RunningSandbox, settings: Any, quick_retries: None, db: None) -> World:
    settings.CRM_SANDBOX_ORIGINS = {}
    return build_world(crm=sandbox["na"])


@pytest.fixture
def second_world(sandbox: RunningSandbox, world: World) -> World:
    return build_world(crm=sandbox["emea"], name="EMEA")
