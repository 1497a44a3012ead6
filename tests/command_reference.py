"""Writes docs/commands.md from what the commands say of themselves: `python -m tests.command_reference`."""

from __future__ import annotations

import argparse
from pathlib import Path

import django
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from ctms.machine.command_line import list_own_commands

PATH = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
# Django's commands to which the Vault adds something.
EXTENDED = ("migrate",)
HEADING = """# Commands

`python manage.py help` lists them, `python manage.py help COMMAND` says the same of one. They read the same environment
as the web server ([README](../README.md#configuration)). Exit code 0: done; 1: it failed; 2: it was called wrongly.
Each takes Django's own options besides: `--settings`, `--verbosity`, `--traceback`, `--no-color`.

This file is written by `python -m tests.command_reference`.
"""


def render() -> str:
    """Return the reference of the Vault's commands, and of those of Django that it changes."""
    names = [*list_own_commands(), *EXTENDED]
    return HEADING + "".join(f"\n{_render(name)}" for name in sorted(names))


def _render(name: str) -> str:
    command = load_command_class(str(get_commands()[name]), name)
    parser = command.create_parser("manage.py", name)
    common = {action.dest for action in BaseCommand().create_parser("manage.py", name)._actions}
    own = [each for each in parser._actions if each.dest not in common and each.help != argparse.SUPPRESS]
    lines = [f"## {name}", "", " ".join(command.help.split()), ""]
    lines += ["```sh", f"python manage.py {name}{''.join(f' {_spell(each)}' for each in own)}", "```", ""]
    if own:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_name(each)}` | {_explain(each)} |" for each in own]
        lines.append("")
    return "\n".join(lines)


def _spell(action: argparse.Action) -> str:
    """Return an argument as it stands in a usage line: in brackets if it may be left out."""
    text = _name(action)
    return text if action.required else f"[{text}]"


def _name(action: argparse.Action) -> str:
    value = str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return str(action.metavar or action.dest)
    return action.option_strings[-1] if action.nargs == 0 else f"{action.option_strings[-1]} {value}"


def _explain(action: argparse.Action) -> str:
    values = {**vars(action), "prog": "manage.py"}
    return " ".join(((action.help or "") % values).split()).replace("|", "\\|")


def main() -> None:
    django.setup()
    PATH.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
