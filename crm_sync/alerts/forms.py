"""The form of a connection's alerts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from crm_sync.models import AlertSettings
from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.webhooks.validators import validate_webhook_url

SHORTEST_SECRET = 24


class AlertSettingsForm(forms.ModelForm):  # type: ignore[type-arg]  # only the stub is generic
    """Asks who is told, from when on, and for the webhook; its secret is never shown."""

    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    webhook_url = forms.CharField(
        label="Webhook URL",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url", "autocomplete": "off"}),
        help_text="https:// and the address that is told of every change; empty: none.",
    )
    webhook_secret = forms.CharField(
        label="Webhook secret",
        required=False,
        max_length=200,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = AlertSettings
        fields = ("owner", "contacts", "percent", "silent_hours", "runs_to_alert", "runs_to_recover")
        number = UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"})
        widgets = {
            "owner": UnfoldAdminSelectWidget,
            "contacts": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "percent": number,
            "silent_hours": number,
            "runs_to_alert": number,
            "runs_to_recover": number,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner: Any = self.fields["owner"]
        owner.queryset = User.objects.filter(is_active=True).exclude(username=SYSTEM_USERNAME)
        webhook = self.instance.webhook
        has_secret = webhook is not None and bool(webhook.secret)
        self.fields["webhook_secret"].help_text = (
            f"At least {SHORTEST_SECRET} characters, the same as at the receiver, who checks the signature with it. "
            + ("One is stored; it is not shown. Enter another to replace it." if has_secret else "None is stored.")
        )
        if webhook is not None and webhook.is_active:
            self.initial["webhook_url"] = webhook.url
        if self.instance.pk is not None:
            self.initial["read_version"] = self.instance.version

    def clean_webhook_url(self) -> str:
        url = str(self.cleaned_data["webhook_url"]).strip()
        if url:
            validate_webhook_url(url)
        return url

    def clean_webhook_secret(self) -> str:
        secret = str(self.cleaned_data["webhook_secret"])
        if secret and len(secret) < SHORTEST_SECRET:
            raise ValidationError(f"Enter at least {SHORTEST_SECRET} characters, so that nobody guesses it.")
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk is not None and cleaned.get("read_version") is None:
            raise ValidationError("The form came without the record's version. Reload the page and enter it again.")
        webhook, url = self.instance.webhook, cleaned.get("webhook_url", "")
        if url and not cleaned.get("webhook_secret") and "webhook_secret" not in self.errors:
            if webhook is None or not webhook.secret:
                self.add_error("webhook_secret", "Enter a secret, with which everything that is sent is signed.")
            elif urlsplit(url).hostname != urlsplit(webhook.url).hostname:
                host = urlsplit(webhook.url).hostname
                text = f"Enter a secret for this host: the one that is stored was entered for {host}."
                self.add_error("webhook_secret", text)
        return cleaned
