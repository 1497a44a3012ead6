"""All tests of the home page are on a Wednesday."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from time_machine import travel

from ctms.accounts.models import User
from ctms.configuration.snapshot import forget_configuration
from tests.activities.home.people import READ_ACTIVITIES, create_user


@pytest.fixture(autouse=True)
def _wednesday() -> Iterator[None]:
    with travel("2026-03-04T10:00:00Z", tick=False):
        forget_configuration()
        yield
    forget_configuration()


@pytest.fixture
def user() -> User:
    """A user who may read activities and nothing else."""
    return create_user(READ_ACTIVITIES)
