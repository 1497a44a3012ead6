"""A migrated database, made once and copied: what every test process begins with.

Migrating takes seconds, copying takes milliseconds. The original holds the tables and nothing else; what is delivered
after migrations (object types, job definitions, permissions) is delivered into each copy by the code at hand.

- SQLite: the original is a file among pytest's caches. Its name is a fingerprint of all that migrating depends on, so
  that a change makes another one.
- PostgreSQL: the original is a database of the run's server, made when the run begins and dropped when it ends.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.apps import apps
from django.db import connection
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from psycopg import sql

from ctms.core.sqlite.texts import support_texts
from tests.imports import ROOT, find_sources

KEPT_SECONDS = 24 * 60 * 60  # an original that another run, of other code, may be about to copy
# The rows of migrations stay: they are no model's. Whatever else migrations write goes.
MIGRATE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, interactive=False)
from tests.rows import delete_rows
delete_rows()
"""


@contextmanager
def provide_original(*, caches: Path) -> Iterator[str]:
    """What `copy_original` copies: the path of a SQLite file, or the name of a PostgreSQL database."""
    if connection.vendor == "sqlite":
        yield str(_find_sqlite_original(caches=caches))
        return
    name = f"{_get_test_name()}_original"
    _create_database(name=name, template="template0")
    try:
        _migrate(url=_get_url(name=name))
        yield name
    finally:
        _drop_database(name=name)


@contextmanager
def copy_original(original: str) -> Iterator[None]:
    """The database that Django's tests are going to use, as a copy of the original; removed afterwards."""
    name = _get_test_name()
    if connection.vendor == "sqlite":
        shutil.copyfile(original, name)
        try:
            yield
        finally:
            connection.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{name}{suffix}").unlink(missing_ok=True)
        return
    _create_database(name=name, template=original)
    try:
        yield
    finally:
        connection.close()
        _drop_database(name=name)


@contextmanager
def copy_for_processes(original: str, *, directory: Path) -> Iterator[str]:
    """The URL of one more copy of the original, for processes that a test starts; removed afterwards."""
    name = f"copy_{secrets.token_hex(4)}"
    if connection.vendor == "sqlite":
        shutil.copyfile(original, directory / name)
        yield f"sqlite:///{directory / name}"
        return
    _create_database(name=name, template=original)
    try:
        yield _get_url(name=name)
    finally:
        _drop_database(name=name)


def _get_test_name() -> str:
    """The name of the database that Django makes for tests, with the number of the xdist worker."""
    values = connection.settings_dict
    return str(values["TEST"]["NAME"] or f"{TEST_DATABASE_PREFIX}{values['NAME']}")


# -- SQLite ---------------------------------------------------------------------------------------
def _find_sqlite_original(*, caches: Path) -> Path:
    fingerprint = compute_fingerprint()
    original = caches / f"{fingerprint}.sqlite3"
    if original.exists():
        return original
    work = caches / f"{secrets.token_hex(8)}.work"
    finished = work.with_suffix(".finished")
    try:
        _migrate(url=f"sqlite:///{work}")
        with sqlite3.connect(work) as source:
            support_texts(source)
        source.execute("VACUUM INTO ?", [str(finished)])
        source.close()
        if compute_fingerprint() != fingerprint:
            raise RuntimeError("The migrations changed while they ran. Start the tests again.")
        for other in caches.glob("*.sqlite3"):
            if other.stat().st_mtime < time.time() - KEPT_SECONDS:
                other.unlink(missing_ok=True)
        # At once, so that runs side by side see the whole file or none; the later one replaces it by its equal.
        finished.replace(original)
    finally:
        for left in caches.glob(f"{work.stem}.*"):
            left.unlink(missing_ok=True)
    return original


def compute_fingerprint() -> str:
    """A digest of what the tables depend on: migrations, what they import, the settings, every package, SQLite."""
    digest = hashlib.sha256(f"{sys.version} {sqlite3.sqlite_version}".encode())
    for package in sorted(Path(sysconfig.get_path("purelib")).glob("*.dist-info")):
        digest.update(package.name.encode())
    for path in sorted(find_sources(_list_roots())):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _list_roots() -> list[Path]:
    """Every migration of this project, the settings that say which apps there are, and this module.

    Migrations of installed packages are as old as the packages, whose versions are in the fingerprint.
    """
    found = [Path(__file__), *(ROOT / "ctms" / "settings").glob("*.py")]
    for config in apps.get_app_configs():
        found += ROOT.joinpath(*config.name.split("."), "migrations").glob("*.py")
    return found


# -- PostgreSQL -----------------------------------------------------------------------------------
def _get_url(*, name: str) -> str:
    values: dict[str, Any] = connection.settings_dict
    login = ":".join(quote(values[key], safe="") for key in ("USER", "PASSWORD") if values[key])
    address = f"{values['HOST']}:{values['PORT'] or 5432}"
    return f"postgresql://{login}@{address}/{name}" if login else f"postgresql://{address}/{name}"


def _create_database(*, name: str, template: str) -> None:
    _drop_database(name=name)
    with psycopg.connect(_get_url(name="postgres"), autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        # Commits do not wait for the disk: nothing here need outlive a failure of the machine.
        server.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))


def _drop_database(*, name: str) -> None:
    with psycopg.connect(_get_url(name="postgres"), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


# -- Both -----------------------------------------------------------------------------------------
def _migrate(*, url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ctms.settings.test", "TEST_VAULT_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The database of the tests could not be migrated:\n{done.stderr}")
