"""A panel of the console's landing page: open exception items by type of error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.urls import reverse

from ctms.accounts.policies import has_permission
from ctms.configuration.console import ConsolePanel, register_console_panel
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from ctms.accounts.models import User


def register_exception_panel() -> None:
    """Register the panel; called once, when the app is ready."""
    register_console_panel(
        ConsolePanel(
            title="Open exceptions", template="admin/exceptions_log/open_panel.html", build=_build_open, position=400
        )
    )


def _build_open(user: User) -> dict[str, Any] | None:
    if not has_permission(user=user, permission=f"{ExceptionItem.object_name}:read"):
        return None
    counts = list_open_items().order_by().values("error_type").annotate(count=Count("pk")).order_by("-count")
    url = reverse("admin:exceptions_log_exceptionitem_changelist")
    rows = [
        {
            "label": ErrorType(row["error_type"]).label,
            "count": row["count"],
            "url": f"{url}?error_type__exact={row['error_type']}",
        }
        for row in counts
    ]
    return {"rows": rows, "url": url, "most": max((row["count"] for row in rows), default=0)}
