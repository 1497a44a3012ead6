"""Commands that empty, fill or serve a database for development: production refuses them, and says what to do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


def refuse_in_production(command: type[BaseCommand], *, remedy: str) -> type[BaseCommand]:
    """Return the command, which raises CommandError in production before it has done anything."""

    def execute(self: BaseCommand, *args: Any, **options: Any) -> str | None:
        if settings.IS_PRODUCTION:
            raise CommandError(f"This command is refused in production. {remedy} Nothing was done.")
        return command.execute(self, *args, **options)

    return type("Command", (command,), {"execute": execute, "__module__": command.__module__})
