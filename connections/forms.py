"""Forms of connections and their credentials."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminRadioSelectWidget

from connections.choices import Audience, GrantFlow
from connections.identifiers import list_identifier_choices
from connections.models import Connection, CrmConnectionIdentifierMapping
from ctms.audit.forms import AuditedModelForm
from ctms.configuration.forms import PersonIdentifierForm


def _build_secret_field(label: str, *, required: bool = True) -> forms.CharField:
    # Never rendered again, even after an error; not stripped, because a password may end in a space.
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
    return forms.CharField(label=label, required=required, strip=False, max_length=1000, widget=widget)


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
    """The flow that the Vault uses to log in, and what it takes of the connected app or External Client App.

    A script hides the fields that the chosen flow does not take; without it they may stay empty.
    """

    grant_flow = forms.ChoiceField(
        label="Flow",
        choices=GrantFlow.choices,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="JWT bearer is recommended: no secret leaves the Vault. It needs a certificate, which the action "
        "Create Certificate makes. Client credentials suit an app that names the user it runs as. New organisations "
        "block the username and password flow, and External Client Apps do not offer it.",
    )
    consumer_key = _build_secret_field("Connected App Consumer Key")
    consumer_secret = _build_secret_field("Connected App Consumer Secret", required=False)
    audience = forms.ChoiceField(
        label="Log in at",
        choices=Audience.choices,
        required=False,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="My Domain fits every organisation. Only where the CRM refuses it as audience, choose "
        "login.salesforce.com for production and Developer Edition, test.salesforce.com for sandboxes.",
    )

    class Media:
        js = ("flow_fields.js",)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("grant_flow") == GrantFlow.JWT_BEARER:
            cleaned["consumer_secret"] = ""
        elif "grant_flow" in cleaned and "consumer_secret" in cleaned and not cleaned["consumer_secret"]:
            self.add_error("consumer_secret", ValidationError("This field is required.", code="required"))
        cleaned["audience"] = cleaned.get("audience") or Audience.MY_DOMAIN
        return cleaned


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only what was delivered without URL may wait for one. Who may only read the connection has no field of it.
        if "url" in self.fields:
            self.fields["url"].required = self.instance.pk is None or bool(self.instance.url)


class IdentifierMappingForm(PersonIdentifierForm):
    """The identifier mapping of one connection."""

    # Set by the page, because an empty form of an inline does not know its connection yet.
    connection: ClassVar[Connection | None] = None

    class Meta:
        model = CrmConnectionIdentifierMapping
        fields = ("clinical_person_identifier", "crm_account_identifier")

    def list_account_choices(self) -> list[tuple[str, str]]:
        """Return those of the connection's own organisation; of a new connection nothing is known."""
        connection = self.connection
        return list_identifier_choices(connection) if connection is not None else []
