"""The command `manage.py maintenance`: the Vault can be read, and nothing is saved."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ctms.audit.actors import build_system_actor
from ctms.core.standing import read_standing
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.machine.declaring import begin_maintenance, end_maintenance


class Command(BaseCommand):
    help = (
        "Makes the Vault read-only, or ends that; without an argument, shows which. Pages can be read and users log "
        "in; whatever would be saved is refused with 503, and no run of a job begins. Runs that have begun end by "
        "themselves: they are listed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("state", nargs="?", choices=["on", "off"])
        parser.add_argument("--message", default="", help="shown to users on every page, e.g. until when it lasts")
        parser.add_argument("--json", action="store_true", help="print the state as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = build_system_actor(source="command", reference="maintenance")
        if options["state"] == "on":
            begin_maintenance(message=options["message"], actor=actor)
        elif options["state"] == "off":
            end_maintenance(actor=actor)
        standing = read_standing()
        running = [str(run) for run in JobRun.objects.filter(state=RunState.RUNNING).select_related("definition")]
        if options["json"]:
            state = {"read_only": standing.is_read_only, "message": standing.message, "running": running}
            self.stdout.write(json.dumps(state))
            return
        if not standing.is_read_only:
            self.stdout.write("There is no maintenance: everything can be saved.")
            return
        self.stdout.write(f"The Vault is read-only. {standing.message}".strip())
        for each in running:
            self.stdout.write(f"Still running: {each}")
