"""`manage.py transfer`: run the transfer in the foreground."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from connections.models import Connection
from crm_sync.errors import CrmError
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.models import IntegrationRun
from crm_sync.transfer import preview_transfer
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import JobAlreadyRunningError, create_run, execute_run

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

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
    """Exit code 0 only when nothing failed."""

    help = "Transfer all active connections, or one, now; shows progress and what was done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", metavar="NAME", help="transfer this connection alone, active or not")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done; write nothing anywhere")

    def handle(self, **options: Any) -> None:
        connections = self._find_connections(options["connection"])
        # The stream itself: Django's wrapper ends every write with a newline, which breaks a progress bar.
        stream = cast("IO[str]", self.stdout._out)  # noqa: SLF001
        console = Console(file=stream, no_color=options["no_color"])
        run = self._preview if options["dry_run"] else self._transfer
        failed = [connection.name for connection in connections if not run(connection=connection, console=console)]
        if failed:
            raise CommandError(f"Not everything was transferred: {', '.join(failed)}. See User Exceptions.")

    def _find_connections(self, name: str | None) -> list[Connection]:
        if name is None:
            found = list(Connection.objects.filter(status=RecordStatus.ACTIVE))
            if not found:
                raise CommandError("There is no active connection. Create one under Connections.")
            return found
        found = list(Connection.objects.filter(name=name) or Connection.objects.filter(api_name=name))
        if not found:
            known = ", ".join(Connection.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no connection {name!r}. Connections: {known}.")
        return found

    def _transfer(self, *, connection: Connection, console: Console) -> bool:
        definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
        try:
            queued = create_run(definition=definition, unit=build_unit(connection), user=None)
        except JobAlreadyRunningError as error:
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
            console.print(f"{connection.name}: the run was taken by another worker; see Job Status.", highlight=False)
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
        console.print(f"{run.get_state_display()}: {run.message}\n", highlight=False, markup=False)
        return run.state == RunState.SUCCEEDED

    def _preview(self, *, connection: Connection, console: Console) -> bool:
        try:
            previews = preview_transfer(connection)
        except CrmError as error:
            console.print(f"{connection.name}: {error}\n", highlight=False, markup=False)
            return False
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
        return not any(preview.error or preview.counts.failed for preview in previews)


def _format_figures(counts: dict[str, int], *, seconds: float) -> list[str]:
    return [*(f"{counts[column]:,}" for column in COLUMNS), f"{seconds:.1f}"]


def _build_table(*, title: str, columns: dict[str, list[str]]) -> Table:
    """A column for each integration: so it fits into a terminal of 80 characters."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("")
    for name in columns:
        table.add_column(name.removesuffix(" Integration"), justify="right")
    for index, column in enumerate((*COLUMNS, "seconds")):
        table.add_row(_HEADINGS.get(column, column.capitalize()), *(figures[index] for figures in columns.values()))
    return table
