"""The page *Test Connection*, which runs the test and lists its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import reverse

from connections.models import Connection
from crm_sync.contributions.form_lengths import list_known_lengths
from crm_sync.diagnostics.connection_test import CHECKUP_SECONDS, CheckState, CheckStep, check_connection
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

ICONS = {
    CheckState.PASSED: "check_circle",
    CheckState.WARNING: "warning",
    CheckState.FAILED: "error",
    CheckState.SKIPPED: "do_not_disturb_on",
}


@extend_page(Connection)
class ConnectionTest(AuditedModelAdmin):
    """Adds the action that tests a connection. A test calls the CRM, so it takes a POST."""

    actions_detail: Any = ("test_connection",)

    @action(description="Test Connection", url_path="test-connection", permissions=["change"], icon="network_check")
    def test_connection(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the page of the test; with POST, run the test."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        awaited_test = connection.awaits_test
        is_test = request.method == "POST"
        steps = check_connection(connection=connection, actor=build_actor(request)) if is_test else []
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Test Connection",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "seconds": CHECKUP_SECONDS,
            "rows": [_build_row(step) for step in steps],
            "summary": _summarise(steps),
            "awaited_test": awaited_test,
            "awaits_test": connection.awaits_test,
            "lengths": list_known_lengths(connection),
            "tested_at": get_now() if steps else None,
            "back_url": self.get_change_url(connection),
        }
        return TemplateResponse(request, "admin/crm_sync/connection_test.html", context)


def _build_row(step: CheckStep) -> dict[str, Any]:
    rule = reverse("admin:connections_integrationrule_change", args=(step.rule_pk,)) if step.rule_pk else ""
    return {"step": step, "icon": ICONS[step.state], "rule_url": rule}


def _summarise(steps: Sequence[CheckStep]) -> tuple[str, str]:
    """Return state and message for the whole test; both empty before it was run."""
    counts = {state: sum(step.state == state for step in steps) for state in CheckState}
    if not steps:
        return "", ""
    if counts[CheckState.FAILED]:
        parts = [
            f"{count} {word}"
            for count, word in (
                (counts[CheckState.FAILED], "failed"),
                (counts[CheckState.SKIPPED], "not done"),
                (counts[CheckState.WARNING], "with a warning"),
                (counts[CheckState.PASSED], "passed"),
            )
            if count
        ]
        return CheckState.FAILED.value, f"The connection does not work yet: {', '.join(parts)}."
    if counts[CheckState.WARNING]:
        return CheckState.WARNING.value, "The connection works. Look at the warnings before you rely on it."
    return CheckState.PASSED.value, "The connection works: every step passed."
