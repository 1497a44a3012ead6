"""Management commands whose code and packages are installed only where they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.machine.refused_commands import refuse_in_production

_REMEDY = (
    "It is for development, with ctms.settings.embedded: unset DJANGO_SETTINGS_MODULE and the variables of production, "
    "or use docker compose --profile sandbox up --build sandbox."
)


class MissingCommand(BaseCommand):
    """Stands for a command that cannot be imported, and says what to install."""

    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run without the arguments: they are those of the command that is missing."""
        super().run_from_argv(argv[:2])

    def handle(self, **_options: Any) -> None:
        raise CommandError(self.help)


class ProgramCommand(BaseCommand):
    """Runs a program that has a command line of its own, too; `load_program` says what its module has."""

    program: ModuleType
    defaults: Mapping[str, object]

    def add_arguments(self, parser: CommandParser) -> None:
        self.program.add_arguments(parser)
        parser.set_defaults(**self.defaults)

    def handle(self, *_args: object, **options: object) -> None:
        try:
            self.program.run(write=self.stdout.write, **options)
        except self.program.CommandError as error:
            raise CommandError(str(error)) from error


def load_command(*, module: str, extra: str, starts: str) -> type[BaseCommand]:
    """Return the class `Command` of `module`; if an import fails, one that says how to install the extra `extra`.

    `starts` is the module of a program that the command starts as a process of its own: what that needs has to be
    installed, too. Production refuses either.
    """

    def build() -> type[BaseCommand]:
        command: type[BaseCommand] = import_module(module).Command
        import_module(starts)
        return command

    return _load(build, extra=extra)


def load_program(*, module: str, extra: str, **defaults: object) -> type[BaseCommand]:
    """Return a command that runs a program which knows nothing of Django; `defaults` are those of its options.

    The module has `DESCRIPTION`, `add_arguments(parser)`, `run(write=, **options)` and the exception `CommandError`. If
    it cannot be imported, the command says how to install the extra; production refuses either, as with `load_command`.
    """

    def build() -> type[BaseCommand]:
        program = import_module(module)
        attributes = {"program": program, "defaults": defaults, "help": program.DESCRIPTION}
        return type("Command", (ProgramCommand,), attributes)

    return _load(build, extra=extra)


def _load(build: Callable[[], type[BaseCommand]], *, extra: str) -> type[BaseCommand]:
    try:
        command = build()
    except ModuleNotFoundError as error:
        explanation = (
            f"This command needs the extra {extra!r} of pyproject.toml, and {error.name} is not installed. "
            "Install all that it needs: pip install --require-hashes --no-deps -r .ci/requirements-demo.txt. "
            "The production image leaves it out: docker compose --profile sandbox up sandbox starts one that has it."
        )
        command = type("Command", (MissingCommand,), {"help": explanation})
    return refuse_in_production(command, remedy=_REMEDY)
