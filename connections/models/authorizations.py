"""Credentials of a dedicated integration user in a CRM organisation."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from connections.choices import GrantFlow
from ctms.core.fields import EncryptedTextField
from ctms.core.models import VaultRecord

BASIC_AUTH = "basic_auth__sys"


class ConnectionAuthorization(VaultRecord):
    """Username and secrets. *Set Password* and *Enter Connected App Details* write the secrets; no page shows them.

    See `connections.secret_origins` for the organisations that they are sent to.
    """

    object_name = "connection_authorization__sys"

    username = models.CharField(max_length=255)
    password = EncryptedTextField()
    password_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    password_set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    # URL of the organisation that a secret is sent to, and to no other; empty until a connection uses the secret.
    password_origin = models.CharField(
        "organisation of the password", max_length=255, blank=True, default="", editable=False
    )
    consumer_key = EncryptedTextField()
    consumer_secret = EncryptedTextField()
    connected_app_origin = models.CharField(
        "organisation of the connected app", max_length=255, blank=True, default="", editable=False
    )
    grant_flow = models.CharField(max_length=32, choices=GrantFlow.choices, default=GrantFlow.PASSWORD, editable=False)
    connected_app_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    connected_app_set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )

    class Meta:
        verbose_name = "connection authorization"
        verbose_name_plural = "connection authorizations"
        ordering = ("name",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(object_type=BASIC_AUTH),
                name="authorization_type_is_known",
                violation_error_message="Object type: choose Basic Auth.",
            ),
        ]

    def prepare_for_save(self) -> None:
        self.object_type = self.object_type or BASIC_AUTH
        super().prepare_for_save()
