"""Call-back sessions: tokens with which a CRM reads the Vault as the Authorized Connection User of its connection."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from connections.models.connections import Connection
from ctms.accounts.models import TokenScope


class CallbackSession(models.Model):
    """One token that a run handed to the CRM. Only its digest is stored; the text exists in the run and in the CRM."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="callback_sessions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    origin = models.CharField(max_length=255)
    scope = models.CharField(max_length=10, choices=TokenScope.choices)
    digest = models.CharField(max_length=64, unique=True)
    run_reference = models.CharField("run", max_length=80, blank=True, default="")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    last_address = models.CharField("last address", max_length=45, blank=True, default="")
    revoked_at = models.DateTimeField(null=True)
    revoked_because = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name = "call-back session"
        ordering = ("-issued_at", "-id")
        indexes: ClassVar = [
            models.Index(
                fields=("connection", "expires_at"), condition=Q(revoked_at__isnull=True), name="callback_session_live"
            )
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(scope__in=TokenScope.values), name="callback_session_scope_is_known"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("issued_at")), name="callback_session_expires_after_issue"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection}: {self.user}"
