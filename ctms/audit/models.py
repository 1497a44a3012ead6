"""The audit trail. Rows are added, never changed or removed; the database refuses both, too (see guards.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

from ctms.audit.choices import AuditAction, RedactionState
from ctms.core.errors import UnauditedWriteError
from ctms.core.models import AuditedModel

_NEVER_CHANGED = "Audit entries are never changed."
_NEVER_REMOVED = "Audit entries are never removed."


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """A query set that adds and reads. It refuses changes and deletions, and Django's internal methods for them."""

    def update(self, **kwargs: Any) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_CHANGED)

    def _update(self, values: Any) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_CHANGED)

    def _insert(self, objs: Any, fields: Any, *args: Any, on_conflict: Any = None, **kwargs: Any) -> Any:
        if on_conflict is not None:
            raise UnauditedWriteError(_NEVER_CHANGED)
        # What the database fills by itself need not be put together for every row, as Django does.
        given = [field for field in fields if not _is_left_to_database(field, objs)]
        return super()._insert(objs, given, *args, on_conflict=on_conflict, **kwargs)  # type: ignore[misc]

    def delete(self) -> tuple[int, dict[str, int]]:
        raise UnauditedWriteError(_NEVER_REMOVED)

    def _raw_delete(self, using: str | None) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_REMOVED)


def _is_left_to_database(field: models.Field[Any, Any], entries: Iterable[AuditEntry]) -> bool:
    return field.has_db_default() and all(
        isinstance(getattr(entry, field.attname), DatabaseDefault) for entry in entries
    )


class TransactionNumber(models.Func):
    """Number of the database transaction that writes a row, in 64 bits. SQLite has none: 0."""

    output_field = models.BigIntegerField()
    template = "0"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="pg_current_xact_id()::text::bigint", **extra)


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
    actor_role = models.CharField(
        "role", max_length=128, blank=True, default="", help_text="the user's security profile, as it was called then"
    )
    address = models.CharField(
        "IP address", max_length=45, blank=True, default="", help_text="empty for jobs and commands"
    )
    time_zone = models.CharField(max_length=64, blank=True, default="", help_text="of the user")
    object_name = models.CharField("object", max_length=80)
    object_label = models.CharField(
        "object", max_length=128, blank=True, default="", help_text="as the object was called then"
    )
    study_uid = models.UUIDField("study", null=True, help_text="to which the record belonged then")
    connection_uid = models.UUIDField(
        "connection", null=True, help_text="whose set-up was changed, or for which a run wrote"
    )
    record_uid = models.UUIDField(null=True)
    record_name = models.CharField(max_length=255, blank=True, default="")
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder, help_text="field → [value before, value after]")
    words = models.JSONField(default=dict, help_text="field → label, values and names as of then; see words.py")
    reason = models.CharField(max_length=500, blank=True, default="")
    # Entries become visible in the order in which their transactions end, not in that of their ids: see bookmarks.py.
    transaction_number = models.BigIntegerField(db_default=TransactionNumber(), editable=False)
    # By the database's clock, whatever the host says in `at`. Entries from before there was this column have none.
    written_at = models.DateTimeField("written (database's clock)", null=True, db_default=Now(), editable=False)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = "audit trail entry"
        verbose_name_plural = "audit trail"
        ordering = ("-id",)
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=("record_uid", "-id"), name="audit_record"),
            models.Index(fields=("transaction_number",), name="audit_transaction"),
            # Each ends in the id, in the order of the list, so that its first page reads no more than that page.
            models.Index(fields=("actor", "-id"), name="audit_actor"),
            models.Index(fields=("object_name", "-id"), name="audit_object"),
            models.Index(fields=("action", "-id"), name="audit_action"),
            models.Index(fields=("actor_role", "-id"), name="audit_role", condition=~models.Q(actor_role="")),
            models.Index(fields=("address", "-id"), name="audit_address", condition=~models.Q(address="")),
            models.Index(fields=("reference",), name="audit_reference", condition=~models.Q(reference="")),
            models.Index(fields=("study_uid", "-id"), name="audit_study", condition=models.Q(study_uid__isnull=False)),
            models.Index(
                fields=("connection_uid", "-id"),
                name="audit_connection",
                condition=models.Q(connection_uid__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.record_name}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise UnauditedWriteError(_NEVER_CHANGED)
        # Always an INSERT: a new entry with the id of an old one would otherwise overwrite it.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(_NEVER_REMOVED)


class AuditSeal(models.Model):
    """The place of an entry in the chain. `chain.py` says what the digests are made of; rows are never changed."""

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    format = models.PositiveSmallIntegerField()
    salt = models.BinaryField(null=True)
    commitment = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        verbose_name = "seal of the audit trail"
        verbose_name_plural = "seals of the audit trail"
        constraints = (models.CheckConstraint(condition=models.Q(position__gte=1), name="audit_seal_is_in_the_chain"),)

    def __str__(self) -> str:
        return f"{self.position}: entry {self.entry_id}"


class AuditSealing(models.Model):
    """How far the audit trail is sealed: one row, which the process that seals locks."""

    bookmark = models.TextField(blank=True, default="", help_text="what is visible at that place is sealed")
    position = models.BigIntegerField(default=0)
    hash = models.BinaryField(default=bytes)

    class Meta:
        verbose_name = "progress of the sealing"
        verbose_name_plural = "progress of the sealing"
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="audit_sealing_is_one_row"),)

    def __str__(self) -> str:
        return f"up to position {self.position}"


class AuditRedaction(AuditedModel):
    """A request to remove the personal data of entries, and what was decided. Whoever asks is `created_by`."""

    object_name = "admin:redaction"

    state = models.CharField(
        max_length=20, choices=RedactionState.choices, default=RedactionState.REQUESTED, editable=False
    )
    entry_ids = models.JSONField("entries")
    reason = models.CharField(
        max_length=500, help_text="Kept in the audit trail for ever: do not repeat here what is to be removed."
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    decided_at = models.DateTimeField("decided date", null=True, editable=False)

    class Meta(AuditedModel.Meta):
        verbose_name = "redaction"
        verbose_name_plural = "redactions"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state=RedactionState.REQUESTED, decided_by__isnull=True)
                | (~models.Q(state=RedactionState.REQUESTED) & models.Q(decided_by__isnull=False)),
                name="audit_redaction_is_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=RedactionState.DONE) | ~models.Q(decided_by=models.F("created_by")),
                name="audit_redaction_takes_two_persons",
                violation_error_message="Whoever asked for a redaction cannot approve it.",
            ),
        )

    def __str__(self) -> str:
        count = len(self.entry_ids)
        return f"Redaction {self.pk or ''} of {count} {'entry' if count == 1 else 'entries'}"
