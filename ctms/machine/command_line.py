"""The command line: `help` lists the Vault's own commands apart from Django's, `version` says the Vault's version.

A command that cannot reach its database ends with a sentence that says what to do, and exit code 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility, find_commands, get_commands, load_command_class
from django.core.management.color import color_style
from django.db import DatabaseError, InterfaceError
from django.utils.text import wrap

import ctms
from ctms.core.outages import find_database_remedy

_ROOT = Path(ctms.__file__).parent.parent
_WIDTH = 100


class CommandLine(ManagementUtility):
    """Django's, but for `help` without a command, `version`, and a database that cannot be reached."""

    def execute(self) -> None:
        if self.argv[1:] in (["version"], ["--version"]):
            sys.stdout.write(f"{ctms.__version__}\n")
            return
        try:
            super().execute()
        except (DatabaseError, InterfaceError) as error:
            remedy = find_database_remedy(error)
            if not remedy:
                raise
            sys.stderr.write(f"The command ended before it was done. {remedy} `manage.py doctor` says what is wrong.\n")
            sys.exit(1)

    def main_help_text(self, commands_only: bool = False) -> str:  # noqa: FBT001, FBT002  Django's signature
        """Return the list of commands: those of the Vault with what they do, then the names of Django's."""
        if commands_only:
            return super().main_help_text(commands_only=True)
        style = color_style()
        own = list_own_commands()
        lines = [f"Type '{self.prog_name} help COMMAND' for what a command takes; docs/commands.md has them all.", ""]
        lines.append(style.NOTICE("The Vault"))
        for name in own:
            first, *rest = wrap(summarize(name), _WIDTH - 28).splitlines()
            lines += [f"    {name:<24}{first}", *(f"{'':28}{line}" for line in rest)]
        others = " ".join(sorted({*get_commands(), "help", "version"} - set(own)))
        lines += ["", style.NOTICE("Django and its packages")]
        lines += [f"    {line}" for line in wrap(others, _WIDTH - 4).splitlines()]
        try:
            settings.INSTALLED_APPS  # noqa: B018  says what is wrong with the settings
        except ImproperlyConfigured as error:
            lines += ["", style.ERROR(str(error))]
        return "\n".join(lines)


def list_own_commands() -> list[str]:
    """Return the names of the commands of this project, in order; those that only change one of Django's are not."""
    djangos = set(find_commands(str(Path(_find_django(), "core", "management"))))
    return sorted(name for name, app in get_commands().items() if _is_own(str(app)) and name not in djangos)


def summarize(name: str) -> str:
    """Return the first sentence of a command's help."""
    command = load_command_class(str(get_commands()[name]), name)
    sentence, _, _ = " ".join(command.help.split()).partition(". ")
    return sentence.rstrip(".")


def _is_own(app: str) -> bool:
    return app.partition(".")[0] in {path.name for path in _ROOT.iterdir() if (path / "__init__.py").exists()}


def _find_django() -> str:
    import django  # noqa: PLC0415  its folder alone is wanted

    return str(Path(django.__file__).parent)
