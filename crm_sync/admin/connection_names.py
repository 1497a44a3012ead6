"""A word of warning, on saving a connection, about a host that has no address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages

from crm_sync.names import explain_unreachable_name
from ctms.audit.admin.base import AuditedModelAdmin

if TYPE_CHECKING:
    from django.http import HttpRequest

    from connections.models import Connection


class NameCheckingAdmin(AuditedModelAdmin):
    """A connection whose URL is looked up once it is saved: outside the transaction, which must not wait for it."""

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        if not change or "url" in form.changed_data:
            request.saved_host = obj.url.removeprefix("https://")  # type: ignore[attr-defined]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """As ever, and the warning."""
        response = super().changeform_view(request, object_id, form_url, extra_context)
        saved_host = getattr(request, "saved_host", "")
        if saved_host and response.status_code == 302:  # noqa: PLR2004  saved, and on the way to the next page
            problem = explain_unreachable_name(saved_host)
            if problem:
                self.message_user(request, problem, messages.WARNING)
        return response
