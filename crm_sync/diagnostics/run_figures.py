"""Figures of a connection's transfers for its page: the last runs, and each integration of them.

Five statements, whatever the number of runs, integrations, links and exception items.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, Sum

from connections.choices import IntegrationKind
from connections.models import Integration
from crm_sync.crm.call_times import add_up
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.units import TRANSFER_JOB_KEYS
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobRun
from exceptions_log.models import INTEGRATION_KEY, OPEN, ExceptionItem

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from datetime import datetime

    from connections.models import Connection

RUNS_SHOWN = 24
_SUMMED = ("sent", "received", "failed", "blocked", "api_calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """A finished transfer: numbers of records, its API calls, and how long it took; None if it never began.

    `times` are its calls by the time that each took, see `crm_sync.crm.call_times`.
    """

    run: JobRun
    sent: int
    received: int
    failed: int
    blocked: int
    api_calls: int
    seconds: float | None
    times: Counter[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationFigures:
    """An integration: what its last run moved, and what fails and waits now.

    `waiting` counts the records that the next run takes again, among them those that fail.
    """

    integration: Integration
    is_at_work: bool
    last: IntegrationRun | None
    failing: int
    waiting: int

    @property
    def last_success_at(self) -> datetime | None:
        return self.integration.progress.last_successful_run_at


def list_run_figures(connection: Connection) -> list[RunFigures]:
    """Return the last transfers of a connection that ended, the oldest first."""
    runs = (
        JobRun.objects.filter(
            definition__key__in=TRANSFER_JOB_KEYS, unit_key=str(connection.uid), finished_at__isnull=False
        )
        .annotate(**{f"{name}_sum": Sum(f"integration_runs__{name}") for name in _SUMMED})
        .defer("log", "result")
        .order_by("-id")[:RUNS_SHOWN]
    )
    shown = list(reversed(runs))
    times: defaultdict[int, list[dict[str, int]]] = defaultdict(list)
    parts = IntegrationRun.objects.filter(run__in=[run.pk for run in shown])
    for run_id, stored in parts.order_by().values_list("run_id", "call_times"):
        times[run_id].append(stored)
    return [_read_figures(run, times=add_up(times[run.pk])) for run in shown]


def list_integration_figures(connection: Connection, *, run_ids: Sequence[int]) -> list[IntegrationFigures]:
    """Return the integrations of a connection by kind, each with its last part in these runs."""
    integrations = connection.integrations.select_related("rule", "progress")
    parts = IntegrationRun.objects.filter(run__in=run_ids, integration__connection=connection).order_by("pk")
    last = {part.integration_id: part for part in parts}
    failing = dict(
        ExceptionItem.objects.filter(OPEN, message__connection=connection)
        .exclude(key__startswith=INTEGRATION_KEY)
        .order_by()
        .values_list("integration")
        .annotate(number=Count("pk"))
    )
    waiting = dict(
        TransferLink.objects.filter(Q(pending=True), integration__connection=connection)
        .order_by()
        .values_list("integration")
        .annotate(number=Count("pk"))
    )
    order = {kind: position for position, kind in enumerate(IntegrationKind)}
    return [
        IntegrationFigures(
            integration=each,
            is_at_work=each.status == RecordStatus.ACTIVE and each.rule.status == RecordStatus.ACTIVE,
            last=last.get(each.pk),
            failing=failing.get(each.pk, 0),
            waiting=waiting.get(each.pk, 0),
        )
        for each in sorted(integrations, key=lambda each: order[IntegrationKind(each.kind)])
    ]


def find_usual_seconds(figures: Sequence[RunFigures]) -> tuple[float, float] | None:
    """Return the median and the greatest duration of these runs; None if none has one."""
    known = [each.seconds for each in figures if each.seconds is not None]
    return (median(known), max(known)) if known else None


def _read_figures(run: Any, *, times: Counter[int]) -> RunFigures:
    sums = {name: getattr(run, f"{name}_sum") or 0 for name in _SUMMED}
    seconds = (run.finished_at - run.started_at).total_seconds() if run.started_at else None
    return RunFigures(run=run, seconds=seconds, times=times, **sums)
