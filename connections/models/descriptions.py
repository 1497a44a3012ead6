"""What an organisation has said of its objects and fields, and what of it has changed since."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from connections.choices import DescribedAspect, DescriptionOrigin
from connections.crmdescription import KnownObjects, read_json
from connections.models.connections import Connection


class CrmObjectList(models.Model):
    """The objects of a connection's organisation: their labels by name, as its user sees them."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="crm_objects")
    labels = models.JSONField(default=dict)
    listed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Objects of {self.connection}"


class CrmObjectDescription(models.Model):
    """An object of a connection's organisation with its fields, as it was described last.

    `content` is what `connections.crmdescription.read_json` reads; of an object that is no longer described it is what
    was described last.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="crm_descriptions")
    name = models.CharField(max_length=80)
    content = models.JSONField(default=dict)
    is_missing = models.BooleanField(default=False)
    described_at = models.DateTimeField()
    origin = models.CharField(max_length=20, choices=DescriptionOrigin.choices)
    described_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("name",)
        constraints: ClassVar = [
            models.UniqueConstraint("connection", Lower("name"), name="crm_object_described_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.connection}"


class CrmFieldChange(models.Model):
    """Something that the organisation describes otherwise than before. It is shown until somebody has seen it."""

    description = models.ForeignKey(CrmObjectDescription, on_delete=models.CASCADE, related_name="changes")
    field = models.CharField(max_length=255, blank=True, default="", help_text="empty: the object itself")
    aspect = models.CharField(max_length=20, choices=DescribedAspect.choices)
    before = models.TextField(blank=True, default="")
    after = models.TextField(blank=True, default="")
    noticed_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-noticed_at", "field", "aspect", "id")

    def __str__(self) -> str:
        return f"{self.description.name}.{self.field}: {self.get_aspect_display()}"


def read_known_objects(connection: Connection) -> KnownObjects:
    """Return what is stored of the connection's organisation; takes two statements."""
    rows = list(CrmObjectDescription.objects.filter(connection=connection))
    listed = CrmObjectList.objects.filter(connection=connection).first()
    return KnownObjects(
        described={row.name.lower(): None if row.is_missing else read_json(row.content) for row in rows},
        labels=listed.labels if listed else {},
        described_at=max((row.described_at for row in rows), default=None),
    )
