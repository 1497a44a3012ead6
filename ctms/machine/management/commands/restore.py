"""The command `manage.py restore`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from ctms.core.errors import VaultError
from ctms.machine.backups.databases import get_own_database
from ctms.machine.backups.making import find_folder
from ctms.machine.backups.replacing import put_back
from ctms.machine.backups.restoring import Restored, restore_backup, restore_dump

_NEXT = (
    "It is paused: no job runs, and nothing is sent. Start it, look at it, then say which it is:\n"
    "  manage.py declare vault          it goes on as the Vault; connections are compared with their CRMs first\n"
    "  manage.py declare copy --empty   it is a copy, and cannot open the CRMs"
)


class Command(BaseCommand):
    help = (
        "Restores a backup into the database of DATABASE_URL, whose role has to own its tables, brings it up to this "
        "version and proves that it is what was backed up; what was there before goes only then. Stop web servers, "
        "workers and scheduler first. It comes up paused. Exit code 0 if all was restored, 1 if not, and then the "
        "database is as it was; 2 for wrong arguments."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "backup",
            type=Path,
            nargs="?",
            metavar="FROM",
            help="the folder of a backup, or the folder of several: the newest; or a dump of pg_dump --format custom, "
            "which has no manifest to compare it with",
        )
        parser.add_argument("--replace", action="store_true", help="replace what is in the database")
        parser.add_argument(
            "--put-back",
            action="store_true",
            help="put back what was there before a restore that was interrupted, and restore nothing",
        )
        parser.add_argument(
            "--without-keys",
            action="store_true",
            help="restore although secrets cannot be read then; enter them again",
        )
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        database = get_own_database()
        connections.close_all()
        if options["put_back"] == bool(options["backup"]):
            raise CommandError("Name what to restore, or give --put-back alone.", returncode=2)
        try:
            if options["put_back"]:
                put_back(database)
                self.stdout.write("What was there before the restore that was interrupted is back.")
                return
            restored = self._restore(options, database=database)
        except VaultError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(restored)))
            return
        compared = (
            "equal by digest"
            if restored.is_compared
            else "of a dump without a manifest, so that nothing was compared with what it held"
        )
        self.stdout.write(
            f"{restored.backup} of {restored.made_at} was restored: {restored.rows:,} rows of {restored.tables} "
            f"tables, {compared}, and the audit trail holds."
        )
        if restored.migrated:
            self.stdout.write(f"Brought up to this version by {len(restored.migrated)} migrations.")
        for each in restored.done:
            self.stdout.write(each)
        self.stdout.write(
            "With two roles, now: manage.py grant_application_role ROLE --apply. Rights are not restored."
        )
        self.stdout.write(_NEXT)

    def _restore(self, options: dict[str, Any], *, database: dict[str, Any]) -> Restored:
        how = {"database": database, "replace": options["replace"], "without_keys": options["without_keys"]}
        if options["backup"].is_file():
            return restore_dump(path=options["backup"], **how)
        return restore_backup(folder=find_folder(options["backup"]), **how)
