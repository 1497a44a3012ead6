"""Forms of service accounts and of their tokens."""

from __future__ import annotations

import ipaddress
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from ctms.accounts.granting import explain_giving
from ctms.accounts.models import SYSTEM_USERNAME, SecurityProfile, TokenScope, User
from ctms.accounts.policies import list_visible
from ctms.accounts.tokens import LONGEST_DAYS, TokenLimits
from ctms.accounts.usernames import hold_usernames
from ctms.audit.admin.users import UserForm
from ctms.clinical.models import Study
from ctms.configuration.permissions import list_permission_rows
from ctms.core.text.forms import FitTextsMixin

_DEFAULT_DAYS = 90
_ALL = "None chosen: {}."


class OwnedForm(forms.ModelForm):  # type: ignore[type-arg]  # only the stub is generic
    """Asks for owner and purpose, which every service account has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "service_owner" not in self.fields:  # a page that shows and does not ask
            return
        for name in ("service_owner", "service_purpose", "last_name"):
            self.fields[name].required = True
        self.fields["last_name"].label = "Name"
        people = User.objects.filter(is_active=True, service_owner__isnull=True).exclude(username=SYSTEM_USERNAME)
        # Of an owner who left, the form can be saved once another is chosen.
        self.fields["service_owner"].queryset = people.exclude(email="")  # type: ignore[attr-defined]  # a choice of models
        self.fields["service_owner"].error_messages["invalid_choice"] = (
            "Choose a person who is active and has an e-mail address, to whom the Vault can tell that a token ends."
        )


class NewServiceAccountForm(FitTextsMixin, OwnedForm):
    """Asks for the values of a new service account; refuses a security profile that `giver` may not give."""

    class Meta:
        model = User
        fields = ("username", "last_name", "service_owner", "service_purpose", "security_profile", "valid_until")
        widgets = {
            "username": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
            "last_name": UnfoldAdminTextInputWidget,
            "service_owner": UnfoldAdminSelect2Widget,
            "service_purpose": UnfoldAdminTextInputWidget,
            "security_profile": UnfoldAdminSelectWidget,
            "valid_until": UnfoldAdminDateWidget,
        }

    def __init__(self, *args: Any, giver: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._giver = giver
        self.instance.digest_hour = None
        self.instance.set_unusable_password()

    def clean_security_profile(self) -> SecurityProfile | None:
        profile: SecurityProfile | None = self.cleaned_data["security_profile"]
        if refusal := explain_giving(giver=self._giver, profile=profile):
            raise ValidationError(refusal)
        return profile

    def clean(self) -> dict[str, Any] | None:
        hold_usernames()
        return super().clean()


class ServiceAccountForm(OwnedForm, UserForm):
    """The form of a service account, whose page has no password."""


class ServiceTokenForm(forms.Form):
    """Asks for name and end of a token, and to what it is limited. Studies are those that `giver` sees."""

    name = forms.CharField(
        max_length=70, help_text="What will use it, e.g. Nightly load.", widget=UnfoldAdminTextInputWidget
    )
    scope = forms.ChoiceField(label="May", choices=TokenScope.choices, widget=UnfoldAdminSelectWidget)
    days = forms.IntegerField(
        label="Expires after (days)",
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=_DEFAULT_DAYS,
        help_text=f"1 to {LONGEST_DAYS}. The owner of the service account is told 14 days before.",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    objects = forms.MultipleChoiceField(
        required=False,
        help_text=_ALL.format("all that the service account may read or write"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    studies: Any = forms.ModelMultipleChoiceField(
        queryset=Study.objects.none(),
        required=False,
        help_text=_ALL.format("all that the service account sees; never more than those"),
        widget=UnfoldAdminSelectMultipleWidget,
    )
    networks = forms.CharField(
        label="Addresses",
        required=False,
        help_text="IP addresses or networks, e.g. 192.0.2.7 or 192.0.2.0/24, one a line. Empty: every address.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, giver: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        objects: Any = self.fields["objects"]
        objects.choices = [(row.object_name, row.label) for row in list_permission_rows() if not row.is_narrowed]
        self.fields["studies"].queryset = list_visible(Study.objects.order_by("name"), giver)  # type: ignore[attr-defined]  # a choice of models

    def clean_networks(self) -> list[str]:
        found = []
        for text in self.cleaned_data["networks"].replace(",", " ").split():
            try:
                found.append(str(ipaddress.ip_network(text)))
            except ValueError:
                raise ValidationError(
                    f"{text} is neither an IP address nor a network. Write e.g. 192.0.2.7 or 192.0.2.0/24."
                ) from None
        return found

    def read_values(self) -> dict[str, Any]:
        """Return the arguments of `create_token` that the form holds."""
        values = self.cleaned_data
        limits = TokenLimits(
            object_names=values["objects"] or None,
            study_uids=[str(study.uid) for study in values["studies"]] or None,
            networks=values["networks"] or None,
        )
        return {"name": values["name"], "scope": values["scope"], "days": values["days"], "limits": limits}
