"""When a connection is transferred."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from connections.models.connections import Connection
from ctms.core.models import AuditedModel
from ctms.jobs.models import ScheduleFields


class ConnectionSchedule(AuditedModel, ScheduleFields):
    """When a connection is transferred, if not by the schedule of the transfer job."""

    object_name = "connection__sys"

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="schedule")
    is_own = models.BooleanField(
        "schedule of its own",
        default=False,
        help_text="Otherwise the connection follows the schedule of the transfer job.",
    )

    class Meta:
        verbose_name = "connection schedule"
        verbose_name_plural = "connection schedules"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(minute__lte=59) & Q(hour__lte=23), name="connection_time_is_a_time"),
        ]

    def __str__(self) -> str:
        return f"Schedule of {self.connection}"
