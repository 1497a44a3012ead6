"""What the doctor asks the database."""

from __future__ import annotations

from typing import Final

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ctms.audit.guards import list_guard_problems
from ctms.audit.key_rotation import find_unreadable
from ctms.audit.roles import list_role_problems
from ctms.core.clock import get_database_now, get_now
from ctms.core.text.folding import FUNCTION
from ctms.core.text.sorting import COLLATION
from ctms.machine.health.doctor import Check, Finding, fine, problem, register_check, skipped
from ctms.machine.health.probes import open_connection

_OLDEST: Final = 140_000
_MOST_OFFSET: Final = 15  # seconds; codes of authenticator apps are right for thirty
_READ_COLLATION: Final = """
    SELECT
        (
            SELECT collversion IS NOT DISTINCT FROM pg_collation_actual_version(oid)
            FROM pg_collation WHERE collname = %s
        ),
        EXISTS (SELECT FROM pg_collation WHERE collname = %s AND collprovider = 'i'),
        EXISTS (SELECT FROM pg_proc WHERE proname = %s)
"""


def check_database() -> Finding:
    """Whether a connection of one's own comes about, and the version is one that is supported."""
    with open_connection() as own, own.cursor() as cursor:
        if own.vendor != "postgresql":
            cursor.execute("SELECT sqlite_version()")
            return fine(f"SQLite {cursor.fetchone()[0]} answers.")
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0])
    if version < _OLDEST:
        return problem(f"PostgreSQL {version // 10_000} is too old.", remedy="Upgrade the server to 14 or later.")
    return fine(f"PostgreSQL {version // 10_000} answers.")


def check_migrations() -> Finding:
    """Whether all migrations of this release are applied."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        first = f"{missing[0][0].app_label}.{missing[0][0].name}"
        return problem(f"{len(missing)} are not applied, the first is {first}.", remedy="Run manage.py migrate.")
    return fine("All are applied.")


def check_collation() -> Finding:
    """Whether texts are sorted and searched by the ICU that the indexes were built with, or by none."""
    if connection.vendor != "postgresql":
        return skipped("SQLite sorts by the Vault's own rules.")
    with connection.cursor() as cursor:
        cursor.execute(_READ_COLLATION, [COLLATION, COLLATION, FUNCTION])
        is_current, has_icu, has_function = cursor.fetchone()
    if is_current is None or not has_function:
        return problem("Collation or function is missing.", remedy="Run manage.py migrate as the owner of the tables.")
    if not is_current:
        return problem(
            "The server's ICU library is another one than the indexes were built with.",
            remedy=f"Stop the Vault; REINDEX DATABASE …; ALTER COLLATION {COLLATION} REFRESH VERSION.",
        )
    if not has_icu:
        return fine("This PostgreSQL was built without ICU: lists are sorted by code points, Z before a and Ä.")
    return fine("Collation and function are those of the server's ICU.")


def check_roles() -> Finding:
    """Whether the application can only add to the audit trail, whose triggers are in place."""
    if missing := list_guard_problems(connection):
        return problem(
            f"{missing[0]} ({len(missing)} in all)",
            remedy="Find out who did it, then run manage.py migrate as the owner of the tables.",
        )
    if connection.vendor != "postgresql":
        return fine("The triggers of the audit trail are in place; SQLite has no roles.")
    if problems := list_role_problems(connection):
        return problem(
            problems[0],
            remedy="Let another role run the Vault: manage.py grant_application_role (docs/operations.md, Two roles).",
        )
    return fine("The role can only add to the audit trail, whose triggers are in place.")


def check_keys() -> Finding:
    """Whether the present keys read every stored secret."""
    count, unreadable = find_unreadable()
    if unreadable:
        return problem(
            f"{len(unreadable)} of {count} stored secrets cannot be read: {', '.join(unreadable[:3])}.",
            remedy="Put the key back into FIELD_ENCRYPTION_KEYS, or enter these secrets again.",
        )
    return fine(f"{count} stored secrets can be read.")


def check_clock() -> Finding:
    """How far this machine's clock is from that of the database's."""
    if connection.vendor != "postgresql":
        return skipped("The database is in this process.")
    before = get_now()
    database = get_database_now()
    after = get_now()
    offset = (database - (before + (after - before) / 2)).total_seconds()
    if abs(offset) > _MOST_OFFSET:
        side = "ahead of" if offset > 0 else "behind"
        return problem(
            f"The database's clock is {abs(offset):.0f} seconds {side} this machine's.",
            remedy="Set both by a time server (NTP): codes of authenticator apps and due times go by them.",
        )
    return fine(f"The database's clock is {abs(offset):.1f} seconds from this machine's.")


def register_database_checks() -> None:
    """Add these checks."""
    register_check(Check(name="database", ask=check_database, needs_database=False))
    register_check(Check(name="migrations", ask=check_migrations))
    register_check(Check(name="collation", ask=check_collation))
    register_check(Check(name="roles", ask=check_roles))
    register_check(Check(name="keys", ask=check_keys, limit=30.0))
    register_check(Check(name="clock", ask=check_clock))
