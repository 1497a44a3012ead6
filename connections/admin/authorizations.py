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
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.text import slugify
from django.views.decorators.debug import sensitive_post_parameters

from connections.certificates import KEY_BITS, VALID_DAYS, create_certificate, list_certificates
from connections.choices import Audience, GrantFlow
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
    list_select_related = ("password_set_by", "connected_app_set_by", "certificate_created_by")
    search_fields = ("name", "username")
    readonly_fields = ("show_flow", "show_connected_app_state", "show_certificate_state", "show_password_state")
    stay_after_add = True
    actions_detail = ("set_password", "enter_connected_app_details", "create_certificate", "download_certificate")

    def get_fieldsets(self, request: HttpRequest, obj: ConnectionAuthorization | None = None) -> Any:  # noqa: ARG002  Django's signature
        general = (
            None,
            {
                "fields": ("name", "username", "status"),
                "description": (
                    "The dedicated integration user of a Medical CRM organisation. The flow of the log-in, the key of "
                    "the connected app or External Client App, and certificate, secret or password are entered after "
                    "saving, by the actions at the top."
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
                    "fields": self.readonly_fields,
                    "description": "" if may_enter_connected_app_details() else _NOT_ASSIGNED,
                },
            ),
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        absent = ["download_certificate"]  # a link beside the certificate
        if not may_enter_connected_app_details():
            absent.append("enter_connected_app_details")
        return [entry for entry in offered if not entry.action_name.endswith(tuple(absent))]

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
        if not authorization.connected_app_set_at:
            return "–"
        told = authorization.get_grant_flow_display()
        if authorization.grant_flow == GrantFlow.JWT_BEARER:
            told += f", log-in at {authorization.get_audience_display()}"
        return told

    @admin.display(description="certificate")
    def show_certificate_state(self, authorization: ConnectionAuthorization) -> str:
        lines = describe_certificates(authorization)
        if authorization.certificate:
            url = reverse("admin:connections_connectionauthorization_download_certificate", args=(authorization.pk,))
            lines.append(format_html("<a class='vault-link' href='{}'>Download Certificate</a>", url))
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines))

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
        initial = {"grant_flow": authorization.grant_flow, "audience": authorization.audience}
        form = ConnectedAppForm(request.POST or None, initial=initial)

        def write() -> None:
            enter_connected_app_details(
                authorization=authorization,
                consumer_key=form.cleaned_data["consumer_key"],
                consumer_secret=form.cleaned_data["consumer_secret"],
                grant_flow=GrantFlow(form.cleaned_data["grant_flow"]),
                audience=Audience(form.cleaned_data["audience"]),
                actor=build_actor(request),
            )

        return self._handle(
            request,
            authorization=authorization,
            form=form,
            write=write,
            title="Enter Connected App Details",
            explanation=(
                "Key and secret are shown in the Medical CRM: of an External Client App under Setup > "
                "External Client App Manager > the app > Settings > OAuth Settings; of a connected app under Setup > "
                "App Manager > View (in older ones, App Setup > Create > Apps > Remote API Access). Both are stored "
                "encrypted and are never shown again."
            ),
        )

    @action(
        description="Create Certificate",
        url_path="create-certificate",
        permissions=["change"],
        icon="workspace_premium",
    )
    def create_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first, then make a key pair and a certificate."""
        authorization = self._get_editable(request, object_id)

        def write() -> None:
            create_certificate(authorization=authorization, actor=build_actor(request))

        return self._handle(
            request,
            authorization=authorization,
            form=forms.Form(request.POST if request.method == "POST" else None),
            write=write,
            title="Create Certificate",
            submit_label="Create",
            explanation=(
                f"Makes a key pair of {KEY_BITS} bits and a certificate for {VALID_DAYS // 365} years. The private key "
                "stays in the Vault, encrypted, and is never shown. Download the certificate and upload it to the app "
                "in the CRM: OAuth Settings, Enable JWT Bearer Flow; of a connected app, Use digital signatures. "
                + (
                    "The certificate of today stays in use until a log-in with the new one has succeeded."
                    if authorization.certificate
                    else ""
                )
            ),
        )

    @action(description="Download Certificate", url_path="download-certificate", permissions=["view"], icon="download")
    def download_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send the newest certificate as a file, to be uploaded to the CRM; the key stays here."""
        authorization = self.get_object(request, unquote(object_id))
        if not isinstance(authorization, ConnectionAuthorization) or not self.has_view_permission(
            request, authorization
        ):
            raise PermissionDenied("This connection authorization does not exist, or you may not see it.")
        states = list_certificates(authorization)
        if not states:
            self.message_user(request, "There is no certificate yet. Use Create Certificate.", messages.ERROR)
            return HttpResponseRedirect(self.get_change_url(authorization))
        name = slugify(authorization.name) or "certificate"
        return HttpResponse(
            states[-1].pem,
            content_type="application/x-pem-file",
            headers={"Content-Disposition": f'attachment; filename="{name}.crt"'},
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
        submit_label: str = "Save",
    ) -> HttpResponse:
        if request.method == "POST" and form.is_valid():
            refusal = try_write(write)
            if refusal is None:
                self.message_user(request, f"{title}: saved.", messages.SUCCESS)
                return HttpResponseRedirect(self.get_change_url(authorization))
            form.add_error(None, refusal)
        return self.show_action(
            request, record=authorization, title=title, form=form, submit_label=submit_label, explanation=explanation
        )


def describe_certificates(authorization: ConnectionAuthorization) -> list[str]:
    """Return in sentences which certificates there are, until when, and whether it is time to renew."""
    states = list_certificates(authorization)
    if not states:
        return ["None"]
    current = states[0]
    ended = "ended on" if current.days_left < 0 else "valid until"
    told = [f"In use: {ended} {current.ends_at:%Y-%m-%d}, SHA-256 begins with {current.fingerprint[:16]}."]
    if len(states) > 1:
        told.append(
            f"New: valid until {states[1].ends_at:%Y-%m-%d}, SHA-256 begins with {states[1].fingerprint[:16]}. "
            "Upload it to the CRM; it is in use once a log-in with it has succeeded."
        )
    elif current.ends_soon:
        told.append("Time to renew: use Create Certificate and upload the new one to the CRM.")
    state = _describe_state(
        set_at=authorization.certificate_created_at,
        set_by=authorization.certificate_created_by,
        origin=authorization.certificate_origin,
        verb="Created",
    )
    return [*told, f"{state}."]


def _describe_state(*, set_at: datetime | None, set_by: User | None, origin: str, verb: str = "Set") -> str:
    if set_at is None:
        return "Not set"
    return f"{verb} on {set_at:%Y-%m-%d at %H:%M} UTC by {set_by}" + (f", for {origin}" if origin else "")
