"""The audit trail: rows are added, never changed and never removed; the database itself refuses both."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from ctms.audit.choices import AuditAction
from ctms.core.errors import UnauditedWriteError

_NEVER_CHANGED = "Audit entries are never changed."
_NEVER_REMOVED = "Audit entries are never removed."


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Adds and reads; refused are the documented methods, and the statements that all of Django's writing comes to."""

    def update(self, **kwargs: Any) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_CHANGED)

    def _update(self, values: Any) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_CHANGED)

    def _insert(self, *args: Any, on_conflict: Any = None, **kwargs: Any) -> Any:
        if on_conflict is not None:
            raise UnauditedWriteError(_NEVER_CHANGED)
        return super()._insert(*args, on_conflict=on_conflict, **kwargs)  # type: ignore[misc]

    def delete(self) -> tuple[int, dict[str, int]]:
        raise UnauditedWriteError(_NEVER_REMOVED)

    def _raw_delete(self, using: str | None) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_REMOVED)


class AuditEntry(models.Model):
    """One change of one record, or one event: who, when (UTC), by what way, and every value before and after."""

    at = models.DateTimeField("time (UTC)", db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    actor_name = models.CharField(max_length=255)
    source = models.CharField(max_length=20, help_text="page, admin, api, import, job or command")
    reference = models.CharField(max_length=100, blank=True, default="", help_text="the job run or request")
    action = models.CharField(max_length=20, choices=AuditAction.choices)
    object_name = models.CharField("object", max_length=80)
    record_uid = models.UUIDField(null=True)
    record_name = models.CharField(max_length=255, blank=True, default="")
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder, help_text="field → [value before, value after]")
    reason = models.CharField(max_length=500, blank=True, default="")

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = "audit trail entry"
        verbose_name_plural = "audit trail"
        ordering = ("-id",)
        base_manager_name = "objects"
        indexes = (models.Index(fields=("record_uid", "-id"), name="audit_record"),)

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.record_name}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise UnauditedWriteError(_NEVER_CHANGED)
        # Always an INSERT: a new entry with the id of an old one would otherwise overwrite it.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_REMOVED)
