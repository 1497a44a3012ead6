"""The console page of API tokens: who has which, when each was used last, and revoking them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from ctms.accounts.models import ApiToken
from ctms.accounts.policies import has_permission
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.api_tokens import revoke_token
from ctms.core.clock import get_now

_LIST = "admin:accounts_apitoken_changelist"
_STATE_LABELS = {"Valid": "success", "Expired": "warning", "Revoked": "danger"}


class StateFilter(DropdownFilter):
    """Filters tokens by whether they still open anything."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [(state.lower(), state) for state in _STATE_LABELS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:  # noqa: ARG002  Django's signature
        now = get_now()
        if self.value() == "valid":
            return queryset.filter(revoked_at__isnull=True, expires_at__gt=now)
        if self.value() == "expired":
            return queryset.filter(revoked_at__isnull=True, expires_at__lte=now)
        return queryset.filter(revoked_at__isnull=False) if self.value() == "revoked" else queryset


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyModelAdmin):
    """The tokens of all users, newest first. Nothing of a token's text is kept, so nothing of it can be shown."""

    list_display = ("name", "user", "show_state", "scope", "created_at", "expires_at", "last_used_at")
    list_filter = (StateFilter, ("scope", ChoicesDropdownFilter))
    list_filter_submit = True
    list_select_related = ("user",)
    list_per_page = 50
    search_fields = ("name", "user__username", "user__first_name", "user__last_name")
    search_help_text = "Token or user"
    actions_detail = ("revoke",)
    fields = ("name", "user", "show_state", "scope", ("created_at", "expires_at"), ("last_used_at", "revoked_at"))
    readonly_fields = ("name", "user", "show_state", "scope", "created_at", "expires_at", "last_used_at", "revoked_at")

    @display(description="state", label=_STATE_LABELS)
    def show_state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "Revoked"
        return "Expired" if token.expires_at <= get_now() else "Valid"

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002  Unfold's signature
        """Whether the user may manage users, and so revoke their tokens."""
        return has_permission(user=get_user(request), permission=ApiToken.object_name)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions of a token; none if it is revoked."""
        if not ApiToken.objects.filter(pk=unquote(str(object_id)), revoked_at__isnull=True).exists():
            return []
        return super().get_actions_detail(request, object_id)

    @action(description="Revoke", url_path="revoke", permissions=["revoke"], icon="block")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then revoke the token."""
        token = self.get_object(request, unquote(object_id))
        if token is None:
            raise Http404
        if request.method != "POST":
            return self._ask(request, token)
        if revoke_token(token=token, actor=build_actor(request)):
            self.message_user(request, f"The token {token.name} of {token.user} was revoked.", messages.SUCCESS)
        else:
            self.message_user(request, f"The token {token.name} was revoked already.", messages.WARNING)
        return HttpResponseRedirect(reverse(_LIST))

    def _ask(self, request: HttpRequest, token: ApiToken) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke token",
            "subtitle": str(token),
            "opts": self.opts,
            "original": token,
            "form": Form(),
            "explanation": f"The program that uses {token.name} can no longer do anything as {token.user}, at once and "
            "for good. The user can create another token.",
            "submit_label": "Revoke token",
            "cancel_url": reverse(_LIST),
            "media": Form().media,  # without the list's scripts
        }
        return TemplateResponse(request, "admin/action_form.html", context)
