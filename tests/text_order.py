"""The order of texts in the database at hand: that in which people look names up, but where PostgreSQL has no ICU."""

from __future__ import annotations

from django.db import connection


def has_icu() -> bool:
    """Whether the order is the product's own: always on SQLite, and on a PostgreSQL that was built with ICU."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT collprovider = 'i' FROM pg_collation WHERE collname = 'vault_sort'")
        return bool(cursor.fetchone()[0])


def put_in_order(looked_up: list[str]) -> list[str]:
    """Return texts that are in the order of people as they are; without ICU, in that of their code points."""
    return looked_up if has_icu() else sorted(looked_up)
