"""PostgreSQL's own tools: found in a version that fits the server, run with the password where nobody reads it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from psycopg.conninfo import make_conninfo

from ctms.machine.backups.errors import BackupError

_FOLDERS = "/usr/lib/postgresql"  # of Debian's packages, a folder for each version
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
# Django's and the Vault's own; everything else in OPTIONS is libpq's.
_OTHER_OPTIONS = {
    "pool",
    "options",
    "isolation_level",
    "server_side_binding",
    "assume_role",
    "cursor_factory",
    "context",
}


def find_tool(name: str, *, server: int, at_least: int = 0) -> tuple[Path, int]:
    """Return a tool of PostgreSQL and its version: the server's own version, else the next newer one.

    Raises BackupError if there is none as new as the server and as `at_least`.
    """
    found = {version: path for path in reversed(_list_paths(name)) if (version := read_version(path))}
    least = max(server, at_least)
    fitting = sorted(version for version in found if version >= least)
    if not fitting:
        has = f"{name} {', '.join(map(str, sorted(found)))} is here" if found else f"{name} is not here"
        raise BackupError(
            f"{has}, and version {least} or later is needed. Install postgresql-client-{least}, or name the folder "
            "that holds it in PG_BIN."
        )
    return found[fitting[0]], fitting[0]


def read_version(path: Path) -> int:
    """Return the version that a tool says it is of; 0 if it says none."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    except OSError:
        return 0
    match = _VERSION.search(told)
    return int(match[1]) if match else 0


def run_tool(path: Path, arguments: Sequence[str | Path], *, database: Mapping[str, Any]) -> str:
    """Run a tool on a database; return its output. Raises BackupError with the last line that it wrote of an error."""
    with _password_file(database) as variables:
        done = subprocess.run(
            [path, *arguments, "--no-password", "--dbname", build_conninfo(database)],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        # Of the first line, because later ones may quote rows.
        raise BackupError(f"{path.name} failed: {lines[0] if lines else _describe_end(done.returncode)}")
    return done.stdout


def _describe_end(code: int) -> str:
    """Say how a program ended that wrote nothing of an error: by itself, or by a signal."""
    if code == -signal.SIGXFSZ:
        return (
            "a file became larger than this process may write. Raise its limit (ulimit -f, or LimitFSIZE of its unit)."
        )
    return f"the system ended it ({signal.strsignal(-code)})." if code < 0 else f"exit code {code}"


def build_conninfo(database: Mapping[str, Any]) -> str:
    """Return the connection string of a database, without its password: anybody can list command lines."""
    given = {
        "dbname": database["NAME"],
        "host": database.get("HOST"),
        "port": database.get("PORT"),
        "user": database.get("USER"),
    }
    other = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in _OTHER_OPTIONS}
    return make_conninfo("", **{key: str(value) for key, value in {**given, **other}.items() if value})


@contextmanager
def _password_file(database: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Put the password into a file that its owner alone can read, and remove it afterwards."""
    password = str(database.get("PASSWORD") or "")
    if not password:
        yield {}
        return
    with TemporaryDirectory(prefix="vault-") as folder:
        path = Path(folder, "pgpass")
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        path.touch(mode=0o600)
        path.write_text(f"*:*:*:*:{escaped}\n", encoding="utf-8")
        yield {"PGPASSFILE": str(path)}


def _list_paths(name: str) -> list[Path]:
    named = [Path(settings.PG_BIN, name)] if settings.PG_BIN else []
    on_path = [Path(found)] if (found := shutil.which(name)) else []
    return [path for path in (*named, *on_path, *sorted(Path(_FOLDERS).glob(f"*/bin/{name}"))) if path.exists()]
