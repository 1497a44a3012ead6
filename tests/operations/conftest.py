from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.operations.installation import Installation


@pytest.fixture
def role(postgresql_url: str) -> Iterator[str]:
    name = f"vault_application_{secrets.token_hex(4)}"
    yield name
    with psycopg.connect(postgresql_url, autocommit=True) as database:
        found = database.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        if found:
            database.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            database.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def installation(tmp_path: Path, role: str) -> Iterator[Installation]:
    made = Installation(folder=tmp_path, role=role, settings="tests.reliability.settings")
    yield made
    made.end_all()
