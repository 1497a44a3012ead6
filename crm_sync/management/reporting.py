"""What the commands that work on connections say, to people or to programs, and how they end.

Exit code 0: done, whatever records failed; 1: it failed, of one connection at least; 2: it was called wrongly.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.core.management.base import CommandParser, OutputWrapper
    from rich.console import Console

    from ctms.jobs.models import JobRun

LISTED = 20


class UsageError(CommandError):
    """The command was called wrongly: exit code 2, as for an option that does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


def add_output_arguments(parser: CommandParser) -> None:
    """Add `--json` and `--quiet`, of which one may be given."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", action="store_true", help="print one JSON document instead of tables, for programs")
    group.add_argument("--quiet", action="store_true", help="print nothing but what failed, on standard error")


def list_exceptions(run: JobRun) -> list[dict[str, Any]]:
    """Return the unresolved exception items of a run's messages: integration, item, type, problem and remedy."""
    items = ExceptionItem.objects.filter(message__run=run, resolved_at=None, dismissed_at=None)
    return [
        {
            "integration": str(item.integration or ""),
            "item": item.name,
            "uid": str(item.record_uid or ""),
            "crm_id": item.crm_id,
            "type": item.get_error_type_display(),
            "message": item.error_message,
        }
        for item in items.select_related("integration").order_by("pk").iterator()
    ]


def print_exceptions(found: list[dict[str, Any]], *, console: Console) -> None:
    """Print the first twenty of the exceptions of a run, a line for each."""
    for item in found[:LISTED]:
        console.print(f"  {item['integration']}: {item['item']}: {item['message']}", highlight=False, markup=False)
    if len(found) > LISTED:
        console.print(f"  … and {len(found) - LISTED:,} more; see User Exceptions.", highlight=False)


def write_json(stdout: OutputWrapper, *, connections: Iterable[dict[str, Any]]) -> None:
    """Write the document of `--json`: an object for each connection."""
    stdout.write(json.dumps({"connections": list(connections)}, indent=2, ensure_ascii=False, default=str))
