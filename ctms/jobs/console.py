"""The panel of overdue jobs on the console's landing page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctms.accounts.policies import has_permission
from ctms.configuration.console import ConsolePanel, register_console_panel
from ctms.jobs.selectors import list_overdue_jobs

if TYPE_CHECKING:
    from ctms.accounts.models import User


def register_overdue_panel() -> None:
    """Register the panel. Called once, from `AppConfig.ready()`."""
    register_console_panel(
        ConsolePanel(
            title="Overdue jobs",
            template="admin/jobs/overdue_panel.html",
            build=_build_overdue,
            position=50,
            is_wide=True,
        )
    )


def _build_overdue(user: User) -> dict[str, Any] | None:
    if not has_permission(user=user, permission="admin:jobs"):
        return None
    overdue = list_overdue_jobs()
    return {"jobs": overdue} if overdue else None
