"""Job definitions, their clocks and runs, and the leases that keep two workers from doing the same work."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_now
from ctms.core.models import AuditedModel
from ctms.core.zones import is_zone
from ctms.jobs.choices import UNFINISHED_STATES, Frequency, RunState, RunTrigger, Weekday
from ctms.jobs.cron import CronError, parse_cron


class ScheduleFields(models.Model):
    """When something is due, by the clocks of a time zone; see `ctms.jobs.schedules`."""

    frequency = models.CharField(max_length=20, choices=Frequency.choices, default=Frequency.HOURLY)
    minute = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(59)], help_text="0–59")
    hour = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(23)], help_text="0–23; not used if it is due every hour"
    )
    weekday = models.PositiveSmallIntegerField(
        choices=Weekday.choices, default=Weekday.MONDAY, help_text="used if it is due every week"
    )
    cron = models.CharField(
        "cron expression",
        max_length=100,
        blank=True,
        default="",
        help_text="Five fields: minute, hour, day of month, month, day of week.",
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="Hours, days and weekdays are those of clocks there."
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        self.cron = " ".join(self.cron.split())
        if not is_zone(self.time_zone):
            raise ValidationError(
                {"time_zone": f"{self.time_zone!r} is no time zone. Choose one by its city, such as Europe/Paris."}
            )
        if self.frequency != Frequency.CRON and not self.cron:
            return
        try:
            parse_cron(self.cron)
        except CronError as error:
            raise ValidationError({"cron": str(error)}) from None


class JobDefinition(AuditedModel, ScheduleFields):
    """A job that admins activate, reschedule and start. Its code is the handler that is registered under `key`."""

    object_name = "admin:jobs"

    key = models.CharField(max_length=80, unique=True, editable=False)
    name = models.CharField(max_length=128)
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.INACTIVE)
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


class JobClock(models.Model):
    """When a job is due next. It is updated conditionally, so that only one of two beats dispatches the job."""

    definition = models.OneToOneField(JobDefinition, on_delete=models.CASCADE, related_name="clock")
    next_run_at = models.DateTimeField()
    counted_from = models.DateTimeField(
        default=get_now, help_text="since when the job is expected to run as it is scheduled"
    )
    counted_after = models.PositiveBigIntegerField(
        default=0, help_text="the number of the newest run at that moment: only what later runs did counts"
    )
    notified_at = models.DateTimeField(null=True, blank=True, help_text="when people were told that it is overdue")

    def __str__(self) -> str:
        return f"{self.definition} next at {format_time(self.next_run_at)}"


class UnitClock(models.Model):
    """When a unit with a schedule of its own is due next; it is updated conditionally, as that of a job.

    `schedule` identifies the schedule for which it was computed: if the unit has another one, the clock starts anew.
    """

    definition = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="unit_clocks", db_index=False)
    unit_key = models.CharField(max_length=80)
    schedule = models.CharField(max_length=255)
    next_run_at = models.DateTimeField()
    counted_from = models.DateTimeField(default=get_now)
    counted_after = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("definition", "unit_key"), name="one_clock_per_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.definition} for {self.unit_key} next at {format_time(self.next_run_at)}"


class JobRun(models.Model):
    """One run of a job for one unit of its work (for the transfer: one connection)."""

    object_name = "admin:jobs"

    # No index of its own: the indexes below begin with it.
    definition = models.ForeignKey(JobDefinition, on_delete=models.PROTECT, related_name="runs", db_index=False)
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
            # For the last run of each job, which the list of jobs shows.
            models.Index(fields=("definition", "-id"), name="run_by_definition"),
            # For the last success of each unit, which every dispatch reads.
            models.Index(fields=("definition", "unit_key", "state", "finished_at"), name="run_by_unit_and_state"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("definition", "unit_key"),
                condition=Q(state__in=UNFINISHED_STATES),
                name="one_unfinished_run_per_unit",
            ),
        ]

    def __str__(self) -> str:
        unit = f" · {self.unit_label}" if self.unit_label else ""
        return f"{self.definition}{unit} · {format_time(self.slot)}"

    def describe_cancellation(self) -> str:
        """Return a sentence saying who cancelled the run, and when."""
        return f"{self.cancel_requested_by} cancelled it at {format_time(self.cancel_requested_at)}."


class Lease(models.Model):
    """The right of one run to work on something. `token` is a fencing number: it grows by owner.

    Every renewal clears what observers noted; see `find_dead_leases` in ctms/jobs/leases.py.
    """

    key = models.CharField(max_length=170, unique=True)
    token = models.PositiveBigIntegerField(default=0)
    run = models.ForeignKey(JobRun, on_delete=models.PROTECT, null=True, related_name="leases")
    is_held = models.BooleanField(default=False)
    observed_at = models.DateTimeField(
        null=True, blank=True, help_text="when somebody last looked for a sign of life; empty since the last one"
    )
    silent_seconds = models.FloatField(default=0, help_text="how long it has been observed without a sign of life")
    progress = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return self.key


class SignOfLife(models.Model):
    """When something last gave a sign of life, by the database's clock: `ticks`, which beat sends and a worker does."""

    name = models.CharField(max_length=40, unique=True)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "sign of life"
        verbose_name_plural = "signs of life"

    def __str__(self) -> str:
        return f"{self.name} {format_time(self.seen_at)}"
