"""Tests get real servers: found, or started and stopped again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
import redis

from ctms.core.text.operations import list_text_statements
from tests import servers

pytestmark = pytest.mark.system

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def no_server_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_IGNORE_LOCAL_SERVERS", "1")
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)


def count_databases(*, server_url: str, prefix: str) -> int:
    with psycopg.connect(server_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def test_postgresql_url_is_an_empty_database(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute(TABLES).fetchone() == (0,)


def test_a_database_is_dropped_although_somebody_is_still_connected(postgresql_server: str) -> None:
    with servers.create_database(server_url=postgresql_server) as url:
        name = url.rpartition("/")[2]
        connection = psycopg.connect(url)
    assert count_databases(server_url=postgresql_server, prefix=name) == 0
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_redis_url_is_an_empty_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_two_claims_get_different_redis_databases_and_leave_them_empty(redis_server: str) -> None:
    with (
        servers.claim_redis_database(server_url=redis_server) as first,
        servers.claim_redis_database(server_url=redis_server) as second,
        redis.Redis.from_url(first) as client,
    ):
        assert first != second
        client.set("left behind", "value")
    with redis.Redis.from_url(first) as client:
        assert not client.exists("left behind")  # others may have claimed the database by now


def test_no_port_is_given_twice_and_each_worker_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    for worker in ("gw0", "gw1", "gw0"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        given.append({port for _ in range(20) for port in servers.find_free_ports(2)})
    assert [len(ports) for ports in given] == [40] * 3
    assert not given[0] & given[1]
    assert not given[0] & given[2]


@pytest.mark.usefixtures("no_server_at_hand")
def test_without_a_server_postgresql_is_started_and_stopped_despite_open_connections() -> None:
    with servers.provide_postgresql() as server_url, servers.create_database(server_url=server_url) as url:
        connection = psycopg.connect(url)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        still_open = psycopg.connect(server_url)
    assert servers.find_postgresql_problem(url=server_url) != ""
    connection.close()
    still_open.close()


@pytest.mark.usefixtures("no_server_at_hand")
def test_a_server_that_is_started_knows_letters_though_it_has_no_icu() -> None:
    """Else no test of the Vault on PostgreSQL could run where there is no other server."""
    with (
        servers.provide_postgresql() as server_url,
        servers.create_database(server_url=server_url) as url,
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
    ):
        for statement in list_text_statements(cursor):
            cursor.execute(statement)
        cursor.execute("SELECT vault_fold('Łukasz MÜLLER'), 'Z' < 'a' COLLATE vault_sort")
        assert cursor.fetchone() == ("lukasz muller", True)


@pytest.mark.usefixtures("no_server_at_hand")
def test_without_a_server_redis_is_started_and_stopped() -> None:
    with servers.provide_redis() as server_url, servers.claim_redis_database(server_url=server_url) as url:
        assert servers.find_redis_problem(url=url) == ""
    assert servers.find_redis_problem(url=server_url) != ""


@pytest.mark.usefixtures("no_server_at_hand")
def test_a_started_server_stops_when_the_tests_are_killed(tmp_path: Path) -> None:
    script = (
        "from tests.servers import provide_redis\n"
        "with provide_redis() as url:\n"
        "    print(url, flush=True)\n"
        "    input()\n"
    )
    tests_process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with tests_process:
        assert tests_process.stdout is not None
        url = tests_process.stdout.readline().strip()
        client = redis.Redis.from_url(url)
        assert client.ping() is True
        tests_process.send_signal(signal.SIGKILL)
    # The answer to a read that waits for ever is that the server has closed the connection.
    with pytest.raises(redis.ConnectionError):
        client.blpop(["nothing-is-ever-pushed-here"], timeout=0)
    client.close()


@pytest.mark.parametrize(
    ("variable", "url", "provide"),
    [
        ("TEST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", servers.provide_postgresql),
        ("TEST_REDIS_URL", "redis://127.0.0.1:1", servers.provide_redis),
    ],
)
def test_a_named_server_that_does_not_answer_is_an_error_and_not_replaced(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, provide: Callable[[], AbstractContextManager[str]]
) -> None:
    monkeypatch.setenv(variable, url)
    with (
        pytest.raises(servers.NoServerError, match=rf"^{variable} cannot be used: .*Correct it, or unset it\.$"),
        provide(),
    ):
        pass


def test_a_named_redis_database_is_refused_because_it_would_be_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_REDIS_URL", "redis://127.0.0.1:6379/3")
    with pytest.raises(servers.NoServerError, match=r"^TEST_REDIS_URL names a database"), servers.provide_redis():
        pass


def test_a_command_runs_with_the_vault_on_postgresql_and_leaves_no_database_behind(postgresql_server: str) -> None:
    script = (
        "import os, psycopg\n"
        "server, vault = os.environ['TEST_DATABASE_URL'], os.environ['TEST_VAULT_DATABASE_URL']\n"
        "name = 'test_' + vault.rpartition('/')[2]\n"
        "psycopg.connect(server, autocommit=True).execute('CREATE DATABASE ' + name)\n"
        "print(name)\n"
        "raise SystemExit(3)\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "tests.servers", sys.executable, "-W", "ignore", "-c", script],
        env=os.environ | {"TEST_DATABASE_URL": postgresql_server},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert result.returncode == 3
    assert count_databases(server_url=postgresql_server, prefix=result.stdout.strip()) == 0
