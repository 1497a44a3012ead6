"""A connection to one Medical CRM organisation."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from connections.models.authorizations import ConnectionAuthorization
from connections.validators import clean_connection_url, validate_connection_url
from ctms.core.models import AuditedModel, VaultRecord

MAX_CONNECTIONS = 10

validate_api_name = RegexValidator(
    r"^[a-z][a-z0-9_]{0,60}__(c|v|sys)\Z", "Use small letters, digits and underscores, ending in __c, e.g. na_crm__c."
)


class Connection(VaultRecord):
    """One of at most ten connections; the unique `slot` makes the database enforce this limit."""

    object_name = "connection__sys"

    api_name = models.CharField("API name", max_length=80, unique=True, blank=True, validators=[validate_api_name])
    slot = models.PositiveSmallIntegerField(unique=True, editable=False)
    url = models.CharField(
        "URL",
        max_length=255,
        unique=True,
        validators=[validate_connection_url],
        help_text="https:// and the organisation's host name, e.g. https://your-org.my.salesforce.com",
        error_messages={"unique": "Another connection leads to this organisation; calls would be received twice."},
    )
    authorization = models.ForeignKey(
        ConnectionAuthorization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        error_messages={
            "unique": "Another connection uses this Authorization, and its secrets are sent to that organisation "
            "alone. Choose or create another one."
        },
    )
    authorized_connection_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    description = models.CharField(max_length=500, blank=True, default="")
    contact_email = models.EmailField(blank=True, default="")
    connect_timeout = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(60)], help_text="seconds"
    )
    read_timeout = models.PositiveSmallIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(300)], help_text="seconds"
    )
    concurrency = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(1), MaxValueValidator(10)], help_text="requests at once"
    )
    quota_percent = models.PositiveSmallIntegerField(
        default=90,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="share of the organisation's daily API calls at which a transfer stops",
    )

    class Meta:
        verbose_name = "connection"
        verbose_name_plural = "connections"
        ordering = ("name",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(slot__gte=1) & Q(slot__lte=MAX_CONNECTIONS), name="at_most_ten_connections"
            ),
            models.UniqueConstraint(fields=("name",), name="connection_name_once"),
            models.UniqueConstraint(fields=("authorization",), name="authorization_of_one_connection"),
            models.CheckConstraint(condition=Q(url__startswith="https://"), name="connection_url_is_https"),
        ]

    def prepare_for_save(self) -> None:
        super().prepare_for_save()
        # The normal form makes the unique constraint effective; the validator reports what is no URL.
        with contextlib.suppress(ValidationError):
            self.url = clean_connection_url(self.url)
        if not self.api_name:
            letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.name.lower()).strip("_")
            self.api_name = f"{letters[:60] or 'connection'}__c" if letters[:1].isalpha() else f"c_{letters[:58]}__c"


class CrmConnectionIdentifierMapping(AuditedModel):
    """How one connection matches persons and accounts; each field overrides that of Application Settings."""

    object_name = "crm_connection_identifier_mapping__v"

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="identifier_mapping")
    clinical_person_identifier = models.CharField(
        "Clinical Person Identifier",
        max_length=80,
        blank=True,
        default="",
        help_text="API name of a Person field; empty: the one of Application Settings",
    )
    crm_account_identifier = models.CharField(
        "CRM Account Identifier", max_length=80, help_text="API name of the Account field in this organisation"
    )

    class Meta:
        verbose_name = "CRM connection identifier mapping"
        verbose_name_plural = "CRM connection identifier mappings"

    def __str__(self) -> str:
        return f"{self.connection}: {self.crm_account_identifier}"
