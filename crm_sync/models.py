"""What the transfer stores: links between records, matches of persons and accounts, and counts of its runs.

And what the reconciliation and the preview store: their counts, and a row for each difference or each change foreseen.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from connections.models import Connection, FieldRule, Integration
from crm_sync.alert_models import AlertMail, AlertNotice, AlertSettings, ConnectionAlert, ConnectionStanding
from crm_sync.choices import AttemptOutcome, IntegrationRunState, LinkState, PreviewOutcome, RecordWord
from ctms.clinical.models import Person
from ctms.core.clock import format_time, get_now
from ctms.core.errors import UnauditedWriteError
from ctms.jobs.models import JobRun

__all__ = ["AlertMail", "AlertNotice", "AlertSettings", "ConnectionAlert", "ConnectionStanding"]


class OrganisationProgress(models.Model):
    """The CRM organisation of a connection, and how far changes of identifiers on both sides were followed there.

    An organisation belongs to one connection, because two would receive every call twice.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="organisation_progress")
    organisation_id = models.CharField(max_length=15, null=True, unique=True)  # noqa: DJ001  unique where it is known
    accounts_watermark = models.DateTimeField(null=True, help_text="greatest SystemModstamp of the accounts read")
    accounts_read_at = models.DateTimeField(null=True, help_text="the CRM's clock when changed accounts were last read")
    accounts_compared_at = models.DateTimeField(null=True, help_text="when all known accounts were last compared")
    persons_bookmark = models.TextField(
        blank=True, default="", editable=False, help_text="place in the audit trail up to which persons were compared"
    )
    # API calls in 24 hours, as the CRM's last answer to a transfer had them; None if it does not say.
    calls_used = models.PositiveBigIntegerField(null=True)
    calls_allowed = models.PositiveBigIntegerField(null=True)
    calls_read_at = models.DateTimeField(null=True)
    # By the header Date of the CRM's last answer to a transfer; None if it had none. Shown, and nothing goes by it.
    clock_offset = models.IntegerField(null=True, help_text="seconds that the Vault's clock is ahead of the CRM's")
    own_calls = models.JSONField(
        default=dict, db_default={}, help_text="calls of the connection's transfers by hour (UTC)"
    )

    class Meta:
        verbose_name_plural = "organisation progress"

    def __str__(self) -> str:
        return f"{self.connection}: {self.organisation_id or 'no organisation yet'}"


class TransferLink(models.Model):
    """The link between a Vault record and a CRM record in one integration.

    `version` and `dependency_version` (from the versions of related records on which the payload depends) and `digest`
    (of the payload) describe the state that the CRM has. The next run takes a `pending` record again: it failed, waits
    for a parent, or has to be sent again.
    """

    # No index of its own: the unique indexes below begin with it, and a further index misleads a query planner that has
    # no statistics yet.
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="links", db_index=False)
    record_uid = models.UUIDField(null=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    version = models.PositiveIntegerField(default=0)
    dependency_version = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")
    # Text last sent to the field that marks a deletion; the deletion value is appended to it.
    deletion_base = models.TextField(blank=True, default="")
    # The account of a received call, by which its person was found.
    account_id = models.CharField(max_length=18, blank=True, default="")
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
            models.Index(fields=("account_id", "integration"), condition=~Q(account_id=""), name="link_account"),
        ]

    def __str__(self) -> str:
        return f"{self.record_uid} ↔ {self.crm_id or '–'}"


class AttemptQuerySet(models.QuerySet["TransferAttempt"]):
    """A query set that adds and reads; old attempts are removed by Housekeeping alone, as configured."""

    def update(self, **kwargs: Any) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError("Attempts of the transfer are never changed.")


class TransferAttempt(models.Model):
    """One attempt to transfer one record, written in the transaction of its batch and never changed.

    `values` are those that were sent, by field of the CRM, or received, by field of the Vault.
    """

    at = models.DateTimeField(default=get_now)
    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, related_name="attempts")
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="attempts")
    record_uid = models.UUIDField(null=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    outcome = models.CharField(max_length=10, choices=AttemptOutcome.choices)
    error_code = models.CharField(max_length=80, blank=True, default="")
    values = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar = [
            models.Index(fields=("record_uid", "-id"), name="attempt_record"),
            models.Index(fields=("crm_id", "-id"), name="attempt_crm_id"),
            models.Index(fields=("at",), name="attempt_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} {self.crm_id or self.record_uid}"


class AccountMatch(models.Model):
    """The account of a person in one CRM organisation, found by the identifier `value` at `checked_at`."""

    # No index of its own: the unique index below begins with it.
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


class FieldLength(models.Model):
    """How many UTF-16 units the CRM keeps of what a field rule sends, as the CRM described the field.

    `crm_field` is the field that was described, as `Object.Field`: a rule that names another one since has no known
    length. `known_since` is when this length was first described.
    """

    field_rule = models.OneToOneField(FieldRule, on_delete=models.CASCADE, related_name="crm_length")
    crm_field = models.CharField("CRM field", max_length=241)
    length = models.PositiveIntegerField()
    known_since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.crm_field}: {self.length}"


class IntegrationRun(models.Model):
    """Counts of one integration in one run; every selected record is counted exactly once."""

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
    # How many of them were answered in which time, by bucket of `crm_sync.crm.call_times`.
    call_times = models.JSONField(default=dict, db_default={})

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


class Reconciliation(models.Model):
    """One comparison of all records of a connection with the rows of its CRM.

    `counts` are numbers of records as `{integration kind: {word: number}}`; `errors` says by integration kind why an
    integration could not be compared. `unexplained` is the number of differences. Until it is finished it is not shown.
    """

    # No index of its own: the index below begins with it.
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="reconciliations", db_index=False)
    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, related_name="reconciliations")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    errors = models.JSONField(default=dict)
    unexplained = models.PositiveIntegerField(default=0)
    api_calls = models.PositiveIntegerField("API calls", default=0)

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar = [models.Index(fields=("connection", "-id"), name="reconciliation_by_connection")]

    def __str__(self) -> str:
        return f"{self.connection}: {self.unexplained} unexplained"

    @property
    def is_proof(self) -> bool:
        """Whether every integration was compared and nothing is unexplained."""
        return self.finished_at is not None and not self.unexplained and not self.errors


class Difference(models.Model):
    """A record that a reconciliation could not explain; `fields` are `{field: [value here, value there]}`.

    The differences of a connection are replaced by those of its next reconciliation.
    """

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="differences")
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="differences")
    record_uid = models.UUIDField(null=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    name = models.CharField(max_length=255)
    word = models.CharField(max_length=20, choices=RecordWord.choices)
    fields = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    # It was repaired since: the next transfer sends or reads the record again.
    is_repaired = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        indexes: ClassVar = [models.Index(fields=("reconciliation", "word", "id"), name="difference_by_word")]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_word_display()}"


class TransferPreview(models.Model):
    """What the next transfer of a connection would do, as foreseen by a dry run; only the newest is kept.

    `counts` are numbers of records as `{integration kind: {column of IntegrationRun: number}}`; `errors` says by
    integration kind why an integration would fail, under the empty kind why the connection would. Until it is finished
    it is not shown.
    """

    # No index of its own: the index below begins with it.
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="previews", db_index=False)
    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, related_name="previews")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    errors = models.JSONField(default=dict)

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar = [models.Index(fields=("connection", "-id"), name="preview_by_connection")]

    def __str__(self) -> str:
        return f"{self.connection}: preview of {format_time(self.started_at)}"


class PreviewRow(models.Model):
    """A record that the next transfer would not leave unchanged.

    `fields` are `{field: [value now, value then]}` of the side that would be written; `reason` says why a record would
    fail or wait.
    """

    # No index of its own: the indexes below begin with it.
    preview = models.ForeignKey(TransferPreview, on_delete=models.CASCADE, related_name="rows", db_index=False)
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="preview_rows")
    outcome = models.CharField(max_length=10, choices=PreviewOutcome.choices)
    record_uid = models.UUIDField(null=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    name = models.CharField(max_length=255)
    reason = models.TextField(blank=True, default="")
    fields = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ("id",)
        indexes: ClassVar = [
            models.Index(fields=("preview", "id"), name="preview_row"),
            models.Index(fields=("preview", "integration", "outcome", "id"), name="preview_row_by_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_outcome_display()}"


class LiveProgress(models.Model):
    """How a connection that transfers as it happens stands: what the next tick has to do, and why it may wait.

    Minutes in which nothing was to be done have no run of their own; they are counted here.
    """

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="live_progress")
    is_fetch_due = models.BooleanField(default=False, help_text="the next run asks the CRM for calls")
    fetched_at = models.DateTimeField(null=True, help_text="when the CRM was asked for calls last, and answered")
    idle_runs = models.PositiveBigIntegerField(default=0)
    idle_calls = models.PositiveBigIntegerField(default=0, help_text="API calls of the runs with nothing to do")
    failures = models.PositiveSmallIntegerField(default=0, help_text="runs in a row that failed")
    last_error = models.TextField(blank=True, default="")
    ticks_to_wait = models.PositiveSmallIntegerField(default=0, help_text="ticks until the CRM is tried again")
    fell_back_at = models.DateTimeField(null=True, help_text="since when it is hourly, because API calls run short")
    calls_used = models.PositiveBigIntegerField(default=0)
    calls_allowed = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.connection}: as it happens"
