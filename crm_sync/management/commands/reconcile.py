"""`manage.py reconcile`: compare all records with the CRM in the foreground, and repair what nothing explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from rich.box import SIMPLE_HEAD
from rich.table import Table

from connections.choices import IntegrationKind
from crm_sync.actions.repair_now import repair_links
from crm_sync.choices import RecordWord
from crm_sync.crm.errors import CrmError
from crm_sync.jobs import RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY, build_unit
from crm_sync.management.connections import build_console, build_pause, find_connections
from crm_sync.management.reporting import LISTED, add_output_arguments, write_json
from crm_sync.models import Reconciliation
from crm_sync.reconciliation.verdicts import describe_fields
from ctms.audit.actors import build_system_actor
from ctms.core.errors import VaultError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, execute_run

if TYPE_CHECKING:
    from django.core.management.base import CommandParser
    from rich.console import Console

    from connections.models import Connection


class Command(BaseCommand):
    """Ends with exit code 0 only if everything was compared and nothing is unexplained."""

    help = (
        "Compare every record with the rows of its CRM, and say one word of each. Ends with exit code 0 only if "
        "everything was compared and nothing is unexplained, 1 if not, and 2 if it was called wrongly."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", metavar="NAME", help="reconcile this connection alone, active or not")
        parser.add_argument(
            "--repair", action="store_true", help="repair what nothing explains, transfer, and compare again"
        )
        add_output_arguments(parser)

    def handle(self, **options: Any) -> None:
        is_quiet = options["quiet"] or options["json"]
        console = build_console(self.stdout, no_color=options["no_color"], is_quiet=is_quiet)
        failed: list[str] = []
        told: list[dict[str, Any]] = []
        for connection in find_connections(options["connection"]):
            try:
                found = _reconcile(connection, console=console)
                if options["repair"] and found.unexplained:
                    found = _repair(connection, found=found, console=console)
            except (VaultError, CrmError) as error:
                console.print(f"{connection.name}: {error}\n", highlight=False, markup=False)
                failed.append(connection.name)
                told.append({"connection": connection.name, "state": "failed", "message": str(error)})
            else:
                failed += [] if found.is_proof else [connection.name]
                told.append(_describe(found))
        if options["json"]:
            write_json(self.stdout, connections=told)
        if failed:
            raise CommandError(f"Not everything is explained: {', '.join(failed)}.")


def _reconcile(connection: Connection, *, console: Console) -> Reconciliation:
    """Reconcile a connection and print what was found. Raises VaultError if that is impossible now."""
    run = _execute(RECONCILIATION_JOB_KEY, connection, console=console)
    found = Reconciliation.objects.filter(run=run, finished_at__isnull=False).first()
    if found is None:
        raise VaultError(run.message)
    console.print(_build_table(found))
    for kind, error in found.errors.items():
        label = IntegrationKind(kind).label if kind else connection.name
        console.print(f"{label}: {error}", highlight=False, markup=False)
    for difference in found.differences.all()[:LISTED]:
        fields = "; ".join(f"{name}: {words}" if name else words for name, words in describe_fields(difference.fields))
        shown = f"{difference} {difference.crm_id}".rstrip() + (f" ({fields})" if fields else "")
        console.print(f"  {shown}", highlight=False, markup=False)
    if found.unexplained > LISTED:
        console.print(f"  … and {found.unexplained - LISTED:,} more, on the connection's page.", highlight=False)
    console.print(f"{found.unexplained:,} unexplained.\n", highlight=False)
    return found


def _describe(found: Reconciliation) -> dict[str, Any]:
    """Return what `--json` says of a reconciliation: counts by integration and word, and the first differences."""
    return {
        "connection": found.connection.name,
        "state": "explained" if found.is_proof else "unexplained",
        "unexplained": found.unexplained,
        "counts": found.counts,
        "errors": found.errors,
        "differences": [
            {"item": str(each), "crm_id": each.crm_id, "fields": each.fields}
            for each in found.differences.all()[:LISTED]
        ],
    }


def _repair(connection: Connection, *, found: Reconciliation, console: Console) -> Reconciliation:
    """Repair all differences, transfer, and reconcile again; return what is left."""
    repaired = repair_links(
        connection=connection, differences=found.differences.all(), actor=build_system_actor(source="command")
    )
    run = _execute(TRANSFER_JOB_KEY, connection, console=console)
    console.print(f"Repaired {repaired:,}. The transfer: {run.message}\n", highlight=False, markup=False)
    return _reconcile(connection, console=console)


def _execute(key: str, connection: Connection, *, console: Console) -> JobRun:
    """Execute a run of a job for a connection. Raises JobAlreadyRunningError or VaultError."""
    definition = JobDefinition.objects.get(key=key)
    pause = build_pause(connection=connection, console=console)
    queued = create_run(definition=definition, unit=build_unit(connection), user=None, pause=pause)
    run = execute_run(queued.pk)
    if run is None:
        raise VaultError("A transfer or reconciliation is running; this one waits for it. See Job Status.")
    return run


def _build_table(found: Reconciliation) -> Table:
    """Build a table with a column for each integration and a row for each word that was said."""
    table = Table(title=found.connection.name, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("")
    kinds = [kind for kind in IntegrationKind if kind in found.counts]
    for kind in kinds:
        table.add_column(kind.label.removesuffix(" Integration"), justify="right")
    for word in RecordWord:
        numbers = [found.counts[kind].get(word, 0) for kind in kinds]
        if any(numbers):
            table.add_row(word.label, *(f"{number:,}" for number in numbers))
    return table
