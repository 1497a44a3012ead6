"""User exceptions: what could not be transferred and why, kept until it can."""

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
    """All that still failed when one run of one integration ended, or of a job that transfers nothing.

    At most one of an integration, or of such a job, is Active.
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
    # A run collects its items in a draft, which becomes the Active message only when the run ends.
    is_draft = models.BooleanField(default=True, editable=False)
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
            models.CheckConstraint(
                condition=Q(is_draft=False) | Q(status=RecordStatus.INACTIVE), name="draft_message_is_inactive"
            ),
        ]

    def __str__(self) -> str:
        return self.name


# How the key of an item begins that stands for a whole integration, not for a record.
INTEGRATION_KEY = "integration:"
IN_FORCE = Q(dismissed_at__isnull=False, dismissal_lapsed_at__isnull=True)


class ExceptionItem(models.Model):
    """One record, or one whole integration, that failed. `key` tells it apart and follows it from run to run.

    In which state a record of the Vault failed is told by `record_version` and `dependency_version`, the sum of
    versions of the records whose values the payload shows; a deletion that could not be shown has neither. Of a record
    of the CRM, `item_data` tells it. A dismissal is in force for that state alone: it lapses when the record changes.
    """

    object_name = "exception_item__sys"

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    message = models.ForeignKey(ExceptionMessage, on_delete=models.PROTECT, related_name="items")
    key = models.CharField(max_length=80, editable=False)
    name = models.CharField("exception item name", max_length=255)
    error_type = models.CharField(max_length=32, choices=ErrorType.choices)
    error_message = models.TextField()
    item = models.CharField(max_length=255)
    item_data = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    record_object = models.CharField(max_length=80, blank=True, default="")
    record_uid = models.UUIDField(null=True, db_index=True)
    crm_id = models.CharField("CRM id", max_length=18, blank=True, default="")
    record_version = models.PositiveIntegerField(null=True, editable=False)
    dependency_version = models.PositiveBigIntegerField(null=True, editable=False)
    attempts = models.PositiveIntegerField(default=1)
    first_failed_at = models.DateTimeField()
    last_failed_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    dismissal_reason = models.CharField(max_length=500, blank=True, default="")
    dismissal_lapsed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "user exception item"
        verbose_name_plural = "user exception items"
        ordering = ("message", "id")
        indexes: ClassVar = [models.Index(fields=("record_uid",), condition=IN_FORCE, name="dismissal_in_force")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("message", "key"), name="exception_item_once_per_message"),
            models.CheckConstraint(
                condition=Q(dismissed_at__isnull=True) | ~Q(dismissal_reason=""),
                name="dismissal_has_a_reason",
                violation_error_message="Dismissal reason: say why this item needs no correction.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def concerns_integration(self) -> bool:
        """Whether a whole integration, or connection, failed and not a record of it."""
        return self.key.startswith(INTEGRATION_KEY)

    @property
    def is_dismissed(self) -> bool:
        """Whether a dismissal is in force."""
        return self.dismissed_at is not None and self.dismissal_lapsed_at is None

    @property
    def is_open(self) -> bool:
        """Whether it failed in the most recent run and is not dismissed."""
        return self.message.status == RecordStatus.ACTIVE and self.dismissed_at is None
