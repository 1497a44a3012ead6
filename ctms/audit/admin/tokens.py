"""The console page of API tokens: who has which, when each was used last, replacing and revoking them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.forms import Form, IntegerField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from ctms.accounts.granting import explain_acting
from ctms.accounts.models import ApiToken
from ctms.accounts.policies import has_permission
from ctms.accounts.tokens import LONGEST_DAYS
from ctms.audit.admin.new_tokens import show_new_token
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.api_tokens import LONGEST_OVERLAP_DAYS, TokenNotReplacedError, replace_token, revoke_token
from ctms.core.clock import get_now

_LIST = "admin:accounts_apitoken_changelist"
_STATE_LABELS = {"Valid": "success", "Expired": "warning", "Revoked": "danger"}


class ReplaceTokenForm(Form):
    """Asks how long the new token is valid, and how long the old one beside it."""

    days = IntegerField(
        label="The new one expires after (days)",
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    overlap_days = IntegerField(
        label="The old one stays valid for (days)",
        min_value=0,
        max_value=LONGEST_OVERLAP_DAYS,
        initial=7,
        help_text=f"0 to {LONGEST_OVERLAP_DAYS}, and never longer than it was; 0 ends it at once.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


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

    list_display = ("name", "user", "show_owner", "show_state", "scope", "created_at", "expires_at", "last_used_at")
    list_filter = (StateFilter, ("scope", ChoicesDropdownFilter))
    list_filter_submit = True
    list_select_related = ("user__service_owner",)
    list_per_page = 50
    search_fields = ("name", "user__username", "user__first_name", "user__last_name")
    search_help_text = "Token or user"
    actions_detail = ("replace", "revoke")
    fields = (
        "name",
        "user",
        "show_owner",
        "show_state",
        "scope",
        ("object_names", "study_uids", "networks"),
        "replaces",
        ("created_at", "expires_at"),
        ("last_used_at", "revoked_at"),
    )
    readonly_fields = (
        "name",
        "user",
        "show_owner",
        "show_state",
        "scope",
        "object_names",
        "study_uids",
        "networks",
        "replaces",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )

    @display(description="owner")
    def show_owner(self, token: ApiToken) -> str:
        """Return who is responsible: the owner of a service account, else the user."""
        return str(token.user.service_owner or token.user)

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

    def has_replace_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the token is of a service account that the admin may act as, or the admin's own."""
        token = ApiToken.objects.select_related("user").filter(pk=unquote(str(object_id))).first()
        return token is not None and not explain_acting(giver=get_user(request), user=token.user)

    @action(description="Replace", url_path="replace", permissions=["replace"], icon="autorenew")
    def replace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for how long both are valid, then create the new token and show it once, in this answer."""
        token = self.get_object(request, unquote(object_id))
        if token is None:
            raise Http404
        form = ReplaceTokenForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                new, text = replace_token(token=token, actor=build_actor(request), **form.cleaned_data)
            except TokenNotReplacedError as error:
                form.add_error(None, str(error))
            else:
                token.refresh_from_db()
                told = f"{token.name} is valid until {token.expires_at:%d %B %Y, %H:%M} UTC. Give the program this one."
                return show_new_token(
                    request, site=self.admin_site, opts=self.opts, token=new, text=text, explanation=told
                )
        explanation = f"A new token with the same limits takes the place of {token.name}. Both are valid until then."
        return self._ask(request, token, form=form, title="Replace token", explanation=explanation)

    @action(description="Revoke", url_path="revoke", permissions=["revoke"], icon="block")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then revoke the token."""
        token = self.get_object(request, unquote(object_id))
        if token is None:
            raise Http404
        if request.method != "POST":
            explanation = (
                f"The program that uses {token.name} can no longer do anything as {token.user}, at once and for good. "
                "Another token can be created."
            )
            return self._ask(request, token, form=Form(), title="Revoke token", explanation=explanation)
        if revoke_token(token=token, actor=build_actor(request)):
            self.message_user(request, f"The token {token.name} of {token.user} was revoked.", messages.SUCCESS)
        else:
            self.message_user(request, f"The token {token.name} was revoked already.", messages.WARNING)
        return HttpResponseRedirect(reverse(_LIST))

    def _ask(self, request: HttpRequest, token: ApiToken, *, form: Form, title: str, explanation: str) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(token),
            "opts": self.opts,
            "original": token,
            "form": form,
            "explanation": explanation,
            "submit_label": title,
            "cancel_url": reverse(_LIST),
            "media": form.media,  # without the list's scripts
        }
        return TemplateResponse(request, "admin/action_form.html", context)
