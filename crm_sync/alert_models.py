"""What is told about connections, to whom, and what has been told."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models

from connections.models import Connection
from crm_sync.choices import AlertMailState, ConnectionStateKey
from ctms.core.clock import get_now
from ctms.core.models import AuditedModel
from ctms.webhooks.models import Webhook

DEFAULT_PERCENT, RUNS_TO_ALERT, RUNS_TO_RECOVER = 10, 1, 2


class AlertSettings(AuditedModel):
    """Who is told about one connection, and from when on. A connection without such a row has the defaults."""

    object_name = "connection__sys"

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="alert_settings")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Is told by e-mail and in the Vault; empty: whoever created the connection.",
    )
    contacts = models.TextField(
        blank=True,
        default="",
        help_text="E-mail addresses, one a line. The contact e-mail of the connection is told as well.",
    )
    percent = models.PositiveSmallIntegerField(
        "percent of records",
        default=DEFAULT_PERCENT,
        validators=[MaxValueValidator(100)],
        help_text="Tell if more than so many percent of the records fail; 0: if one does.",
    )
    silent_hours = models.PositiveSmallIntegerField(
        "hours of silence",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 31)],
        help_text="Tell if no run has ended for so many hours; empty: for longer than the schedule allows.",
    )
    runs_to_alert = models.PositiveSmallIntegerField(
        "runs to alert",
        default=RUNS_TO_ALERT,
        validators=[MinValueValidator(1), MaxValueValidator(24)],
        help_text="Tell once so many runs in a row have ended like that.",
    )
    runs_to_recover = models.PositiveSmallIntegerField(
        "runs to recover",
        default=RUNS_TO_RECOVER,
        validators=[MinValueValidator(1), MaxValueValidator(24)],
        help_text="Tell that it works again once so many runs in a row have worked.",
    )
    webhook = models.OneToOneField(
        Webhook, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = "alert settings"
        verbose_name_plural = "alert settings"

    def __str__(self) -> str:
        return f"Alerts of {self.connection}"

    def clean(self) -> None:
        super().clean()
        self.contacts = "\n".join(self.list_contacts())
        for address in self.list_contacts():
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError(
                    {"contacts": f"{address} is no e-mail address. Enter one address a line."}
                ) from None

    def list_contacts(self) -> list[str]:
        """Return the addresses that were entered, each once."""
        found = self.contacts.replace(",", " ").replace(";", " ").split()
        return list({each.casefold(): each for each in found}.values())


class ConnectionStanding(models.Model):
    """What people were told last of a connection. `number` counts the alerts; it is updated conditionally.

    `told` is the state that was told, OK if all is well; `candidate` is another one that began with the run
    `candidate_run_id`, and is told once enough runs have ended like that.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="standing")
    number = models.PositiveIntegerField(default=0)
    told = models.CharField(max_length=20, choices=ConnectionStateKey.choices, default=ConnectionStateKey.OK)
    told_sentence = models.TextField(blank=True, default="")
    trouble_since = models.DateTimeField(null=True, help_text="when the trouble that was told began")
    candidate = models.CharField(max_length=20, choices=ConnectionStateKey.choices, blank=True, default="")
    candidate_run_id = models.PositiveBigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.connection}: {self.get_told_display()}"


class ConnectionAlert(models.Model):
    """A change of a connection that people are told of, once: the constraint lets one of several workers write it."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="alerts", db_index=False)
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=get_now)
    key = models.CharField(max_length=20, choices=ConnectionStateKey.choices)
    title = models.CharField(max_length=255)
    text = models.TextField()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("connection", "number"), name="one_alert_per_change"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_recovery(self) -> bool:
        return self.key == ConnectionStateKey.OK


class AlertMail(models.Model):
    """The e-mail of an alert to one address. It has this row before it is handed over, so that it is sent once."""

    alert = models.ForeignKey(ConnectionAlert, on_delete=models.CASCADE, related_name="mails", db_index=False)
    address = models.CharField(max_length=254)
    state = models.CharField(max_length=20, choices=AlertMailState.choices, default=AlertMailState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("alert", "address"), name="one_mail_per_alert_and_address"),
        ]

    def __str__(self) -> str:
        return f"{self.alert} to {self.address}"


class AlertNotice(models.Model):
    """The notification of an alert for one user in the Vault, until it is seen."""

    alert = models.ForeignKey(ConnectionAlert, on_delete=models.CASCADE, related_name="notices", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("alert", "user"), name="one_notice_per_alert_and_user"),
        ]

    def __str__(self) -> str:
        return f"{self.alert} for {self.user}"
