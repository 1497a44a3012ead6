"""The command `manage.py backup`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.core.errors import VaultError
from ctms.machine.backups.making import make_backup


class Command(BaseCommand):
    help = (
        "Makes a backup of the database of one moment, while the Vault is in use, and a manifest by which a restored "
        "one proves to be the same. Exit code 0 if it is complete and verified, 1 if it is not, 2 for wrong arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="the backup gets a folder in it")
        parser.add_argument(
            "--keys-to",
            type=Path,
            metavar="FOLDER",
            help="write FIELD_ENCRYPTION_KEYS and SECRET_KEY there, away from the database; without it they are not "
            "included",
        )
        parser.add_argument(
            "--keep", type=int, metavar="N", help="remove older backups but the last N, once this one is verified"
        )
        parser.add_argument("--json", action="store_true", help="print what was made as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            backup = make_backup(to=options["to"], keys_to=options["keys_to"], keep=options["keep"])
        except VaultError as error:
            raise CommandError(str(error)) from error
        manifest = backup.manifest
        if options["json"]:
            told = {
                "folder": str(backup.folder),
                "made_at": manifest.made_at,
                "bytes": manifest.size,
                "tables": len(manifest.tables),
                "rows": manifest.rows,
                "audit_head": manifest.audit_head,
                "needs_keys": sorted(manifest.keys),
                "keys": str(backup.keys) if backup.keys else None,
                "removed": [str(each) for each in backup.removed],
            }
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(
            f"{backup.folder}: {manifest.rows:,} rows of {len(manifest.tables)} tables, {manifest.size:,} bytes."
        )
        self.stdout.write(f"Head of the audit trail: {manifest.audit_head}")
        if backup.keys:
            self.stdout.write(f"Keys: {backup.keys}. Keep them away from the backup.")
        else:
            needed = ", ".join(sorted(manifest.keys)) or "none yet"
            self.stdout.write(
                f"Keys are not included. Its secrets need: {needed}. Keep FIELD_ENCRYPTION_KEYS elsewhere."
            )
        for each in backup.removed:
            self.stdout.write(f"Removed: {each}")
