from __future__ import annotations

from django.db import models

from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, Person, Study, StudySite
from ctms.configuration.study_record import StudyRecord
from ctms.core.models import VaultRecord


class Method(models.TextChoices):
    CLASSROOM = "classroom__v", "Classroom"
    ONLINE = "online__v", "Online"


class Training(VaultRecord):
    """A training of a person."""

    object_name = "training__v"

    trainee = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="trainings")
    date = models.DateField(null=True, blank=True)
    hours = models.PositiveSmallIntegerField(null=True, blank=True)
    method = models.CharField(max_length=20, choices=Method.choices, blank=True, default="")
    passed = models.BooleanField(default=False)
    remarks = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = "training"
        verbose_name_plural = "trainings"


class Deviation(StudyRecord):
    """A deviation from the protocol of a study. Its references are called otherwise than those of delivered objects."""

    object_name = "deviation__v"

    trial = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    location = models.ForeignKey(StudySite, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    visit = models.ForeignKey(MonitoringEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    witness = models.ForeignKey(
        MonitoringEventParticipant, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = "deviation"
        verbose_name_plural = "deviations"
