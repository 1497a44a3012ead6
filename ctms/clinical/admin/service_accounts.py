"""Service accounts in the console: making them, changing them, and making tokens for them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ctms.accounts.granting import explain_acting
from ctms.accounts.models import User
from ctms.audit.admin.new_tokens import show_new_token
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import ModelAdmin, action
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.api_tokens import create_token
from ctms.audit.users import save_user
from ctms.clinical.admin.service_account_forms import NewServiceAccountForm, ServiceAccountForm, ServiceTokenForm

_FIELDS = ("username", "last_name", "service_owner", "service_purpose", "security_profile", "valid_until")
_OF_PEOPLE = ("invite", "end_sessions", "hand_over")
_NOT_A_PERSON = "{} is a service account: it has no password. Programs act as it with API tokens."


@extend_page(User)
class ServiceAccounts(ModelAdmin):
    """Adds service accounts to the page of users: no password, no e-mail address, an owner and a purpose instead."""

    actions_list: Any = ("add_service_account",)
    actions_detail: Any = ("create_service_token",)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]  # as in Django
        if obj is not None and obj.is_service_account:
            kwargs["form"] = ServiceAccountForm
        return super().get_form(request, obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or not obj.is_service_account:
            return super().get_fieldsets(request, obj)
        explanation = "A program acts as a service account, with API tokens. It cannot log in, and is sent nothing."
        return [(None, {"fields": (*_FIELDS, "time_zone", "is_active", "date_joined"), "description": explanation})]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions that fit: a person has no tokens made by others, a service account no invitations."""
        user = User.objects.filter(pk=unquote(str(object_id))).first()
        hidden = _OF_PEOPLE if user is not None and user.is_service_account else ("create_service_token",)
        actions = super().get_actions_detail(request, object_id)
        return [each for each in actions if not any(name in each.action_name for name in hidden)]

    def has_add_service_account_permission(self, request: HttpRequest) -> bool:
        """Whether the admin may add users."""
        return self.has_add_permission(request)

    @action(
        description="Add service account", url_path="add-service", permissions=["add_service_account"], icon="smart_toy"
    )
    def add_service_account(self, request: HttpRequest) -> HttpResponse:
        """Ask for the values of a service account, then create it."""
        form = NewServiceAccountForm(request.POST if request.method == "POST" else None, giver=get_user(request))
        if form.is_valid():
            user = form.save(commit=False)
            try:
                save_user(user=user, actor=build_actor(request))
            except ValidationError as error:  # somebody else chose the username in between
                form.add_error(None, error.messages)
            else:
                told = f"{user} was created. Assign it to its studies, and make a token for its program."
                self.message_user(request, told, messages.SUCCESS)
                return HttpResponseRedirect(_get_url(user))
        return self._ask_service(
            request,
            form=form,
            title="Add service account",
            explanation="A program acts as it, with API tokens, and may do what its security profile allows in the "
            "studies that it is assigned to. It cannot log in.",
            cancel_url=reverse("admin:accounts_user_changelist"),
        )

    def has_create_service_token_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the admin could give the profile of the service account, and so may act as it."""
        user = User.objects.filter(pk=unquote(str(object_id))).first() if object_id is not None else None
        return user is not None and not explain_acting(giver=get_user(request), user=user)

    @action(description="New token", url_path="token", permissions=["create_service_token"], icon="vpn_key")
    def create_service_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what a token of the service account may do, then create it and show it once, in this answer."""
        user = self.get_object(request, unquote(object_id))
        if not isinstance(user, User) or not user.is_service_account:
            raise PermissionDenied("There is no such service account. People make tokens on their profile page.")
        form = ServiceTokenForm(request.POST if request.method == "POST" else None, giver=get_user(request))
        if form.is_valid():
            try:
                token, text = create_token(user=user, actor=build_actor(request), **form.read_values())
            except ValidationError as error:
                form.add_error("name", error.messages)
            else:
                return show_new_token(request, site=self.admin_site, opts=self.opts, token=token, text=text)
        return self._ask_service(
            request,
            form=form,
            title="New token",
            explanation=f"With it, a program acts as {user}. What is chosen here takes away from what the service "
            "account may do, and adds nothing.",
            cancel_url=_get_url(user),
        )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002  Django's signature
        self._refuse_service_account(request, id)
        return super().user_change_password(request, id, form_url)  # type: ignore[misc]  # of the page

    def _refuse_service_account(self, request: HttpRequest, object_id: str) -> None:
        user = self.get_object(request, unquote(object_id))
        if isinstance(user, User) and user.is_service_account:
            raise PermissionDenied(_NOT_A_PERSON.format(user))

    def _ask_service(
        self, request: HttpRequest, *, form: forms.BaseForm, title: str, explanation: str, cancel_url: str
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "explanation": explanation,
            "submit_label": title,
            "cancel_url": cancel_url,
            "media": form.media,
        }
        return TemplateResponse(request, "admin/action_form.html", context)


def _get_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=(user.pk,))
