"""Subscriptions: a program that is told of records by a webhook, and how far it was told."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from ctms.core.models import AuditedModel
from ctms.webhooks.models import Webhook

SOURCE = "records"  # of the webhooks of subscriptions
MOST_NOTICE_TRIES = 10


class RecordSubscription(AuditedModel):
    """What a webhook is told of: what happens to records that `user` sees, as far as it is among the `topics`.

    A topic is an object and an event: `site__v.created`. See `topics.py`.
    """

    object_name = "admin:settings"

    webhook = models.OneToOneField(Webhook, on_delete=models.PROTECT, related_name="subscription", editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Only what this user sees is told, as the user may see it when it is sent.",
    )
    topics = models.JSONField("events", default=list)

    class Meta:
        verbose_name = "subscription"
        ordering = ("webhook__name", "pk")

    def __str__(self) -> str:
        return self.webhook.name


class SubscriptionPlace(models.Model):
    """How far a subscription was told of an object: a place in the changes feed, as its `Place` has it.

    `number` counts the pages that were told; it makes names for events that no entry of the audit trail is behind.
    """

    subscription = models.ForeignKey(
        RecordSubscription, on_delete=models.CASCADE, related_name="places", db_index=False
    )
    object_name = models.CharField(max_length=100)
    sight = models.CharField(max_length=64, blank=True, default="", help_text="what the user saw; empty: told anew")
    told = models.TextField()
    until = models.TextField(blank=True, default="")
    after = models.CharField(max_length=40, blank=True, default="")
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("subscription", "object_name"), name="one_place_per_subscribed_object"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.object_name}"


class SwitchOffNotice(models.Model):
    """That a subscription was switched off, and why. It waits for its e-mail, and goes when it is switched on again."""

    subscription = models.OneToOneField(RecordSubscription, on_delete=models.CASCADE, related_name="notice")
    at = models.DateTimeField()
    reason = models.TextField()
    is_mailed = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.TextField(blank=True, default="", help_text="why the e-mail was not sent")

    def __str__(self) -> str:
        return f"{self.subscription}: {self.reason}"
