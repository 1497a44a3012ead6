"""*Activate* and *Deactivate*: change the status of a connection after explaining the consequences."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from connections.models import Connection
from connections.secret_origins import list_lacking_secrets
from connections.services import set_connection_status
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, try_write
from ctms.core.choices import RecordStatus

_ACTIVATE, _DEACTIVATE = "activate", "deactivate"
FINISH_FIRST = "Enter the URL of the CRM organisation here and choose an Authorization: on Save it becomes Active."


class SwitchableAdmin(AuditedModelAdmin):
    """Adds the actions that switch a connection on and off; only the one that changes the status is offered."""

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        connection = self.get_object(request, unquote(str(object_id)))
        is_active = isinstance(connection, Connection) and connection.status == RecordStatus.ACTIVE
        needless = f"connections_connection_{_ACTIVATE if is_active else _DEACTIVATE}"
        return [entry for entry in offered if entry.action_name != needless]

    @action(description="Activate", url_path=_ACTIVATE, permissions=["change"], icon="play_circle")
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make the connection Active."""
        return self._switch(
            request,
            object_id,
            status=RecordStatus.ACTIVE,
            title="Activate",
            explanation=(
                "The next run of the transfer takes this connection along again, and goes on where it stopped: what "
                "was created, changed or deleted meanwhile, on either side, is transferred then."
            ),
            done="is Active: the next run of the transfer takes it along.",
        )

    @action(description="Deactivate", url_path=_DEACTIVATE, permissions=["change"], icon="pause_circle")
    def deactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make the connection Inactive."""
        return self._switch(
            request,
            object_id,
            status=RecordStatus.INACTIVE,
            title="Deactivate",
            explanation=(
                "A deactivated connection transfers nothing: nothing is sent to this CRM organisation, and nothing is "
                "received from it. A transfer that is running already comes to its end. Rules, links and user "
                "exceptions stay as they are, and Activate goes on where it stopped. Other connections go on."
            ),
            done="is Inactive: it transfers nothing until it is activated.",
        )

    def _switch(
        self, request: HttpRequest, object_id: str, *, status: RecordStatus, title: str, explanation: str, done: str
    ) -> HttpResponse:
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        if status == RecordStatus.ACTIVE and not connection.url:
            self.message_user(request, f"{connection} leads nowhere yet. {FINISH_FIRST}", messages.WARNING)
            return HttpResponseRedirect(self.get_change_url(connection))
        form = forms.Form(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            actor = build_actor(request)
            refusal = try_write(lambda: set_connection_status(connection=connection, status=status, actor=actor))
            if refusal is None:
                self.message_user(request, f"{connection} {done}", messages.SUCCESS)
                if status == RecordStatus.ACTIVE:
                    self.warn_about_missing_parts(request, connection)
                return HttpResponseRedirect(self.get_change_url(connection))
            form.add_error(None, refusal)
        return self.show_action(
            request,
            record=connection,
            title=f"{title} {connection}",
            form=form,
            submit_label=title,
            explanation=explanation,
        )

    def warn_about_missing_parts(self, request: HttpRequest, connection: Connection) -> None:
        """Warn if an Active connection cannot log in. Apps that extend this page may warn of more."""
        if connection.status != RecordStatus.ACTIVE:
            return
        authorization = connection.authorization
        if authorization is None:
            warning = f"{connection} has no Authorization yet: its transfers fail until one is chosen."
            self.message_user(request, warning, messages.WARNING)
            return
        for lacking in list_lacking_secrets(authorization=authorization, url=connection.url):
            warning = (
                f"{authorization} {lacking.reason}: the transfers of {connection} fail until its action "
                f"{lacking.action} is used."
            )
            self.message_user(request, warning, messages.WARNING)
