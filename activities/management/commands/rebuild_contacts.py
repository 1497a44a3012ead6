"""The command `manage.py rebuild_contacts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from activities.contacts.writing import rebuild_contacts

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = (
        "Compares the last and next contact of all study sites and study people with the activities, and puts right "
        "what differs. Exit code 0 only if nothing did."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare, and change nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        counts = rebuild_contacts(is_check=options["check"])
        told = ", ".join(f"{number:,} of {name}" for name, number in counts.items())
        self.stdout.write(f"Records whose contact dates differed: {told}.")
        if any(counts.values()):
            raise CommandError("They differ." if options["check"] else "They differed, and were put right.")
