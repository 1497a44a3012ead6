"""`manage.py transfer`: run or preview the transfer in the foreground."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from crm_sync.choices import IntegrationRunState
from crm_sync.crm.errors import CrmError
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.management.connections import build_console, build_pause, find_connections
from crm_sync.management.reporting import (
    UsageError,
    add_output_arguments,
    list_exceptions,
    print_exceptions,
    write_json,
)
from crm_sync.models import IntegrationRun
from crm_sync.preview.lines import HEADING, describe_row, list_lines
from crm_sync.preview.run import preview_transfer
from ctms.jobs.choices import SUCCESS_STATES
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import create_run, execute_run
from ctms.records.lists.exports import CsvFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser
    from rich.console import Console

    from connections.models import Connection
    from crm_sync.models import PreviewRow

COLUMNS = (
    "selected",
    "sent",
    "created",
    "updated",
    "deleted",
    "unchanged",
    "failed",
    "blocked",
    "received",
    "api_calls",
)
_HEADINGS = {"api_calls": "API calls"}


class Command(BaseCommand):
    """Ends as `crm_sync.management.reporting` says: records that failed are exceptions, which are listed."""

    help = (
        "Transfer all active connections, or one, now. Shows progress, what was done, and which records failed. Exit "
        "code 0 if all connections were transferred, though records may have failed; 1 if one was not; 2 if it was "
        "called wrongly."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", metavar="NAME", help="transfer this connection alone, active or not")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done; write nothing anywhere")
        parser.add_argument("--records", action="store_true", help="with --dry-run: a line for each record")
        parser.add_argument(
            "--csv", metavar="FILE", help="with --dry-run: write every field of every record into a file"
        )
        add_output_arguments(parser)

    def handle(self, **options: Any) -> None:
        if (options["records"] or options["csv"]) and not options["dry_run"]:
            raise UsageError("--records and --csv tell what would be done: add --dry-run, or leave them out.")
        if options["records"] and options["json"]:
            raise UsageError("--records prints lines for people. For programs there is --csv, beside --json.")
        connections = find_connections(options["connection"])
        self._told: list[dict[str, Any]] = []
        is_quiet = options["quiet"] or options["json"]
        console = build_console(self.stdout, no_color=options["no_color"], is_quiet=is_quiet)
        if options["dry_run"]:
            failed = self._preview_all(connections, options=options, console=console)
        else:
            failed = [each.name for each in connections if not self._transfer(connection=each, console=console)]
        if options["json"]:
            write_json(self.stdout, connections=self._told)
        if failed:
            would = "would not be transferred" if options["dry_run"] else "was not transferred"
            raise CommandError(f"This {would}: {', '.join(failed)}. See User Exceptions.")

    def _transfer(self, *, connection: Connection, console: Console) -> bool:
        definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
        try:
            queued = create_run(
                definition=definition,
                unit=build_unit(connection),
                user=None,
                pause=build_pause(connection=connection, console=console),
            )
        except JobAlreadyRunningError as error:
            self._told.append({"connection": connection.name, "state": "failed", "message": str(error)})
            console.print(f"[bold]{connection.name}[/bold]: {error}", highlight=False)
            return False
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task(connection.name, total=0)

            def show(state: dict[str, dict[str, int]]) -> None:
                progress.update(
                    task,
                    completed=sum(part["selected"] for part in state.values()),
                    total=sum(max(part["total"], part["selected"]) for part in state.values()),
                )

            run = execute_run(queued.pk, on_progress=show)
        if run is None:
            message = "the run was taken by another worker; see Job Status."
            self._told.append({"connection": connection.name, "state": "failed", "message": message})
            console.print(f"{connection.name}: {message}", highlight=False)
            return False
        parts = IntegrationRun.objects.filter(run=run).select_related("integration").order_by("pk")
        console.print(
            _build_table(
                title=connection.name,
                columns={
                    part.integration.name: _format_figures(
                        {column: getattr(part, column) for column in COLUMNS},
                        seconds=(part.finished_at - part.started_at).total_seconds() if part.finished_at else 0.0,
                    )
                    for part in parts
                },
            )
        )
        exceptions = list_exceptions(run)
        console.print(f"{run.get_state_display()}: {run.message}", highlight=False, markup=False)
        print_exceptions(exceptions, console=console)
        console.print()
        self._told.append(
            {
                "connection": connection.name,
                "run": run.pk,
                "state": run.state,
                "message": run.message,
                "integrations": {
                    part.integration.name: {
                        "state": part.state,
                        **{column: getattr(part, column) for column in COLUMNS},
                    }
                    for part in parts
                },
                "exceptions": exceptions,
            }
        )
        # A part that failed as a whole is no record that failed: what it would have moved was not looked at.
        return run.state in SUCCESS_STATES and not any(part.state == IntegrationRunState.FAILED for part in parts)

    def _preview_all(self, connections: list[Connection], *, options: dict[str, Any], console: Console) -> list[str]:
        """Preview connections, and return the names of those of which not everything would be transferred."""
        with contextlib.ExitStack() as stack:
            write = None
            if options["csv"]:
                try:
                    file = stack.enter_context(Path(options["csv"]).open("w", encoding="utf-8", newline=""))
                except OSError as error:
                    raise UsageError(f"--csv: {options['csv']} cannot be written: {error.strerror}.") from None
                write = CsvFile(file, heading=("Connection", *HEADING)).write

            def tell(rows: list[PreviewRow]) -> None:
                for row in rows if options["records"] else ():
                    console.print(describe_row(row), highlight=False, markup=False, soft_wrap=True)
                if write is not None:
                    write([rows[0].integration.connection.name, *line] for line in list_lines(rows))

            return [each.name for each in connections if not self._preview(connection=each, console=console, tell=tell)]

    def _preview(self, *, connection: Connection, console: Console, tell: Callable[[list[PreviewRow]], None]) -> bool:
        try:
            previews = preview_transfer(connection, store=tell)
        except CrmError as error:
            self._told.append({"connection": connection.name, "state": "failed", "message": str(error)})
            console.print(f"{connection.name}: {error}\n", highlight=False, markup=False)
            return False
        self._told.append(
            {
                "connection": connection.name,
                "state": "previewed",
                "integrations": {
                    preview.integration.name: {"error": str(preview.error or ""), **preview.counts.as_dict()}
                    for preview in previews
                },
            }
        )
        console.print(
            _build_table(
                title=f"{connection.name} (dry run: nothing was written)",
                columns={
                    preview.integration.name: _format_figures(preview.counts.as_dict(), seconds=preview.seconds)
                    for preview in previews
                },
            )
        )
        for preview in previews:
            if preview.error is not None:
                console.print(f"{preview.integration.name}: {preview.error}", highlight=False, markup=False)
        return not any(preview.error for preview in previews)


def _format_figures(counts: dict[str, int], *, seconds: float) -> list[str]:
    return [*(f"{counts[column]:,}" for column in COLUMNS), f"{seconds:.1f}"]


def _build_table(*, title: str, columns: dict[str, list[str]]) -> Table:
    """Build a table with a column for each integration, so that it fits into 80 characters."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("")
    for name in columns:
        table.add_column(name.removesuffix(" Integration"), justify="right")
    for index, column in enumerate((*COLUMNS, "seconds")):
        table.add_row(_HEADINGS.get(column, column.capitalize()), *(figures[index] for figures in columns.values()))
    return table
