"""What the transfer remembers: which record is which in each CRM organisation, and what each run did."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from connections.models import Connection, Integration
from crm_sync.choices import IntegrationRunState, LinkState
from ctms.clinical.models import Person
from ctms.jobs.models import JobRun


class TransferLink(models.Model):
    """A record of the Vault and a record of the CRM that stand for each other in one integration.

    `version` and `dependency_version` (the sum of versions of the records whose values the payload shows) tell what the
    CRM has; `digest` is that of the payload. `pending`: the record failed or waits, and the next run takes it again.
    """

    # No index of its own: the unique ones below begin with it, and a second way in misleads a planner that has no
    # statistics yet.
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="links", db_index=False)
    record_uid = models.UUIDField(null=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    version = models.PositiveIntegerField(default=0)
    dependency_version = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")
    # Value sent last for the field that shows a deletion: the text that "Deleted" will be appended to.
    deletion_base = models.TextField(blank=True, default="")
    crm_modstamp = models.DateTimeField(null=True)
    state = models.CharField(max_length=20, choices=LinkState.choices, default=LinkState.LIVE)
    pending = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("integration", "record_uid"), name="link_once_per_record"),
            models.UniqueConstraint(
                fields=("integration", "crm_id"), condition=~Q(crm_id=""), name="link_once_per_crm_record"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=("integration",), condition=Q(pending=True), name="link_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.record_uid} ↔ {self.crm_id or '–'}"


class AccountMatch(models.Model):
    """The account of a person in one CRM organisation, as found by the identifier `value` at `checked_at`."""

    # No index of its own: the unique one below begins with it.
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="account_matches", db_index=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="account_matches")
    identifier = models.CharField(max_length=170, help_text="person field = account field")
    value = models.CharField(max_length=255)
    account_id = models.CharField(max_length=18)
    checked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "account matches"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("connection", "person"), name="one_account_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.person} → {self.account_id}"


class IntegrationRun(models.Model):
    """What one run did in one integration. Every selected record is in exactly one of the columns."""

    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, related_name="integration_runs")
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="runs")
    state = models.CharField(max_length=20, choices=IntegrationRunState.choices, default=IntegrationRunState.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    selected = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    received = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    api_calls = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("run", "integration"), name="integration_once_per_run"),
            models.CheckConstraint(
                condition=Q(selected=F("sent") + F("received") + F("unchanged") + F("failed") + F("blocked")),
                name="every_selected_record_is_counted_once",
            ),
            models.CheckConstraint(
                condition=Q(sent=F("created") + F("updated") + F("deleted") - F("received")),
                name="every_transferred_record_is_counted_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.integration}: {self.get_state_display()}"
