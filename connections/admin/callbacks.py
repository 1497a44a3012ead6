"""The page *Call-back sessions* of a connection: its settings, the live sessions, and *Revoke all*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse

from connections.callbacks import explain_no_callback, list_live_sessions, revoke_sessions
from connections.choices import FieldRuleKind
from connections.models import Connection, FieldRule
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

SHOWN = 100
_BY_HAND = "Revoked by an admin."


class CallbackSessionsAdmin(AuditedModelAdmin):
    """Adds the page to connections, for whoever may change a connection. It shows no token: none is kept."""

    @action(description="Call-back sessions", url_path="callback-sessions", permissions=["change"], icon="key")
    def callback_sessions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the live sessions; with POST, revoke them all."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        if request.method == "POST":
            revoked = revoke_sessions(connection=connection, because=_BY_HAND, actor=build_actor(request))
            told = (
                f"{revoked:,} call-back session{'' if revoked == 1 else 's'} revoked." if revoked else "None was live."
            )
            self.message_user(request, told, messages.SUCCESS if revoked else messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        request.current_app = self.admin_site.name
        live = list_live_sessions(connection)
        context = {
            **self.admin_site.each_context(request),
            "title": "Call-back sessions",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "obstacle": explain_no_callback(connection),
            "rules": _list_rules(connection),
            "number": live.count(),
            "sessions": live[:SHOWN],
            "shown": SHOWN,
            "back_url": self.get_change_url(connection),
        }
        return TemplateResponse(request, "admin/connections/callback_sessions.html", context)


def _list_rules(connection: Connection) -> QuerySet[FieldRule]:
    """Return the active field rules that hand the session over."""
    rules = FieldRule.objects.filter(
        rule__integration__connection=connection, kind=FieldRuleKind.CALLBACK_SESSION, status=RecordStatus.ACTIVE
    )
    return rules.select_related("rule").order_by("rule__crm_object", "target")
