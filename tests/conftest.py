"""What every test may ask for, and which tests run against which database.

`make test` runs this suite twice. With the Vault's database on SQLite everything runs but the tests marked
`postgresql`; with it on PostgreSQL (`python -m tests.servers pytest`) everything runs that uses the Vault's database,
except in a browser, and except what walks through all pages, which asks the database nothing that other tests do not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from pytest_django.live_server_helper import LiveServer

from tests import servers

# A slow machine is no failure: examples have no deadline, and a run is repeatable from what it prints.
hypothesis_settings.register_profile("vault", deadline=None, print_blob=True)
hypothesis_settings.load_profile("vault")

VAULT_ON_POSTGRESQL = os.environ.get("TEST_VAULT_DATABASE_URL", "").startswith(("postgres://", "postgresql://"))
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}
BROWSER_TESTS = "tests/browser/"
WALKS = (
    "tests/configuration/test_layouts_admin.py",
    "tests/configuration/test_objects_admin.py",
    "tests/records/api/test_fuzzing.py",
    "tests/security/test_every_address.py",
    "tests/test_admin_pages.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    belongs = belongs_on_postgresql if VAULT_ON_POSTGRESQL else belongs_on_sqlite
    deselected = [item for item in items if not belongs(item)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
    # Browser tests come last: Playwright leaves an event loop running in its process, in which Django refuses
    # database access to every later test that does not expect it.
    items[:] = sorted((item for item in items if belongs(item)), key=is_browser_test)


def belongs_on_sqlite(item: pytest.Item) -> bool:
    return item.get_closest_marker("postgresql") is None


def belongs_on_postgresql(item: pytest.Item) -> bool:
    return uses_vault_database(item) and not is_browser_test(item) and not item.nodeid.startswith(WALKS)


def uses_vault_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("django_db") or DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ())):
        return True
    test_class = getattr(item, "cls", None)
    return isinstance(test_class, type) and issubclass(test_class, TransactionTestCase)


def is_browser_test(item: pytest.Item) -> bool:
    return item.nodeid.startswith(BROWSER_TESTS)


@pytest.fixture(scope="session")
def live_server(django_db_setup: None, live_server: LiveServer) -> LiveServer:
    """The live server, started after the test database is there: it asks then whether that is one in memory."""
    return live_server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL server in which databases can be created."""
    with servers.provide_postgresql() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of a new, empty PostgreSQL database, dropped after the test."""
    with servers.create_database(server_url=postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """URL of a Redis server, without a database number."""
    with servers.provide_redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """URL of an empty Redis database that is this test's alone, flushed after it.

    A test may FLUSHDB, never FLUSHALL: others use the server.
    """
    with servers.claim_redis_database(server_url=redis_server) as url:
        yield url
