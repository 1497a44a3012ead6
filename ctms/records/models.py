"""Models of what belongs to a user: saved views, list preferences, favourites, bulk operations."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from ctms.core.tracking import TrackedModel, TrackedQuerySet
from ctms.records.choices import OperationKind, OperationState, ProblemKind


class SavedView(TrackedModel):
    """A list that a user saved. `parameters` is the query string with filters, search and sort.

    Those that are shared are in the audit trail, because others work with them.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    of_object = models.CharField("object", max_length=80)
    name = models.CharField(max_length=80)
    parameters = models.CharField(max_length=4000, blank=True, default="")
    columns = models.JSONField(default=list, blank=True)
    is_shared = models.BooleanField("shared with everybody", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TrackedQuerySet.as_manager()

    audit_name = "records.saved_view"
    bookkeeping_fields = frozenset({"id", "uid", "created_at"})

    class Meta:
        ordering = ("name", "id")
        base_manager_name = "objects"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("user", "of_object", "name"),
                name="saved_view_named_once",
                violation_error_message="Name: you have a view of this name. Choose another, or replace that one.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_tracked(self) -> bool:
        return self.is_shared


class ListPreference(models.Model):
    """How a user sees the list of an object, unless its address says otherwise."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="list_preferences")
    of_object = models.CharField("object", max_length=80)
    columns = models.JSONField(default=list, blank=True)
    page_size = models.PositiveSmallIntegerField(default=50)
    default_view = models.ForeignKey(SavedView, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "of_object"), name="one_list_preference_per_object"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.of_object}"


class Favourite(models.Model):
    """A record that a user marked with a star."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites")
    of_object = models.CharField("object", max_length=80)
    record_uid = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "record_uid"), name="favourite_once_per_record"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.record_uid}"


class RecentView(models.Model):
    """A record that a user opened recently, and when."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recent_views")
    of_object = models.CharField("object", max_length=80)
    record_uid = models.UUIDField()
    viewed_at = models.DateTimeField()

    class Meta:
        ordering = ("-viewed_at", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "record_uid"), name="recent_view_once_per_record"),
        ]
        indexes: ClassVar = [models.Index(fields=("user", "-viewed_at"), name="recent_view_by_user")]

    def __str__(self) -> str:
        return f"{self.user}: {self.record_uid}"


class BulkOperation(models.Model):
    """A bulk edit or import that a user asks for and a job does, kept with its outcome."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bulk_operations")
    of_object = models.CharField("object", max_length=80)
    kind = models.CharField(max_length=20, choices=OperationKind.choices)
    state = models.CharField(max_length=20, choices=OperationState.choices, default=OperationState.DRAFT)
    # The values of an edit, until the work is done; the columns, matching and mode of an import.
    plan = models.JSONField(default=dict, blank=True)
    # The uids of an edit, one per line, or the file of an import. Emptied when the work is done.
    content = models.TextField(blank=True, default="")
    # What its user was shown of each row, one per line (see bulk/basis.py). Emptied when the work is done.
    basis = models.TextField(blank=True, default="")
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)  # outcome → rows
    message = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # When its user saw that it waits for them or has ended; until then it is among their notifications.
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar = [
            models.Index(fields=("state",), name="operation_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.of_object}"


class OperationProblem(models.Model):
    """A reason why a row of an operation was not, or cannot be, written; or a warning about a row that is."""

    operation = models.ForeignKey(BulkOperation, on_delete=models.CASCADE, related_name="problems")
    kind = models.CharField(max_length=20, choices=ProblemKind.choices, default=ProblemKind.ERROR)
    position = models.PositiveIntegerField(help_text="line of the file, or number of the record")
    record_uid = models.UUIDField(null=True, blank=True)
    record_name = models.CharField(max_length=255, blank=True, default="")
    field_label = models.CharField(max_length=128, blank=True, default="")
    value = models.CharField(max_length=255, blank=True, default="")
    message = models.TextField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


class MergedRecord(models.Model):
    """A record that was merged into another: its address leads there, and what it was known by is known of the other.

    `values` are its texts by attribute (`custom_fields__…` for custom fields), by which a CRM may still know it.
    """

    of_object = models.CharField("object", max_length=80)
    record_uid = models.UUIDField(unique=True)
    into_uid = models.UUIDField(db_index=True)
    values = models.JSONField(default=dict)
    merged_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.record_uid} → {self.into_uid}"


class KeptAnswer(models.Model):
    """The answer to a request over the API under its Idempotency-Key, so that the same request is not done twice.

    It is kept only if something was written. Of one record it is the status and which record it is, whose values are
    not kept; of a batch also the results of its rows.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, help_text="of the request: method, address and body")
    status = models.PositiveSmallIntegerField(default=0)
    record_uid = models.UUIDField(null=True, blank=True)
    results = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "key"), name="answer_once_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.key}"
