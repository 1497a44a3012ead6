"""Forms of connections and their credentials."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminRadioSelectWidget

from connections.choices import GrantFlow
from connections.models import Connection, CrmConnectionIdentifierMapping
from ctms.audit.forms import AuditedModelForm
from ctms.configuration.forms import PersonIdentifierForm


def _build_secret_field(label: str) -> forms.CharField:
    # Never rendered again, even after an error; not stripped, because a password may end in a space.
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
    return forms.CharField(label=label, strip=False, max_length=1000, widget=widget)


class SetPasswordForm(forms.Form):
    """The CRM user's password, entered twice."""

    password = _build_secret_field("Password")
    confirm_password = _build_secret_field("Confirm Password")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, second = cleaned.get("password"), cleaned.get("confirm_password")
        if first and second and first != second:
            self.add_error(
                "confirm_password", ValidationError("The two passwords differ. Enter the same password in both fields.")
            )
        return cleaned


class ConnectedAppForm(forms.Form):
    """Key and secret of the connected app, and the flow that the Vault uses to log in."""

    consumer_key = _build_secret_field("Connected App Consumer Key")
    consumer_secret = _build_secret_field("Connected App Consumer Secret")
    grant_flow = forms.ChoiceField(
        label="Flow",
        choices=GrantFlow.choices,
        initial=GrantFlow.PASSWORD,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Client credentials need no password; they are the choice where password log-ins are blocked.",
    )


class ConnectionForm(AuditedModelForm):
    """A connection to one CRM organisation."""

    # The connection whose rules a new connection copies.
    copy_source: ClassVar[Connection | None] = None

    class Meta:
        model = Connection
        exclude = ("external_id",)
        help_texts: ClassVar = {
            "name": "The CRM organisation to which you are connecting",
            "api_name": "Left empty, it is made from the name.",
        }


class IdentifierMappingForm(PersonIdentifierForm):
    """The identifier mapping of one connection."""

    class Meta:
        model = CrmConnectionIdentifierMapping
        fields = ("clinical_person_identifier", "crm_account_identifier")
