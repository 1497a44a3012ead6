"""The two roles of PostgreSQL: the owner of the tables migrates, and the application can only add to the audit trail.

Source: PostgreSQL manual, "Privileges" and "GRANT".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from ctms.audit.chain import VALUE_COLUMNS
from ctms.audit.models import AuditEntry, AuditSeal

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# The tables that are added to alone, with the columns that a redaction replaces; triggers let nothing else through.
ADDED_TO_ALONE = {AuditEntry._meta.db_table: VALUE_COLUMNS, AuditSeal._meta.db_table: ("salt",)}
_READ_ALONE = ("django_migrations",)
_READ_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    ORDER BY relname
"""
_READ_RIGHTS = """
    SELECT
        (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
        pg_has_role(current_user, relowner, 'MEMBER'),
        EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
            AND attname <> ALL(%s) AND has_column_privilege(attrelid, attnum, 'UPDATE')
        ),
        has_table_privilege(oid, 'DELETE'),
        has_table_privilege(oid, 'TRUNCATE'),
        has_table_privilege(oid, 'TRIGGER')
    FROM pg_class WHERE oid = to_regclass(%s)
"""
_RIGHTS = (
    "is a superuser",
    "owns it",
    "may update it beyond redactions",
    "may delete from it",
    "may truncate it",
    "may add triggers",
)


def build_grants(connection: BaseDatabaseWrapper, *, role: str) -> list[str]:
    """Return the statements that give a role what the application needs, and take from it whatever else it has."""
    name = sql.Identifier(role)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = sql.Identifier(cursor.fetchone()[0])
        cursor.execute(_READ_TABLES)
        tables = [table for (table,) in cursor.fetchall()]
        statements = [
            sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}").format(schema, name),
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name),
            sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, name),
            sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}").format(schema, name),
            sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, name),
            *(
                sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(_choose_rights(table)), sql.Identifier(table), name)
                for table in tables
            ),
        ]
        return [statement.as_string(cursor.connection) for statement in statements]


def build_role(connection: BaseDatabaseWrapper, *, role: str, password: str) -> str:
    """Return the statement that creates a role, or changes its password, so that it can log in and nothing else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
        verb = "ALTER" if cursor.fetchone()[0] else "CREATE"
        return (
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}")
            .format(sql.SQL(verb), sql.Identifier(role), sql.Literal(password))
            .as_string(cursor.connection)
        )


def list_role_problems(connection: BaseDatabaseWrapper) -> list[str]:
    """Return a sentence for each table of the audit trail to which this connection's role may do more than add."""
    problems = []
    with connection.cursor() as cursor:
        for table, redacted in ADDED_TO_ALONE.items():
            cursor.execute(_READ_RIGHTS, [list(redacted), table])
            row = cursor.fetchone()
            found = [right for right, has in zip(_RIGHTS, row or (), strict=False) if has]
            if found:
                problems.append(f"The application's role in the database {', '.join(found)}: {table}.")
    return problems


def _choose_rights(table: str) -> str:
    if table in ADDED_TO_ALONE:
        return f"SELECT, INSERT, UPDATE ({', '.join(ADDED_TO_ALONE[table])})"
    return "SELECT" if table in _READ_ALONE else "SELECT, INSERT, UPDATE, DELETE"
