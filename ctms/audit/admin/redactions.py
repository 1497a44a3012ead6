"""The console page of redactions: one person asks, another approves or refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode
from unfold.widgets import UnfoldAdminTextInputWidget

from ctms.accounts.policies import has_permission
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.choices import RedactionState
from ctms.audit.forms import AuditedModelForm
from ctms.audit.models import AuditEntry, AuditRedaction
from ctms.audit.redaction import approve_redaction, ask_redaction, refuse_redaction
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.audit.actors import Actor

_FOR_GOOD = (
    "The name of the record, the values before and after, the reason of the change and the name of who made it are "
    "replaced by [redacted] in these entries, and cannot be brought back. Which user acted, when, and on which record "
    "stays, and so does this redaction with its reason."
)


class RedactionForm(AuditedModelForm):
    """The entries by their numbers, and the reason."""

    entry_ids = forms.CharField(
        label="Entries",
        widget=UnfoldAdminTextInputWidget,
        help_text="The numbers of audit trail entries, with commas between. Redact on the page of an entry fills in "
        "its number.",
    )

    def clean_entry_ids(self) -> list[int]:
        try:
            return [int(part) for part in self.cleaned_data["entry_ids"].replace(",", " ").split()]
        except ValueError:
            raise forms.ValidationError("Enter whole numbers with commas between, such as 1204, 1207.") from None


@extend_page(AuditEntry)
class EntryRedaction(AuditEntryAdmin):
    """Leads from an entry to the form that asks for its redaction."""

    actions_detail: Any = ("redact",)

    @action(description="Redact", url_path="redact", permissions=["redact"], icon="ink_eraser")
    def redact(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the form of a new redaction, with the number of the entry filled in."""
        if not self.has_redact_permission(request):
            raise PermissionDenied("Your security profile does not allow redactions (admin:redaction).")
        form = reverse("admin:audit_auditredaction_add")
        return HttpResponseRedirect(f"{form}?{urlencode({'entry_ids': unquote(object_id)})}")

    def has_redact_permission(self, request: HttpRequest, object_id: object = None) -> bool:  # noqa: ARG002  Unfold's signature
        return has_permission(user=get_user(request), permission=AuditRedaction.object_name)


@admin.register(AuditRedaction)
class AuditRedactionAdmin(AuditedModelAdmin):
    """Redactions are asked for and decided here, and never changed."""

    list_display = ("__str__", "show_state", "reason", "show_asker", "created_at", "decided_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("created_by", "decided_by")
    actions = None
    actions_detail = ("approve", "refuse")
    stay_after_add = True

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:  # noqa: ARG002  Django's signature
        if obj is None:
            return ["entry_ids", "reason"]
        return ["show_state", "show_entries", "reason", "show_asker", "created_at", "decided_by", "decided_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [] if obj is None else self.get_fields(request, obj)

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> type[forms.ModelForm[Any]]:
        if obj is None:
            kwargs["form"] = RedactionForm
        return super().get_form(request, obj, change, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether there is something to decide, and the user may."""
        requested = AuditRedaction.objects.filter(pk=object_id, state=RedactionState.REQUESTED)
        return self.has_view_permission(request) and requested.exists()

    def write_record(self, *, record: AuditRedaction, form: Any, actor: Actor) -> None:  # noqa: ARG002  the signature of the base
        ask_redaction(redaction=record, actor=actor)

    @display(
        description="state", label={"Done": "success", "Refused": "info", "Requested": "warning"}, ordering="state"
    )
    def show_state(self, redaction: AuditRedaction) -> str:
        return redaction.get_state_display()

    @admin.display(description="asked for by", ordering="created_by")
    def show_asker(self, redaction: AuditRedaction) -> str:
        return str(redaction.created_by)

    @admin.display(description="entries")
    def show_entries(self, redaction: AuditRedaction) -> str:
        """Return links to the entries."""
        return format_html_join(
            ", ",
            "<a class='vault-link' href='{}'>{}</a>",
            ((reverse("admin:audit_auditentry_change", args=(each,)), each) for each in redaction.entry_ids),
        )

    @action(description="Approve", url_path="approve", permissions=["decide"], icon="check")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then redact."""
        return self._decide(
            request, object_id, decide=approve_redaction, question="Redact these entries?", explanation=_FOR_GOOD
        )

    @action(description="Refuse", url_path="refuse", permissions=["decide"], icon="close")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then refuse."""
        return self._decide(request, object_id, decide=refuse_redaction, question="Refuse this redaction?")

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        decide: Callable[..., None],
        question: str,
        explanation: str = "Nothing is redacted then, and the request stays with its reason.",
    ) -> HttpResponse:
        redaction = self.get_object(request, unquote(object_id))
        if not isinstance(redaction, AuditRedaction) or not self.has_view_permission(request, redaction):
            raise PermissionDenied("This redaction does not exist, or you may not decide it.")
        if request.method != "POST":
            return self.show_action(
                request,
                record=redaction,
                title=question,
                form=forms.Form(),
                submit_label="Redact for good" if explanation == _FOR_GOOD else "Refuse",
                explanation=f"Reason: {redaction.reason}. {explanation}",
            )
        try:
            decide(redaction=redaction, actor=build_actor(request))
        except VaultError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"{redaction} was decided.", messages.SUCCESS)
        return HttpResponseRedirect(self.get_change_url(redaction))
