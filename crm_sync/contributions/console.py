"""Panels of the console's landing page: the health of connections, and a chart of the last transfers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Sum
from django.urls import reverse

from connections.models import Connection
from crm_sync.diagnostics.health import list_connection_health
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.accounts.policies import has_permission
from ctms.configuration.console import ConsolePanel, register_console_panel
from ctms.jobs.models import JobRun
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from datetime import datetime

    from ctms.accounts.models import User

_RUNS = 24
_CHART_HEIGHT, _BAR_STEP = 96, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBar:
    """A run as a bar of the chart: records transferred, above them those failed or blocked; lengths in pixels."""

    label: str
    at: datetime
    state: str
    transferred: int
    failed: int
    x: int
    transferred_y: int
    transferred_height: int
    failed_y: int
    failed_height: int


def register_transfer_panels() -> None:
    """Register the panels; called once, when the app is ready."""
    register_console_panel(
        ConsolePanel(
            title="Connections",
            template="admin/crm_sync/health_panel.html",
            build=_build_health,
            position=200,
            is_wide=True,
        )
    )
    register_console_panel(
        ConsolePanel(title="Last transfers", template="admin/crm_sync/runs_panel.html", build=_build_runs, position=300)
    )


def _build_health(user: User) -> dict[str, Any] | None:
    if not has_permission(user=user, permission=f"{Connection.object_name}:read"):
        return None
    rows = list_connection_health()
    may_read_items = has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")
    return {
        "rows": rows,
        "add_url": reverse("admin:connections_connection_add"),
        "items_url": reverse("admin:exceptions_log_exceptionitem_changelist") if may_read_items else "",
    }


def _build_runs(user: User) -> dict[str, Any] | None:
    if not has_permission(user=user, permission="admin:jobs"):
        return None
    runs = (
        JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY, finished_at__isnull=False)
        .annotate(
            transferred=Sum("integration_runs__created")
            + Sum("integration_runs__updated")
            + Sum("integration_runs__deleted"),
            failed=Sum("integration_runs__failed") + Sum("integration_runs__blocked"),
        )
        .order_by("-id")[:_RUNS]
    )
    return {
        "bars": build_bars(list(reversed(runs))),
        "height": _CHART_HEIGHT,
        "width": _RUNS * _BAR_STEP,
        "url": reverse("admin:jobs_jobrun_changelist"),
    }


def build_bars(runs: list[Any]) -> list[RunBar]:
    """Build bars for runs, the longest as high as the chart; a count above 0 gives at least 2 pixels."""
    figures = [(run, run.transferred or 0, run.failed or 0) for run in runs]
    longest = max((transferred + failed for _, transferred, failed in figures), default=0) or 1
    bars = []
    for position, (run, transferred, failed) in enumerate(figures):
        failed_height = _scale(failed, longest)
        transferred_height = min(_scale(transferred, longest), _CHART_HEIGHT - failed_height)
        transferred_y = _CHART_HEIGHT - transferred_height
        bars.append(
            RunBar(
                label=run.unit_label,
                at=run.slot,
                state=run.get_state_display(),
                transferred=transferred,
                failed=failed,
                x=position * _BAR_STEP,
                transferred_y=transferred_y,
                transferred_height=transferred_height,
                failed_y=transferred_y - failed_height,
                failed_height=failed_height,
            )
        )
    return bars


def _scale(count: int, longest: int) -> int:
    return max(2, round(count * _CHART_HEIGHT / longest)) if count else 0
