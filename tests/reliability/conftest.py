"""A world in a database of which nobody else is using anything: its commits are real."""

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
def world(sandbox: RunningSandbox, settings: Any, transactional_db: None) -> World:
    settings.CRM_SANDBOX_ORIGINS = {}
    return build_world(crm=sandbox["na"])
