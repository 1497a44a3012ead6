"""Which Vault the database is, and the drills that showed whether its backups can be restored."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from ctms.core.clock import format_time
from ctms.core.models import AuditedModel
from ctms.core.standing import Role


class Installation(AuditedModel):
    """What was said of this database, and where it was said; there is only one row.

    `instance` and `place` are what the database was bound to: a name outside of it, and what tells the tables
    themselves from a copy of theirs (ctms/machine/places.py). Where they differ, the row was copied with the rest.
    """

    object_name = "admin:settings"

    role = models.CharField(
        max_length=20, choices=[(each.value, each.value) for each in Role], default=Role.VAULT.value
    )
    instance = models.CharField(max_length=255, blank=True, default="", editable=False)
    place = models.CharField(max_length=500, blank=True, default="", editable=False)
    restored_from = models.CharField(max_length=255, blank=True, default="", editable=False)
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    maintenance_since = models.DateTimeField(null=True, blank=True, editable=False)
    maintenance_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    maintenance_message = models.CharField(max_length=500, blank=True, default="")
    singleton = models.BooleanField(default=True, unique=True, editable=False)

    class Meta:
        verbose_name = "this Vault"
        verbose_name_plural = "this Vault"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(singleton=True), name="one_row_of_installation"),
            models.CheckConstraint(
                condition=Q(role__in=[each.value for each in Role]), name="installation_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return "This Vault"


class RestoreDrill(models.Model):
    """One drill: a backup was restored into a scratch database and compared with its manifest."""

    object_name = "admin:settings"

    backup = models.CharField(max_length=255, help_text="name of the backup's folder")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    succeeded = models.BooleanField()
    report = models.TextField(help_text="what was compared, and what differed")
    figures = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.backup} · {format_time(self.began_at)}"
