from __future__ import annotations

from django.db import models

from ctms.clinical.models import Person
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
