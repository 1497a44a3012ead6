"""`manage.py doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ctms.machine.health.doctor import Diagnosis, State, diagnose

_SIGNS = {State.FINE: "ok", State.PROBLEM: "PROBLEM", State.SKIPPED: "-"}


class Command(BaseCommand):
    help = (
        "Look at database, migrations, Redis, scheduler, workers, keys, mail server, files, clocks and disk, and say "
        "what to do about what is wrong. Changes nothing. Exit code: 0 if nothing is wrong, 1 if something is, 2 for "
        "arguments that are not understood."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")

    def handle(self, **options: Any) -> None:
        found = diagnose()
        is_fine = all(each.finding.state is not State.PROBLEM for each in found)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": is_fine, "checks": [_build(each) for each in found]}))
        else:
            for each in found:
                self.stdout.write(f"{_SIGNS[each.finding.state]:<8}{each.name:<13} {each.finding.message}")
                if each.finding.remedy:
                    self.stdout.write(f"{'':<22}{each.finding.remedy}")
        if not is_fine:
            raise SystemExit(1)


def _build(diagnosis: Diagnosis) -> dict[str, Any]:
    finding = diagnosis.finding
    return {
        "name": diagnosis.name,
        "state": finding.state,
        "message": finding.message,
        "remedy": finding.remedy,
        "seconds": round(diagnosis.seconds, 3),
    }
