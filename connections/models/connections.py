"""A connection to one Medical CRM organisation."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from connections.models.authorizations import ConnectionAuthorization
from connections.models.call_limits import CallLimitFields
from connections.models.callback_settings import CALLBACK_CONSTRAINTS, CallbackFields
from connections.models.pauses import PAUSE_CONSTRAINTS, PauseFields
from connections.validators import clean_connection_url, validate_connection_url
from ctms.core.choices import RecordStatus
from ctms.core.models import VaultRecord

MAX_CONNECTIONS = 10

validate_api_name = RegexValidator(
    r"^[a-z][a-z0-9_]{0,60}__(c|v|sys)\Z", "Use small letters, digits and underscores, ending in __c, e.g. na_crm__c."
)


class Connection(VaultRecord, CallLimitFields, PauseFields, CallbackFields):
    """One of at most ten connections; the unique `slot` makes the database enforce this limit."""

    object_name = "connection__sys"

    api_name = models.CharField("API name", max_length=80, unique=True, blank=True, validators=[validate_api_name])
    slot = models.PositiveSmallIntegerField(unique=True, editable=False)
    url = models.CharField(
        "URL",
        max_length=255,
        blank=True,
        default="",
        validators=[validate_connection_url],
        help_text="https:// and the organisation's host name, e.g. https://your-org.my.salesforce.com",
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
    description = models.CharField(max_length=500, blank=True, default="")
    contact_email = models.EmailField(blank=True, default="")
    # A copy: what fits one organisation need not fit another, so it is tested before its first run.
    awaits_test = models.BooleanField("waits for its first test", default=False, editable=False)

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
            *PAUSE_CONSTRAINTS,
            *CALLBACK_CONSTRAINTS,
            # Without URL there is only what is not finished yet, such as the connection that a new Vault comes with.
            models.UniqueConstraint(
                fields=("url",),
                condition=~Q(url=""),
                name="connection_url_once",
                violation_error_code="unique",
                violation_error_message="Another connection leads to this organisation; calls would be received twice.",
            ),
            models.CheckConstraint(condition=Q(url="") | Q(url__startswith="https://"), name="connection_url_is_https"),
            models.CheckConstraint(
                condition=~Q(url="") | Q(status=RecordStatus.INACTIVE),
                name="active_connection_has_url",
                violation_error_message="A connection without URL cannot be Active: it leads nowhere. Edit it, and "
                "enter the URL of the CRM organisation; on Save it becomes Active.",
            ),
            models.CheckConstraint(
                condition=Q(awaits_test=False) | ~Q(status=RecordStatus.ACTIVE),
                name="copy_is_tested_before_it_is_active",
                violation_error_message="A copied connection has to pass its test before it is activated: choose its "
                "Authorization, then use Test Connection.",
            ),
        ]

    def prepare_for_save(self) -> None:
        super().prepare_for_save()
        # The normal form makes the unique constraint effective; the validator reports what is no URL.
        if self.url:
            with contextlib.suppress(ValidationError):
                self.url = clean_connection_url(self.url)
        if not self.api_name:
            letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.name.lower()).strip("_")
            self.api_name = f"{letters[:60] or 'connection'}__c" if letters[:1].isalpha() else f"c_{letters[:58]}__c"
