"""The command `manage.py verify_audit_trail`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from ctms.audit.chain import Head, UnreadableHeadError
from ctms.audit.sealing import read_head, seal_entries
from ctms.audit.verification import Verification, verify_trail

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = (
        "Verifies that no entry of the audit trail was changed, removed, inserted, moved or dated back since it was "
        "sealed, and that the triggers that guard it are there. Exit code 0 only if all holds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", action="store_true", help="print the end of the chain, and verify nothing")
        parser.add_argument("--seal", action="store_true", help="seal what is not sealed yet before anything else")
        parser.add_argument("--expect", metavar="HEAD", help="a head that was kept: the chain must lead through it")
        parser.add_argument("--since", metavar="HEAD", help="verify only what follows this head")
        parser.add_argument("--days", action="store_true", help="print the last place of each day (UTC), too")
        parser.add_argument("--write", metavar="FILE", type=Path, help="write the head into this file if all holds")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["seal"]:
            self.stdout.write(f"{seal_entries():,} entries were sealed.")
        if options["head"]:
            self.stdout.write(str(read_head()))
            return
        try:
            expected, since = (Head.parse(options[name]) if options[name] else None for name in ("expect", "since"))
        except UnreadableHeadError as error:
            raise CommandError(str(error), returncode=2) from error
        result = verify_trail(expected=expected, since=since)
        if options["days"]:
            for day, head in result.days.items():
                self.stdout.write(f"{day} {head}")
        self._tell(result)
        if options["write"]:
            options["write"].write_text(f"{result.head}\n")

    def _tell(self, result: Verification) -> None:
        for finding in result.findings:
            self.stdout.write(finding)
        more = result.found - len(result.findings)
        if more:
            self.stdout.write(f"… and {more:,} more.")
        for redaction in result.redactions:
            self.stdout.write(redaction)
        self.stdout.write(
            f"{result.verified:,} entries verified, {result.redacted:,} of them redacted; {result.unsealed:,} are not "
            f"sealed yet. Head: {result.head}"
        )
        if not result.holds:
            raise CommandError(f"The audit trail does not hold: {result.found:,} findings.")
