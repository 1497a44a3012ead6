"""User exceptions: messages of runs, with an item for each record that failed."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from connections.models import Connection, Integration
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobDefinition, JobRun
from exceptions_log.choices import ErrorType


class ExceptionMessage(models.Model):
    """The failures of one run of one integration, or of a job that transfers nothing.

    At most one message of each integration, or of such a job, is Active: that of its last run, with all that still
    fails.
    """

    object_name = "exception_message__sys"

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, null=True, blank=True, related_name="exception_messages"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, null=True, blank=True, related_name="exception_messages"
    )
    job = models.ForeignKey(
        JobDefinition, on_delete=models.PROTECT, null=True, blank=True, related_name="exception_messages"
    )
    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, related_name="exception_messages")
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.INACTIVE)
    # How many items failed when the run ended. Those that fail on have gone on to later messages.
    failed_count = models.PositiveIntegerField("failed items", default=0, editable=False)
    created_at = models.DateTimeField("created date")

    class Meta:
        verbose_name = "user exception message"
        verbose_name_plural = "user exception messages"
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("integration",),
                condition=Q(status=RecordStatus.ACTIVE),
                name="one_active_message_per_integration",
            ),
            models.UniqueConstraint(
                fields=("job",), condition=Q(status=RecordStatus.ACTIVE), name="one_active_message_per_job"
            ),
            models.CheckConstraint(
                condition=Q(integration__isnull=False, connection__isnull=False, job__isnull=True)
                | Q(integration__isnull=True, connection__isnull=True, job__isnull=False),
                name="message_is_of_an_integration_or_a_job",
            ),
        ]

    def __str__(self) -> str:
        return self.name


# Beginning of the key of an item that concerns a whole integration instead of a record.
INTEGRATION_KEY = "integration:"
OPEN = Q(resolved_at__isnull=True, dismissed_at__isnull=True)
DISMISSED = Q(resolved_at__isnull=True, dismissed_at__isnull=False)
RESOLVED = Q(resolved_at__isnull=False)
_HAS_ONE_SCOPE = Q(integration__isnull=False, job__isnull=True) | Q(integration__isnull=True, job__isnull=False)


class FailureFields(models.Model):
    """What is known of a failure of a record, or of a whole integration; it has the same `key` in every run.

    `cause` is equal for all failures that are one problem: it names the error and its field or rule, and no value of
    the record. `record_version` and `dependency_version` (from the versions of related records on which the payload
    depends) give the state in which a Vault record failed; both are None for a deletion that the CRM refused to show.
    The state of a CRM record is its `item_data`.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    # The scope, exactly one of both. The constraints of scope and key are the index.
    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, null=True, blank=True, editable=False, db_index=False, related_name="+"
    )
    job = models.ForeignKey(
        JobDefinition, on_delete=models.PROTECT, null=True, blank=True, editable=False, db_index=False, related_name="+"
    )
    key = models.CharField(max_length=80, editable=False)
    name = models.CharField("exception item name", max_length=255)
    error_type = models.CharField(max_length=32, choices=ErrorType.choices)
    error_message = models.TextField()
    cause = models.CharField("problem", max_length=255, blank=True, default="")
    item = models.CharField(max_length=255)
    item_data = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    record_object = models.CharField(max_length=80, blank=True, default="")
    record_uid = models.UUIDField(null=True, db_index=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    record_version = models.PositiveIntegerField(null=True, editable=False)
    dependency_version = models.PositiveBigIntegerField(null=True, editable=False)
    last_failed_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Failure(FailureFields):
    """A failure of a run that is still at work; users do not see it. When the run ends, it becomes an item."""

    class Meta:
        constraints: ClassVar = [
            # A record that is tried twice in one run fails once.
            models.UniqueConstraint(fields=("integration", "key"), name="failure_once_per_integration"),
            models.UniqueConstraint(fields=("job", "key"), name="failure_once_per_job"),
            models.CheckConstraint(condition=_HAS_ONE_SCOPE, name="failure_is_of_an_integration_or_a_job"),
        ]


class ExceptionItem(FailureFields):
    """A failure from its first to its last run: one row, whose `message` is that of the last run in which it failed.

    It is open, or dismissed, until it is resolved: its record was transferred, or changed after it was dismissed. What
    fails again after that is a new item.
    """

    object_name = "exception_item__sys"

    message = models.ForeignKey(ExceptionMessage, on_delete=models.PROTECT, related_name="items")
    attempts = models.PositiveIntegerField(default=1)
    first_failed_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    dismissal_reason = models.CharField(max_length=500, blank=True, default="")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        JobRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name="resolved by run"
    )

    class Meta:
        verbose_name = "user exception item"
        verbose_name_plural = "user exception items"
        ordering = ("message", "id")
        indexes: ClassVar = [
            models.Index(fields=("record_uid",), condition=DISMISSED, name="dismissal_in_force"),
            models.Index(fields=("resolved_at",), name="exception_item_resolved"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("integration", "key"),
                condition=Q(resolved_at__isnull=True),
                name="one_unresolved_item_per_integration",
            ),
            models.UniqueConstraint(
                fields=("job", "key"), condition=Q(resolved_at__isnull=True), name="one_unresolved_item_per_job"
            ),
            models.CheckConstraint(condition=_HAS_ONE_SCOPE, name="item_is_of_an_integration_or_a_job"),
            models.CheckConstraint(
                condition=Q(dismissed_at__isnull=True) | ~Q(dismissal_reason=""),
                name="dismissal_has_a_reason",
                violation_error_message="Dismissal reason: say why this item needs no correction.",
            ),
        ]

    @property
    def concerns_integration(self) -> bool:
        """Whether a whole integration or connection failed, instead of a record."""
        return self.key.startswith(INTEGRATION_KEY)

    @property
    def is_dismissed(self) -> bool:
        """Whether a dismissal is in force."""
        return self.dismissed_at is not None and self.resolved_at is None

    @property
    def is_open(self) -> bool:
        """Whether it still fails, and nobody dismissed it. Its message is Active then."""
        return self.dismissed_at is None and self.resolved_at is None
