"""Warn, when a connection was saved, about a host that has no public address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages

from connections.models import Connection
from crm_sync.diagnostics.dns_warning import explain_unreachable_name
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page

if TYPE_CHECKING:
    from django.http import HttpRequest


@extend_page(Connection)
class DnsWarning(AuditedModelAdmin):
    """Looks up the host of a saved connection after the transaction, which must not wait for a name server."""

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        if obj.url and (not change or "url" in form.changed_data):
            request.saved_host = obj.url.removeprefix("https://")  # type: ignore[attr-defined]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Save or show the form; after a new URL was saved, add the warning."""
        response = super().changeform_view(request, object_id, form_url, extra_context)
        saved_host = getattr(request, "saved_host", "")
        if saved_host and response.status_code == 302:  # noqa: PLR2004  the redirect after saving
            problem = explain_unreachable_name(saved_host)
            if problem:
                self.message_user(request, problem, messages.WARNING)
        return response
