"""What every test may ask for; which layer it belongs to; which tests run against which database.

`make test` runs this suite twice. With the Vault's database on SQLite everything runs but the tests marked
`postgresql`. With it on PostgreSQL (`python -m tests.servers pytest`) those run, and the tests marked `both_databases`:
what reaches SQL, constraints, locks and transactions. docs/development/testing.md says more.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db.models.signals import post_migrate
from django.test import TransactionTestCase
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from connections.apps import DELIVERY
from ctms.accounts.sessions import SessionStore, note_use
from ctms.configuration import snapshot
from ctms.core import clock
from tests import databases, servers
from tests.registries import list_changed, read_contents
from tests.rows import keep_rows

# A slow machine is no failure: examples have no deadline, and may take long to make. They are the same in each run, so
# that what fails was changed; `make soak` and FUZZ_EXAMPLES look for others.
# Without the phase that explains a failure: it traces every line, and a story of the transfer would never be shortened.
hypothesis_settings.register_profile(
    "vault",
    deadline=None,
    print_blob=True,
    derandomize=not {"SOAK_EXAMPLES", "FUZZ_EXAMPLES"} & os.environ.keys(),
    suppress_health_check=[HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},
)
hypothesis_settings.load_profile("vault")

VAULT_ON_POSTGRESQL = os.environ.get("TEST_VAULT_DATABASE_URL", "").startswith(("postgres://", "postgresql://"))
ORIGINAL = pytest.StashKey[str]()
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}
# Fixtures that serve something over a socket.
SERVER_FIXTURES = {"crm", "postgresql_server", "redis_server", "sandbox", "scripted", "sentry", "server", "tls_sandbox"}
LAYERS = {"unit", "integration", "system", "browser", "reliability"}
# Marks that say where a test runs.
CHOOSING = ("both_databases", "postgresql", "system", "reliability")
LAYERS_OF_FOLDERS = {"tests/browser/": "browser", "tests/reliability/": "reliability"}


# -- Memory ---------------------------------------------------------------------------------------
@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    gc.disable()  # what is imported stays


def pytest_collection_finish() -> None:
    """Let Python look for garbage among what the tests make, and seldom: hardly any of it lies in circles."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


# -- What a test leaves behind --------------------------------------------------------------------
CONTENTS = pytest.StashKey[Mapping[str, frozenset[Any]]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    item.stash[CONTENTS] = read_contents()
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail a test that changed what the Vault registered: the next one in this process would meet it."""
    yield
    changed = list_changed(item.stash[CONTENTS])
    assert not changed, changed


# -- Time -----------------------------------------------------------------------------------------
@pytest.fixture(scope="session", autouse=True)
def database_clock() -> Iterator[None]:
    """While a test moves the clock of its process, PostgreSQL's clock seems to be moved as well."""
    ask_postgresql = clock._ask_postgresql

    def ask() -> datetime:
        return clock.get_now() if time_machine.escape_hatch.is_travelling() else ask_postgresql()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "_ask_postgresql", ask)
        yield


@pytest.fixture(scope="session", autouse=True)
def noted_use() -> Iterator[None]:
    """Let the use of a session be written down when a test moves the clock, not when a busy machine takes a minute.

    It takes statements, once a minute, in whichever request comes then; tests count those of a request.
    """

    def note(session: SessionStore) -> None:
        if time_machine.escape_hatch.is_travelling():
            note_use(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ctms.accounts.middleware.note_use", note)
        yield


@pytest.fixture
def stopped_clock() -> Iterator[None]:
    """Stop the time: the use of a session or a token is written down once a minute, by whichever request comes then."""
    with time_machine.travel(clock.get_now(), tick=False):
        yield


# -- What is collected ----------------------------------------------------------------------------
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a module of which no test can be chosen: importing all of them takes seconds in every process."""
    if not collection_path.match("test_*.py"):
        return None
    marked = find_marks(collection_path)
    if VAULT_ON_POSTGRESQL and not marked & {"both_databases", "postgresql"}:
        return True
    chosen = set(re.findall(r"\w+", config.getoption("markexpr"))) - {"or"}
    if not chosen or chosen - LAYERS:
        return None
    folder = find_folder_layer(collection_path.as_posix())
    possible = {folder} if folder else {"unit", "integration"}
    return None if chosen & (possible | marked) else True


@cache
def find_marks(path: Path) -> frozenset[str]:
    """Return the marks that a module names."""
    return frozenset(re.findall(r"\bpytest\.mark\.(\w+)", path.read_text(encoding="utf-8")))


def find_folder_layer(path: str) -> str | None:
    return next((layer for folder, layer in LAYERS_OF_FOLDERS.items() if folder in path), None)


# -- Layers and databases -------------------------------------------------------------------------
@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    for mark in CHOOSING:
        if item.get_closest_marker(mark) and mark not in find_marks(item.path):
            raise pytest.UsageError(f"{item.nodeid}: write `pytest.mark.{mark}` into its module, which is read for it.")
    item.add_marker(find_layer(item))


def find_layer(item: pytest.Item) -> str:
    if item.get_closest_marker("reliability"):
        return "reliability"
    if layer := find_folder_layer(item.nodeid):
        return layer
    if item.get_closest_marker("system"):
        return "system"
    asks_for_a_server = SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    return "integration" if asks_for_a_server or uses_vault_database(item) else "unit"


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
    chosen = item.get_closest_marker("postgresql") or item.get_closest_marker("both_databases")
    return chosen is not None and uses_vault_database(item)


def uses_vault_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("django_db") or DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ())):
        return True
    test_class = getattr(item, "cls", None)
    return isinstance(test_class, type) and issubclass(test_class, TransactionTestCase)


def is_browser_test(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


# -- Databases ------------------------------------------------------------------------------------
def pytest_sessionstart(session: pytest.Session) -> None:
    """Find or make the migrated database once: xdist's workers are told of it, each of them copies it."""
    config = session.config
    if hasattr(config, "workerinput"):
        config.stash[ORIGINAL] = config.workerinput["original_database"]
        return
    if config.cache is None:
        raise pytest.UsageError("The tests keep a migrated database among pytest's caches: leave its cacheprovider on.")
    until_the_end = ExitStack()
    config.add_cleanup(until_the_end.close)
    config.stash[ORIGINAL] = until_the_end.enter_context(
        databases.provide_original(caches=config.cache.mkdir("vault-database"))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["original_database"] = node.config.stash[ORIGINAL]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None
) -> Iterator[None]:
    """Put a copy of the migrated database where pytest-django makes its own, under the name of this xdist worker."""
    # Tests count connections from none; tests of the delivered one deliver it.
    post_migrate.disconnect(sender=apps.get_app_config("connections"), dispatch_uid=DELIVERY)
    with databases.copy_original(request.config.stash[ORIGINAL]):
        yield


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """True: pytest-django uses the copy, in which it finds nothing to migrate, and delivers what is delivered then."""
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """After a test whose commits are real, put back what was delivered, instead of truncating and delivering.

    The configuration that one test has made is not met by another.
    """
    read_stamp = snapshot._read_stamp
    with django_db_blocker.unblock():
        put_back = keep_rows()
        delivered = read_stamp()

    def read_stamp_of_test() -> Hashable:
        # A process tells configurations apart by counts and times, which two tests may have in common: both change one
        # row, the change of each is rolled back, and both set the clock.
        stamp = read_stamp()
        return stamp if stamp == delivered else (stamp, os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: put_back())
        patch.setattr(snapshot, "_read_stamp", read_stamp_of_test)
        yield


@pytest.fixture
def migrated_database_url(request: pytest.FixtureRequest, django_db_setup: None, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated database for processes that the test starts, of the kind that this run is about."""
    with databases.copy_for_processes(request.config.stash[ORIGINAL], directory=tmp_path) as url:
        yield url


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
