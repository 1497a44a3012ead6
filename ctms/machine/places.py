"""Where the database is: what differs between it and every copy of it.

- PostgreSQL: the cluster's system identifier, and the numbers that it gave the database and this table when they were
  made. Restoring a dump makes tables anew, even in place; replicas that are promoted keep all three.
- SQLite: the file's path and number. A copy is another file.

Source: PostgreSQL manual, "System Columns" (tableoid) and "Control Data Functions".
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection

from ctms.core.standing import Role, Standing
from ctms.machine.models import Installation

_TABLE = Installation._meta.db_table
_COLUMNS = "role, instance, place, maintenance_since, maintenance_message"
_POSTGRESQL_PLACE = (
    "(SELECT system_identifier::text FROM pg_control_system()) || '/' || "  # noqa: S608  a name of ours
    "(SELECT oid::text FROM pg_database WHERE datname = current_database()) || '/' || "
    f"'{_TABLE}'::regclass::oid::text"
)


def read_place() -> str:
    """Return where the database is now."""
    if connection.vendor != "postgresql":
        return _read_file()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_POSTGRESQL_PLACE}")
        return str(cursor.fetchone()[0])


def read_installation_standing() -> Standing:
    """Return what was said of this database if it was said of this very one. Takes one statement."""
    columns = f"{_COLUMNS}, {_POSTGRESQL_PLACE}" if connection.vendor == "postgresql" else _COLUMNS
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {_TABLE}")  # noqa: S608  names of columns
        row = cursor.fetchone()
    if row is None:  # its tables were made, and nothing was delivered: `migrate` has not ended
        return Standing(role=Role.UNDECIDED)
    role, instance, bound, since, message, *now = row
    is_here = instance == settings.VAULT_INSTANCE and bound == (now[0] if now else _read_file())
    if role == Role.VAULT and not is_here:
        role = Role.UNDECIDED
    return Standing(role=Role(role), is_read_only=since is not None, message=message)


def _read_file() -> str:
    path = Path(str(connection.settings_dict["NAME"]))
    return f"{path.resolve()}:{path.stat().st_ino}" if path.exists() else f"{path}:memory"
