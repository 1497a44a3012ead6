"""The command `manage.py unlock_log_in`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.accounts.lockout import find_failures
from ctms.audit.actors import build_system_actor
from ctms.audit.failed_log_ins import unlock_log_ins


class Command(BaseCommand):
    help = "Unlocks log-ins that too many wrong passwords have locked: of a username, from an address, or of both."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="", help="of the user who cannot log in")
        parser.add_argument("--address", default="", help="that the wrong passwords came from")

    def handle(self, *_args: Any, username: str, address: str, **_options: Any) -> None:
        if not username and not address:
            raise CommandError("Say whom to unlock: give --username, --address, or both.", returncode=2)
        actor = build_system_actor(source="command", reference="unlock_log_in")
        count = unlock_log_ins(failures=find_failures(username=username, address=address), actor=actor)
        self.stdout.write(f"{count} wrong password{'' if count == 1 else 's'} forgotten.")
