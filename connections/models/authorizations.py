"""Credentials of a dedicated integration user in a CRM organisation."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from connections.choices import Audience, GrantFlow
from ctms.core.fields import EncryptedTextField
from ctms.core.models import VaultRecord

BASIC_AUTH = "basic_auth__sys"


class ConnectionAuthorization(VaultRecord):
    """Username and secrets. *Set Password*, *Enter Connected App Details* and *Create Certificate* write the secrets.

    No page shows a secret.

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
    grant_flow = models.CharField(
        max_length=32, choices=GrantFlow.choices, default=GrantFlow.JWT_BEARER, editable=False
    )
    audience = models.CharField(max_length=16, choices=Audience.choices, default=Audience.MY_DOMAIN, editable=False)
    connected_app_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    connected_app_set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    # Certificates are PEM texts. The next one is a renewal with which nobody has logged in yet.
    private_key = EncryptedTextField()
    certificate = models.TextField(blank=True, default="", editable=False)
    next_private_key = EncryptedTextField()
    next_certificate = models.TextField(blank=True, default="", editable=False)
    certificate_origin = models.CharField(
        "organisation of the certificate", max_length=255, blank=True, default="", editable=False
    )
    certificate_created_at = models.DateTimeField(null=True, blank=True, editable=False)
    certificate_created_by = models.ForeignKey(
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
            models.CheckConstraint(
                condition=Q(next_certificate="") | ~Q(certificate=""),
                name="authorization_renews_a_certificate",
                violation_error_message="Certificate: there is none that could be renewed.",
            ),
        ]

    def prepare_for_save(self) -> None:
        self.object_type = self.object_type or BASIC_AUTH
        super().prepare_for_save()
