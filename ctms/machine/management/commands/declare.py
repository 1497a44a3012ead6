"""The command `manage.py declare`: what this database is, after it was restored or copied."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.audit.actors import build_system_actor
from ctms.core.standing import Role, read_standing
from ctms.machine.declaring import declare_copy, declare_vault


class Command(BaseCommand):
    help = (
        "Says whether this database is the Vault or a copy of it, after it was restored or copied; nothing is sent "
        "before. Without an argument, shows what was said. Exit code 0 if it is the Vault or a copy, 3 if nobody has "
        "said."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", nargs="?", choices=["vault", "copy"])
        parser.add_argument(
            "--empty",
            action="store_true",
            help="of a copy: remove the secrets of CRM authorizations and webhooks; they cannot be brought back",
        )
        parser.add_argument("--reason", default="", help="kept in the audit trail")
        parser.add_argument("--json", action="store_true", help="print what was said as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        role = options["role"]
        if options["empty"] and role != "copy":
            raise CommandError("--empty is for a copy: write `declare copy --empty`.", returncode=2)
        actor, done = build_system_actor(source="command", reference="declare"), []
        if role == "vault":
            done = declare_vault(actor=actor, reason=options["reason"])
        elif role == "copy":
            done = declare_copy(actor=actor, reason=options["reason"], empty=options["empty"])
        standing = read_standing()
        if options["json"]:
            self.stdout.write(json.dumps({"role": standing.role, "read_only": standing.is_read_only, "done": done}))
        else:
            for line in done or [standing.sentence or "This is the Vault."]:
                self.stdout.write(line)
        if standing.role == Role.UNDECIDED:
            raise CommandError("Say which it is: manage.py declare vault, or manage.py declare copy.", returncode=3)
