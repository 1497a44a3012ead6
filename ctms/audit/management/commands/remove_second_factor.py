"""The command `manage.py remove_second_factor`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.accounts.models import SecondFactor
from ctms.audit.actors import build_system_actor
from ctms.audit.second_factor import remove_second_factor


class Command(BaseCommand):
    help = "Removes the second factor of a user who lost the app and the recovery codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *_args: Any, username: str, **_options: Any) -> None:
        factor = SecondFactor.objects.select_related("user").filter(user__username=username).first()
        if factor is None:
            raise CommandError(f"No user of the username {username!r} has a second factor.")
        actor = build_system_actor(source="command", reference="remove_second_factor")
        remove_second_factor(factor=factor, actor=actor, reason="Removed by command")
        self.stdout.write(f"The second factor of {factor.user} was removed.")
