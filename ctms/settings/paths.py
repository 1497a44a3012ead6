"""Where the project and the files of this installation are."""

from __future__ import annotations

from pathlib import Path

from ctms.settings.environment import env
from ctms.settings.values import parse_folder

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# The folder for this installation's files: all of an embedded one's data, or only static files in production.
VAR_DIR = env.read("VAULT_VAR_DIR", parse_folder, default=BASE_DIR / "var")

# Where `manage.py restore_drill` and its job find the backups; empty: nowhere.
BACKUP_FOLDER = env.text("BACKUP_FOLDER", default="")
# A folder with the tools of PostgreSQL (pg_dump, pg_restore), where those on the PATH are older than the server.
PG_BIN = env.text("PG_BIN", default="")
