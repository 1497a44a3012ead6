"""The command `manage.py restore_drill`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.core.errors import VaultError
from ctms.machine.backups.drill import examine_backup, keep_drill, write_report
from ctms.machine.backups.making import find_folder


class Command(BaseCommand):
    help = (
        "Restores a backup into a scratch database beside the Vault's, proves that it is what was backed up, and "
        "removes it. The report is kept under Admin > Settings > Restore Drills. Exit code 0 if it "
        "can be relied on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="source",
            type=Path,
            metavar="FOLDER",
            help="of a backup, or of several: the newest; otherwise BACKUP_FOLDER",
        )
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write the report there, and as .json beside it"
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        source = options["source"] or (Path(settings.BACKUP_FOLDER) if settings.BACKUP_FOLDER else None)
        if source is None:
            raise CommandError("Name the backup in --from, or where backups are in BACKUP_FOLDER.", returncode=2)
        try:
            drill = keep_drill(examine_backup(find_folder(source)))
        except VaultError as error:
            raise CommandError(str(error)) from error
        if options["report"]:
            write_report(drill, options["report"])
        if options["json"]:
            told = {"backup": drill.backup, "succeeded": drill.succeeded, "figures": drill.figures}
            self.stdout.write(json.dumps({**told, "report": drill.report.splitlines()}))
        else:
            self.stdout.write(drill.report)
        if not drill.succeeded:
            raise CommandError("The backup cannot be relied on.")
