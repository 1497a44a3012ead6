"""The panel of the home page for admins: how far the setup is, and the state of each connection."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from connections.models import Connection
from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.health import list_connection_health
from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.configuration.checklist import list_checklist
from ctms.configuration.steps import list_steps
from ctms.records.pages.home import HomePanel, HomeRequest, Place, register_home_panel
from exceptions_log.models import ExceptionItem

_STEPS_SHOWN = 3
_TONES = {
    ConnectionStateKey.OK: "complete",
    ConnectionStateKey.WITH_EXCEPTIONS: "planned",
    ConnectionStateKey.FAILING: "failed",
    ConnectionStateKey.SILENT: "failed",
    ConnectionStateKey.PAUSED: "planned",
    ConnectionStateKey.UNFINISHED: "planned",
}


def register_admin_panel() -> None:
    """Register the panel; called once, when the app is ready."""
    register_home_panel(
        HomePanel(
            key="administration",
            title="Administration",
            template="home/administration.html",
            build=build_administration,
            place=Place.SIDE,
            is_late=may_administer,
        )
    )


def may_administer(user: User) -> bool:
    """Whether the user may enter the console, and do a step of the setup or read connections there."""
    return user.is_staff and (_may_read_connections(user) or _may_set_up(user))


def build_administration(request: HomeRequest) -> dict[str, Any]:
    """Return the panel's context: the steps that are to be done next, and the connections."""
    user = request.user
    rows = [row for row in list_checklist(user) if not row.step.is_optional]
    waiting = [row for row in rows if not row.is_done]
    may_read_items = has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")
    return {
        "done": len(rows) - len(waiting),
        "due": len(rows),
        "steps": waiting[:_STEPS_SHOWN],
        "connections": [
            {"health": each, "tone": _TONES.get(each.state.key, "quiet")} for each in list_connection_health()
        ]
        if _may_read_connections(user)
        else [],
        "items_url": reverse("admin:exceptions_log_exceptionitem_changelist") if may_read_items else "",
    }


def _may_read_connections(user: User) -> bool:
    return has_permission(user=user, permission=f"{Connection.object_name}:read")


def _may_set_up(user: User) -> bool:
    return any(has_permission(user=user, permission=step.permission) for step in list_steps() if not step.is_optional)
