"""Connection Authorizations in the admin; secrets are entered by actions and never shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from connections.choices import GrantFlow
from connections.forms import ConnectedAppForm, SetPasswordForm
from connections.models import ConnectionAuthorization
from connections.models.authorizations import BASIC_AUTH
from connections.objects import ENTER_CONNECTED_APP_DETAILS
from connections.services import enter_connected_app_details, set_password
from ctms.accounts.models import User
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, try_write
from ctms.configuration.selectors import is_action_assigned

_NOT_ASSIGNED = (
    "Enter Connected App Details is not assigned to Basic Auth. Assign it under "
    "Configuration > Objects > Connection Authorization > Actions."
)


def may_enter_connected_app_details() -> bool:
    """Whether an admin assigned the action to the object type Basic Auth."""
    return is_action_assigned(
        object_name=ConnectionAuthorization.object_name,
        object_type=BASIC_AUTH,
        action_name=ENTER_CONNECTED_APP_DETAILS,
    )


@admin.register(ConnectionAuthorization)
class ConnectionAuthorizationAdmin(AuditedModelAdmin):
    """A form for name and username, and actions for the password and the connected app."""

    list_display = ("name", "username", "show_password_state", "show_connected_app_state", "status")
    list_filter = ("status",)
    list_select_related = ("password_set_by", "connected_app_set_by")
    search_fields = ("name", "username")
    readonly_fields = ("show_password_state", "show_connected_app_state", "show_flow")
    stay_after_add = True
    actions_detail = ("set_password", "enter_connected_app_details")

    def get_fieldsets(self, request: HttpRequest, obj: ConnectionAuthorization | None = None) -> Any:  # noqa: ARG002  Django's signature
        general = (
            None,
            {
                "fields": ("name", "username", "status"),
                "description": (
                    "The dedicated integration user of a Medical CRM organisation. The password, and the key and "
                    "secret of the connected app, are entered after saving, by the actions at the top."
                ),
            },
        )
        if obj is None:
            return (general,)
        return (
            general,
            (
                "Credentials",
                {
                    "fields": ("show_password_state", "show_connected_app_state", "show_flow"),
                    "description": "" if may_enter_connected_app_details() else _NOT_ASSIGNED,
                },
            ),
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        if may_enter_connected_app_details():
            return list(offered)
        return [entry for entry in offered if not entry.action_name.endswith("enter_connected_app_details")]

    @admin.display(description="password")
    def show_password_state(self, authorization: ConnectionAuthorization) -> str:
        return _describe_state(
            set_at=authorization.password_set_at,
            set_by=authorization.password_set_by,
            origin=authorization.password_origin,
        )

    @admin.display(description="connected app")
    def show_connected_app_state(self, authorization: ConnectionAuthorization) -> str:
        return _describe_state(
            set_at=authorization.connected_app_set_at,
            set_by=authorization.connected_app_set_by,
            origin=authorization.connected_app_origin,
        )

    @admin.display(description="flow")
    def show_flow(self, authorization: ConnectionAuthorization) -> str:
        return authorization.get_grant_flow_display() if authorization.connected_app_set_at else "–"

    @action(description="Set Password", url_path="set-password", permissions=["change"], icon="password")
    @method_decorator(sensitive_post_parameters())
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the CRM user's password, twice, and store it."""
        authorization = self._get_editable(request, object_id)
        form = SetPasswordForm(request.POST or None)

        def write() -> None:
            set_password(
                authorization=authorization, password=form.cleaned_data["password"], actor=build_actor(request)
            )

        return self._handle(
            request,
            authorization=authorization,
            form=form,
            write=write,
            title="Set Password",
            explanation=(
                f"The password of {authorization.username} in the Medical CRM. It is stored encrypted and is never "
                "shown again."
            ),
        )

    @action(
        description="Enter Connected App Details",
        url_path="enter-connected-app-details",
        permissions=["change"],
        icon="key",
    )
    @method_decorator(sensitive_post_parameters())
    def enter_connected_app_details(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for key, secret and flow and store them, if the action is assigned to the object type."""
        authorization = self._get_editable(request, object_id)
        if not may_enter_connected_app_details():
            raise PermissionDenied(_NOT_ASSIGNED)
        form = ConnectedAppForm(request.POST or None, initial={"grant_flow": authorization.grant_flow})

        def write() -> None:
            enter_connected_app_details(
                authorization=authorization,
                consumer_key=form.cleaned_data["consumer_key"],
                consumer_secret=form.cleaned_data["consumer_secret"],
                grant_flow=GrantFlow(form.cleaned_data["grant_flow"]),
                actor=build_actor(request),
            )

        return self._handle(
            request,
            authorization=authorization,
            form=form,
            write=write,
            title="Enter Connected App Details",
            explanation=(
                "Consumer Key and Consumer Secret are shown in the Medical CRM under Setup > App Setup > Create > "
                "Apps > Remote API Access. Both are stored encrypted and are never shown again."
            ),
        )

    def _get_editable(self, request: HttpRequest, object_id: str) -> ConnectionAuthorization:
        authorization = self.get_object(request, unquote(object_id))
        if not isinstance(authorization, ConnectionAuthorization) or not self.has_change_permission(
            request, authorization
        ):
            raise PermissionDenied("This connection authorization does not exist, or you may not change it.")
        return authorization

    def _handle(
        self,
        request: HttpRequest,
        *,
        authorization: ConnectionAuthorization,
        form: forms.Form,
        write: Callable[[], None],
        title: str,
        explanation: str,
    ) -> HttpResponse:
        if request.method == "POST" and form.is_valid():
            refusal = try_write(write)
            if refusal is None:
                self.message_user(request, f"{title}: saved.", messages.SUCCESS)
                return HttpResponseRedirect(self.get_change_url(authorization))
            form.add_error(None, refusal)
        return self.show_action(
            request, record=authorization, title=title, form=form, submit_label="Save", explanation=explanation
        )


def _describe_state(*, set_at: datetime | None, set_by: User | None, origin: str) -> str:
    if set_at is None:
        return "Not set"
    return f"Set on {set_at:%Y-%m-%d at %H:%M} UTC by {set_by}" + (f", for {origin}" if origin else "")
