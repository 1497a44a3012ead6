"""The form of a subscription, which shows its webhook as part of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.audit.forms import AuditedModelForm
from ctms.subscriptions.models import RecordSubscription
from ctms.subscriptions.topics import list_topic_choices
from ctms.webhooks.models import Webhook
from ctms.webhooks.validators import validate_webhook_url


class SubscriptionForm(AuditedModelForm):
    """Asks who is told of what, and where. It holds the version of the webhook beside that of the subscription."""

    webhook_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(
        max_length=Webhook._meta.get_field("name").max_length,
        widget=UnfoldAdminTextInputWidget,
        help_text="What the program is called, for people.",
    )
    url = forms.CharField(
        label="URL",
        max_length=Webhook._meta.get_field("url").max_length,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url", "autocomplete": "off"}),
        help_text="https:// and the address that gets the events. Another host needs a secret of its own.",
    )
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text="While it is off, nothing is sent; what happened meanwhile is told when it is on again.",
    )
    topics = forms.MultipleChoiceField(label="Events", widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = RecordSubscription
        fields = ("user", "topics")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "topics" in self.fields:
            topics: Any = self.fields["topics"]
            topics.choices = list_topic_choices()
        if "user" in self.fields:
            user: Any = self.fields["user"]
            user.queryset = User.objects.filter(is_active=True).exclude(username=SYSTEM_USERNAME)
        if self.instance.pk is not None:
            webhook = self.instance.webhook
            self.initial.update(
                {
                    "name": webhook.name,
                    "url": webhook.url,
                    "is_active": webhook.is_active,
                    "webhook_version": webhook.version,
                }
            )

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        validate_webhook_url(url)
        return url

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance.pk is not None and self.cleaned_data.get("webhook_version") is None:
            raise ValidationError("The form came without the webhook's version. Reload the page and enter it again.")
        return cleaned
