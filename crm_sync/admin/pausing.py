"""*Pause*, *Resume*, *Pause all* and *Resume all* of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from connections.models import Connection
from crm_sync.actions.pausing import pause_all, pause_connection, resume_all, resume_connection
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, try_write
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from ctms.audit.actors import Actor

_PAUSE, _RESUME = "pause", "resume"
_WHAT_PAUSES = (
    "nothing is sent and nothing is received, neither by schedule nor by Start Now, Retry or Repair, until an admin "
    "resumes it. A transfer that is running stops after its current batch. What changes meanwhile, on either side, is "
    "transferred after that."
)


class PauseForm(forms.Form):
    """Why connections are paused."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown wherever the connection is, and kept in the audit trail.",
        error_messages={"required": "Say why nothing is to be transferred: whoever finds it paused reads this."},
    )


@extend_page(Connection)
class ConnectionPausing(AuditedModelAdmin):
    """Adds the actions; of Pause and Resume only the one that changes something is offered."""

    actions_detail: Any = (_PAUSE, _RESUME)
    actions_list: Any = ("pause_all", "resume_all")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        connection = self.get_object(request, unquote(str(object_id)))
        needless = {f"connections_connection_{name}" for name in _list_needless(connection)}
        return [entry for entry in offered if entry.action_name not in needless]

    @action(description="Pause", url_path=_PAUSE, permissions=["change"], icon="pause")
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, then pause the connection."""
        connection = self._get_connection_to_pause(request, object_id)
        form = PauseForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor, reason = build_actor(request), form.cleaned_data["reason"]
            refusal = try_write(lambda: pause_connection(connection=connection, reason=reason, actor=actor))
            if refusal is None:
                self.message_user(request, f"{connection} is paused: nothing is transferred.", messages.SUCCESS)
                return HttpResponseRedirect(self.get_change_url(connection))
            form.add_error(None, refusal)
        return self.show_action(
            request,
            record=connection,
            title=f"Pause {connection}",
            form=form,
            submit_label="Pause",
            explanation=f"While it is paused, {_WHAT_PAUSES}",
        )

    @action(description="Resume", url_path=_RESUME, permissions=["change"], icon="play_arrow")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then resume the connection."""
        connection = self._get_connection_to_pause(request, object_id)
        form = forms.Form(request.POST or None)
        if request.method == "POST":
            actor = build_actor(request)
            refusal = try_write(lambda: resume_connection(connection=connection, actor=actor))
            if refusal is None:
                told = f"{connection} is resumed: the next run of the transfer takes it along."
                self.message_user(request, told, messages.SUCCESS)
                return HttpResponseRedirect(self.get_change_url(connection))
            form.add_error(None, refusal)
        why = f" It was paused for this reason: {connection.pause_reason}" if connection.pause_reason else ""
        return self.show_action(
            request,
            record=connection,
            title=f"Resume {connection}",
            form=form,
            submit_label="Resume",
            explanation=f"The next run of the transfer takes it along, and goes on where it stopped.{why}",
        )

    @action(description="Pause all", url_path="pause-all", permissions=["change"], icon="pause")
    def pause_all(self, request: HttpRequest) -> HttpResponse:
        """Ask for one reason, then pause every Active connection."""
        form = PauseForm(request.POST or None)

        def write(actor: Actor) -> list[Connection]:
            return pause_all(reason=form.cleaned_data["reason"], actor=actor)

        return self._act_on_all(
            request,
            form=form,
            write=write,
            title="Pause all connections",
            done="paused",
            submit_label="Pause all",
            explanation=f"Every Active connection is paused: {_WHAT_PAUSES}",
        )

    @action(description="Resume all", url_path="resume-all", permissions=["change"], icon="play_arrow")
    def resume_all(self, request: HttpRequest) -> HttpResponse:
        """Ask, then resume every paused connection."""
        return self._act_on_all(
            request,
            form=forms.Form(request.POST if request.method == "POST" else None),
            write=lambda actor: resume_all(actor=actor),
            title="Resume all connections",
            done="resumed",
            submit_label="Resume all",
            explanation="Every paused connection is resumed, whoever paused it: the next run of the transfer takes it "
            "along, and goes on where it stopped.",
        )

    def _act_on_all(
        self,
        request: HttpRequest,
        *,
        form: forms.Form,
        write: Callable[[Actor], list[Connection]],
        title: str,
        done: str,
        submit_label: str,
        explanation: str,
    ) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied("You may not change connections.")
        list_url = reverse("admin:connections_connection_changelist")
        if request.method == "POST" and form.is_valid():
            changed: list[Connection] = []
            actor = build_actor(request)
            refusal = try_write(lambda: changed.extend(write(actor)))
            if refusal is None:
                names = ", ".join(each.name for each in changed)
                told = f"{names}: {done}." if names else f"There was no connection to be {done}."
                self.message_user(request, told, messages.SUCCESS if changed else messages.INFO)
                return HttpResponseRedirect(list_url)
            form.add_error(None, refusal)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "explanation": explanation,
            "submit_label": submit_label,
            "cancel_url": list_url,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/action_form.html", context)

    def _get_connection_to_pause(self, request: HttpRequest, object_id: str) -> Connection:
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        return connection


def _list_needless(connection: Any) -> tuple[str, ...]:
    """Return the actions that would change nothing; an Inactive connection transfers nothing anyway."""
    if not isinstance(connection, Connection):
        return ()
    if connection.paused_at is not None:
        return (_PAUSE,)
    return (_RESUME,) if connection.status == RecordStatus.ACTIVE else (_PAUSE, _RESUME)
