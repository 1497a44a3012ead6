"""The console page *This Vault*: whether it is the Vault or a copy, and its maintenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor
from ctms.core.standing import Role, read_standing
from ctms.machine.declaring import begin_maintenance, declare_copy, declare_vault, end_maintenance
from ctms.machine.models import Installation

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from ctms.audit.actors import Actor

_ROLES = {
    Role.VAULT: "The Vault",
    Role.COPY: "A copy: it sends nothing",
    Role.UNDECIDED: "Nobody has said: no job runs, and nothing is sent",
}
_VAULT = (
    "The database goes on as the Vault: choose this if you restored it. Its connections are paused and compared with "
    "their CRMs, because it is older than they are; resume each when its page Reconciliation shows nothing "
    "unexplained. E-mail and webhooks are sent again at once. Make sure that no other Vault with the same connections "
    "runs."
)
_COPY = (
    "The database is one to look at, to test or to train with. It sends nothing, whatever happens in it: no transfer, "
    "no e-mail, no webhook. Bulk edits, imports and reports work."
)
_MAINTENANCE = (
    "Pages can be read, and users log in. Whatever would be saved is refused, and what was typed is kept; no job "
    "begins. Runs that have begun end by themselves."
)


def _get_sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


class CopyForm(forms.Form):
    """Whether what opens the systems of others is removed."""

    empty = forms.BooleanField(
        label="Remove the secrets of CRM authorizations and webhooks",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="They cannot be brought back. Leave it off only if the copy is to become a Vault of its own.",
    )


class MaintenanceForm(forms.Form):
    """What users read."""

    message = forms.CharField(
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"class": "w-full"}),
        help_text="Shown on every page, e.g. until when it lasts.",
    )


@admin.register(Installation)
class InstallationAdmin(AuditedModelAdmin):
    """The page of the one row, which its actions change."""

    fields = ("what_it_is", "restored_from", "decided_at", "maintenance_since", "maintenance_by", "maintenance_message")
    readonly_fields = fields
    actions_detail: Any = ("declare_vault", "declare_copy", "maintenance", "end_maintenance")

    @admin.display(description="This is")
    def what_it_is(self, _row: Installation) -> str:
        """Say what the database is here, which the row alone does not say."""
        return _ROLES[read_standing().role]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        row = Installation.objects.first()
        if row is None or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        return HttpResponseRedirect(reverse("admin:machine_installation_change", args=(row.pk,)))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        hidden = {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().changeform_view(request, object_id, form_url, {**hidden, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        standing = read_standing()
        needless = {
            "declare_vault": standing.role == Role.VAULT,
            "declare_copy": standing.role == Role.COPY,
            "maintenance": standing.is_read_only,
            "end_maintenance": not standing.is_read_only,
        }
        hidden = {f"machine_installation_{name}" for name, is_needless in needless.items() if is_needless}
        return [each for each in super().get_actions_detail(request, object_id) if each.action_name not in hidden]

    @action(description="This is the Vault", url_path="vault", permissions=["change"], icon="home_work")
    def declare_vault(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then say that this is the Vault."""
        return self._ask(
            request,
            object_id,
            form=forms.Form(_get_sent(request)),
            title="This is the Vault",
            explanation=_VAULT,
            write=lambda actor, _form: declare_vault(actor=actor),
        )

    @action(description="This is a copy", url_path="copy", permissions=["change"], icon="content_copy")
    def declare_copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then say that this is a copy."""
        return self._ask(
            request,
            object_id,
            form=CopyForm(_get_sent(request)),
            title="This is a copy",
            explanation=_COPY,
            write=lambda actor, form: declare_copy(actor=actor, empty=form.cleaned_data["empty"]),
        )

    @action(description="Begin maintenance", url_path="maintenance", permissions=["change"], icon="engineering")
    def maintenance(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what users are told, then make the Vault read-only."""

        def begin(actor: Actor, form: forms.Form) -> list[str]:
            begin_maintenance(message=form.cleaned_data["message"], actor=actor)
            return ["The Vault is read-only."]

        return self._ask(
            request,
            object_id,
            form=MaintenanceForm(_get_sent(request)),
            title="Begin maintenance",
            explanation=_MAINTENANCE,
            write=begin,
        )

    @action(description="End maintenance", url_path="end-maintenance", permissions=["change"], icon="play_arrow")
    def end_maintenance(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let the Vault be written again."""

        def end(actor: Actor, _form: forms.Form) -> list[str]:
            end_maintenance(actor=actor)
            return ["Everything can be saved again."]

        return self._ask(
            request,
            object_id,
            form=forms.Form(_get_sent(request)),
            title="End maintenance",
            explanation="Everything can be saved again, and what is due begins with the next minute.",
            write=end,
        )

    def _ask(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        form: forms.Form,
        title: str,
        explanation: str,
        write: Callable[[Actor, forms.Form], list[str]],
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_change_permission(request, row):
            raise PermissionDenied("You may not change this. Ask an admin whose profile holds Application Settings.")
        if request.method == "POST" and form.is_valid():
            for sentence in write(build_actor(request), form):
                self.message_user(request, sentence, messages.SUCCESS)
            return HttpResponseRedirect(self.get_change_url(row))
        return self.show_action(
            request, record=row, title=title, form=form, submit_label=title, explanation=explanation
        )
