"""Webhooks, and what was or is to be sent to them. The rows are the queue."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from ctms.core.clock import get_now
from ctms.core.fields import EncryptedTextField
from ctms.core.models import AuditedModel
from ctms.webhooks.choices import DeliveryState
from ctms.webhooks.validators import validate_webhook_url


class Webhook(AuditedModel):
    """An address that is told of events, with the secret by which these are signed; no page shows the secret again.

    While a secret is replaced, `previous_secret` signs as well. `source` says whose events they are; see `sources.py`.
    """

    object_name = "admin:settings"

    name = models.CharField(max_length=128)
    url = models.CharField("URL", max_length=500, validators=[validate_webhook_url])
    is_active = models.BooleanField("active", default=True)
    secret = EncryptedTextField()
    secret_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    previous_secret = EncryptedTextField(db_default="")
    source = models.CharField(max_length=20, blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering = ("name", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(url__startswith="https://"), name="webhook_url_is_https"),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One event for one webhook: its text as it is sent, and what became of it. `key` names the event."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    key = models.CharField(max_length=170)
    event = models.CharField(max_length=80)
    body = models.TextField()
    created_at = models.DateTimeField(default=get_now)
    state = models.CharField(max_length=20, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    message = models.TextField(blank=True, default="", help_text="how the last try ended")
    tried_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("webhook", "key"), name="event_once_per_webhook"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=("next_try_at",),
                condition=Q(state__in=(DeliveryState.WAITING, DeliveryState.SENDING)),
                name="webhook_delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
