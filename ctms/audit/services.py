"""The one place that writes records. Every create, change and deletion leaves an audit entry in the same transaction.

A save that changes nothing writes nothing: no version, no modified date, no entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction
from django.db.models import ProtectedError

from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.core.clock import get_now
from ctms.core.errors import StaleRecordError, VaultError
from ctms.core.fields import EncryptedTextField, Secret
from ctms.core.models import AuditedModel, allow_record_writes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ctms.audit.actors import Actor

RecordT = TypeVar("RecordT", bound=AuditedModel)

_ROWS_PER_STATEMENT = 1000


class RecordInUseError(VaultError):
    """The record cannot be deleted because others refer to it; the message names them."""


def save_record(
    *, record: RecordT, actor: Actor, reason: str = "", expected_version: int | None = None, validate: bool = True
) -> bool:
    """Create or change one record; True if anything was written.

    Raises ValidationError naming the fields, and StaleRecordError if the stored version is not `expected_version` (by
    default the version that `record` was read with).
    """
    with transaction.atomic(), allow_record_writes():
        adding = record._state.adding  # noqa: SLF001  Django's documented API
        before: dict[str, Any] = {}
        if not adding:
            stored = type(record)._base_manager.select_for_update().get(pk=record.pk)
            _refuse_stale(record=record, stored=stored, expected_version=expected_version)
            before = read_values(stored)
        record.prepare_for_save()
        if validate:
            record.full_clean()
        changes = _compare(before=before, after=read_values(record), adding=adding)
        if not changes and not adding:
            return False
        now = get_now()
        _stamp(record=record, actor=actor, now=now, adding=adding)
        record.save(force_insert=adding)
        _write_entries(
            [_build_entry(record=record, actor=actor, now=now, adding=adding, changes=changes, reason=reason)]
        )
        return True


def create_records(*, records: Sequence[RecordT], actor: Actor, reason: str = "") -> list[RecordT]:
    """Create many records of one model, in statements that grow with batches. They are prepared, not validated."""
    if not records:
        return []
    now = get_now()
    for record in records:
        record.prepare_for_save()
        _stamp(record=record, actor=actor, now=now, adding=True)
    model = type(records[0])
    with transaction.atomic(), allow_record_writes():
        made = model._base_manager.bulk_create(records, batch_size=_ROWS_PER_STATEMENT)
        _write_entries(
            [
                _build_entry(
                    record=record,
                    actor=actor,
                    now=now,
                    adding=True,
                    changes=_compare(before={}, after=read_values(record), adding=True),
                    reason=reason,
                )
                for record in records
            ]
        )
    return made


def update_records(*, records: Sequence[RecordT], actor: Actor, reason: str = "") -> list[RecordT]:
    """Change many records of one model; returns those in which anything differed from what is stored.

    Raises StaleRecordError if one was changed or deleted since it was read; then nothing is written.
    """
    if not records:
        return []
    model = type(records[0])
    now = get_now()
    changed: list[RecordT] = []
    entries: list[AuditEntry] = []
    with transaction.atomic(), allow_record_writes():
        stored_by_pk = model._base_manager.select_for_update().in_bulk([record.pk for record in records])
        for record in records:
            stored = stored_by_pk.get(record.pk)
            if stored is None:
                raise StaleRecordError(f"{record} was deleted by somebody else; nothing was saved.")
            _refuse_stale(record=record, stored=stored, expected_version=None)
            record.prepare_for_save()
            changes = _compare(before=read_values(stored), after=read_values(record), adding=False)
            if not changes:
                continue
            _stamp(record=record, actor=actor, now=now, adding=False)
            changed.append(record)
            entries.append(
                _build_entry(record=record, actor=actor, now=now, adding=False, changes=changes, reason=reason)
            )
        if changed:
            # Upserting whole rows by key is one statement and many times faster than bulk_update's CASE lists.
            model._base_manager.bulk_create(
                changed,
                batch_size=_ROWS_PER_STATEMENT,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=[f.name for f in model._meta.concrete_fields if not f.primary_key],
            )
            _write_entries(entries)
    return changed


def delete_record(*, record: AuditedModel, actor: Actor, reason: str = "") -> None:
    """Delete one record; all its values stay in the audit trail. Raises RecordInUseError naming what refers to it."""
    with transaction.atomic(), allow_record_writes():
        stored = type(record)._base_manager.select_for_update().filter(pk=record.pk).first()
        if stored is None:
            raise StaleRecordError(f"{record} was already deleted.")
        changes = {
            name: [value, None] for name, value in read_values(stored).items() if value not in (None, "", {}, [])
        }
        entry = _build_entry(record=stored, actor=actor, now=get_now(), adding=False, changes=changes, reason=reason)
        entry.action = AuditAction.DELETED
        try:
            stored.delete()
        except ProtectedError as error:
            raise RecordInUseError(_describe_dependants(record=record, dependants=error.protected_objects)) from error
        _write_entries([entry])


def record_event(
    *,
    actor: Actor | None,
    action: AuditAction,
    object_name: str,
    record: models.Model | None = None,
    changes: dict[str, Any] | None = None,
    reason: str = "",
    actor_name: str = "",
) -> None:
    """Write an entry for something that is not a change of a record: a log-in, a dismissal, a job's own rows."""
    _write_entries(
        [
            AuditEntry(
                at=get_now(),
                actor=actor.user if actor else None,
                actor_name=actor_name or (str(actor.user) if actor else ""),
                source=actor.source if actor else "page",
                reference=actor.reference if actor else "",
                action=action,
                object_name=object_name,
                record_uid=getattr(record, "uid", None),
                record_name=str(record)[:255] if record else "",
                changes=changes or {},
                reason=reason[:500],
            )
        ]
    )


def read_values(record: models.Model) -> dict[str, Any]:
    """Every value of a record by column, as the trail keeps it: references by id, secrets only as *set* or empty."""
    bookkeeping = getattr(record, "bookkeeping_fields", frozenset({"id"}))
    values: dict[str, Any] = {}
    for field in record._meta.concrete_fields:
        if field.name in bookkeeping:
            continue
        value = getattr(record, field.attname)
        values[field.name] = value if not isinstance(field, EncryptedTextField) else _Masked(value)
    return values


class _Masked:
    """Stands for a secret: equal only to the same ciphertext, written into the trail as the word *set*."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Masked) and other.secret == self.secret

    def __hash__(self) -> int:
        return hash(self.secret)


def _export(value: Any) -> Any:
    if isinstance(value, _Masked):
        return "set" if value.secret else ""
    return value


def _compare(*, before: dict[str, Any], after: dict[str, Any], adding: bool) -> dict[str, list[Any]]:
    if adding:
        return {name: [None, _export(value)] for name, value in after.items() if value not in (None, "", {}, [])}
    return {name: [_export(before[name]), _export(value)] for name, value in after.items() if before[name] != value}


def _refuse_stale(*, record: AuditedModel, stored: AuditedModel, expected_version: int | None) -> None:
    expected = record.version if expected_version is None else expected_version
    if stored.version != expected:
        raise StaleRecordError(
            f"{stored} was changed by {stored.modified_by} at {stored.modified_at:%Y-%m-%d %H:%M} UTC, after you opened it "
            f"(version {stored.version}, yours is {expected}). Reload it and apply your change again; nothing was saved."
        )


def _stamp(*, record: AuditedModel, actor: Actor, now: datetime, adding: bool) -> None:
    if adding:
        record.created_at, record.created_by = now, actor.user
    else:
        record.version += 1
    record.modified_at, record.modified_by = now, actor.user


def _build_entry(
    *, record: AuditedModel, actor: Actor, now: datetime, adding: bool, changes: dict[str, Any], reason: str
) -> AuditEntry:
    return AuditEntry(
        at=now,
        actor=actor.user,
        actor_name=str(actor.user),
        source=actor.source,
        reference=actor.reference,
        action=AuditAction.CREATED if adding else AuditAction.CHANGED,
        object_name=record.object_name,
        record_uid=record.uid,
        record_name=str(record)[:255],
        changes=changes,
        reason=reason[:500],
    )


def _write_entries(entries: list[AuditEntry]) -> None:
    AuditEntry.objects.bulk_create(entries, batch_size=_ROWS_PER_STATEMENT)


def _describe_dependants(*, record: AuditedModel, dependants: set[models.Model]) -> str:
    counts: dict[str, int] = {}
    for dependant in dependants:
        label = str(dependant._meta.verbose_name_plural)
        counts[label] = counts.get(label, 0) + 1
    listed = ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
    return f"{record} cannot be deleted: {listed} refer to it. Delete or change those first."
