"""Job definitions, their runs, and the leases that keep two workers from doing one thing."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.models import AuditedModel
from ctms.jobs.choices import UNFINISHED_STATES, Frequency, RunState, RunTrigger, Weekday
from ctms.jobs.cron import CronError, parse_cron


class JobDefinition(AuditedModel):
    """A job that admins may activate, reschedule and start. What it does is registered code, found by `key`."""

    object_name = "admin:jobs"

    key = models.CharField(max_length=80, unique=True, editable=False)
    name = models.CharField(max_length=128)
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.INACTIVE)
    frequency = models.CharField(max_length=20, choices=Frequency.choices, default=Frequency.HOURLY)
    minute = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(59)], help_text="0–59")
    hour = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(23)], help_text="0–23 UTC; not used by hourly jobs"
    )
    weekday = models.PositiveSmallIntegerField(
        choices=Weekday.choices, default=Weekday.MONDAY, help_text="used by weekly jobs"
    )
    cron = models.CharField(
        "cron expression",
        max_length=100,
        blank=True,
        default="",
        help_text="Five fields: minute, hour, day of month, month, day of week. In UTC.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Is told by e-mail, beside the admins, when the job is overdue.",
    )

    class Meta:
        ordering = ("name",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(minute__lte=59) & Q(hour__lte=23), name="job_time_is_a_time"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.cron = " ".join(self.cron.split())
        if self.frequency != Frequency.CRON and not self.cron:
            return
        try:
            parse_cron(self.cron)
        except CronError as error:
            raise ValidationError({"cron": str(error)}) from None


class JobClock(models.Model):
    """When a job is due next. Claimed by conditional update, so that of two beats one dispatches."""

    definition = models.OneToOneField(JobDefinition, on_delete=models.CASCADE, related_name="clock")
    next_run_at = models.DateTimeField()
    counted_from = models.DateTimeField(
        default=get_now, help_text="since when the job is expected to run as it is scheduled"
    )
    notified_at = models.DateTimeField(null=True, blank=True, help_text="when people were told that it is overdue")

    def __str__(self) -> str:
        return f"{self.definition} next at {self.next_run_at:%Y-%m-%d %H:%M} UTC"


class JobRun(models.Model):
    """One run of a job for one unit of its work (for the transfer: one connection)."""

    object_name = "admin:jobs"

    definition = models.ForeignKey(JobDefinition, on_delete=models.PROTECT, related_name="runs")
    unit_key = models.CharField(max_length=80, blank=True, default="")
    unit_label = models.CharField(max_length=128, blank=True, default="")
    slot = models.DateTimeField(help_text="the time it was due")
    attempt = models.PositiveSmallIntegerField(default=1)
    trigger = models.CharField(max_length=20, choices=RunTrigger.choices, default=RunTrigger.SCHEDULE)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.QUEUED, db_index=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict, blank=True)
    message = models.TextField(blank=True, default="", help_text="how it ended, in a sentence")
    log = models.TextField(blank=True, default="")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar = [
            # The last success of each unit, asked by every tick.
            models.Index(fields=("definition", "unit_key", "state", "finished_at"), name="run_by_unit_and_state"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("definition", "unit_key", "slot", "attempt"), name="job_run_once_per_unit_and_slot"
            ),
            models.UniqueConstraint(
                fields=("definition", "unit_key"),
                condition=Q(state__in=UNFINISHED_STATES),
                name="one_unfinished_run_per_unit",
            ),
        ]

    def __str__(self) -> str:
        unit = f" · {self.unit_label}" if self.unit_label else ""
        return f"{self.definition}{unit} · {self.slot:%Y-%m-%d %H:%M} UTC"


class Lease(models.Model):
    """The right to work on one thing for a while. `token` goes up with every owner: a fencing number."""

    key = models.CharField(max_length=170, unique=True)
    token = models.PositiveBigIntegerField(default=0)
    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, null=True, related_name="leases")
    expires_at = models.DateTimeField()
    progress = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return self.key
