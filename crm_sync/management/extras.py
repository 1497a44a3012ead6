"""Management commands whose code and packages are installed only where they are wanted."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class MissingCommand(BaseCommand):
    """Stands for a command that cannot be imported, and says what to install."""

    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run without the arguments: they are those of the command that is missing."""
        super().run_from_argv(argv[:2])

    def handle(self, **_options: Any) -> None:
        raise CommandError(self.help)


def load_command(*, module: str, extra: str) -> type[BaseCommand]:
    """Return the class `Command` of `module`; if an import fails, one that says how to install the extra `extra`."""
    try:
        command: type[BaseCommand] = import_module(module).Command
    except ModuleNotFoundError as error:
        explanation = (
            f"This command needs the extra {extra!r} of pyproject.toml, and {error.name} is not installed. "
            "Install all that it needs: pip install --require-hashes --no-deps -r .ci/requirements-demo.txt. "
            "The production image leaves it out: docker compose --profile sandbox up sandbox starts one that has it."
        )
        return type("Command", (MissingCommand,), {"help": explanation})
    return command
