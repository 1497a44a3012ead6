"""Tells what ails the installation – a full disk, a database that takes no writes – from errors of the work itself.

The work is right and goes on once an operator has helped, so nothing of it is marked as failed.
"""

from __future__ import annotations

import errno

from django.db import InterfaceError, InternalError, OperationalError

# By PostgreSQL's SQLSTATE; https://www.postgresql.org/docs/current/errcodes-appendix.html
_READ_ONLY = "25006"
_REMEDIES_BY_STATE = {
    "53100": "The disk of the database is full. Make room on it.",
    "53200": "The database server is out of memory. Give it more, or start fewer processes of the Vault.",
    "53300": "The database takes no more connections. Raise max_connections, or lower DATABASE_POOL_SIZE.",
    _READ_ONLY: "The database takes no writes: it is a standby, or set read-only. Point DATABASE_URL to the primary.",
}
_REMEDIES_BY_ERRNO = {
    errno.ENOSPC: "A disk of this machine is full. Make room on it.",
    errno.EDQUOT: "The disk quota of this user is used up. Raise it, or make room.",
    errno.EROFS: "A file system of this machine is read-only. Mount it for writing; the system's log has the cause.",
    errno.EMFILE: "This process has too many files open. Raise its limit (ulimit -n) and restart it.",
    errno.ENFILE: "This machine has too many files open. Raise fs.file-max, or stop other processes.",
}
# What SQLite says, which has one type of error for all.
_REMEDIES_BY_TEXT = {
    "database or disk is full": "The disk of the database is full. Make room on it.",
    "readonly database": "The database file is read-only. Give this user the right to write it and its folder.",
}
# Classes of SQLSTATE: no connection, log-in refused, no such database, out of resources, shut down; and read-only.
_OF_THE_SERVER = ("08", "28", "3D", "53", "57P", _READ_ONLY)
_ANY_OTHER = "The database did not answer. See that it runs and can be reached; its own log has the cause."


def find_outage_remedy(error: BaseException) -> str:
    """Return what an operator has to do about an error, in words; empty if it is no outage."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, InternalError) and state == _READ_ONLY
    ):
        said = next((remedy for text, remedy in _REMEDIES_BY_TEXT.items() if text in str(error)), _ANY_OTHER)
        return _REMEDIES_BY_STATE.get(state, said)
    return _REMEDIES_BY_ERRNO.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def find_database_remedy(error: BaseException) -> str:
    """Return what to do if the database cannot be reached or takes nothing; empty for the error of a statement."""
    state = getattr(error.__cause__, "sqlstate", "")  # None without an answer of PostgreSQL; SQLite has none
    if state == "":
        return next((remedy for text, remedy in _REMEDIES_BY_TEXT.items() if text in str(error)), "")
    return find_outage_remedy(error) if state is None or state.startswith(_OF_THE_SERVER) else ""
