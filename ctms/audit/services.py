"""The audited writer: the only module that writes records, each time with an audit entry in the same transaction.

A save that changes nothing writes nothing: the version and the modified date stay, and there is no entry.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction
from django.db.models import ProtectedError

from ctms.audit.change_listeners import notify_listeners
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.values import list_changes, read_values
from ctms.core.clock import get_now
from ctms.core.errors import StaleRecordError, VaultError
from ctms.core.models import AuditedModel, allow_record_writes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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

    `expected_version` is the one that a form was filled from. Raises ValidationError naming the fields, and
    StaleRecordError if the record was deleted since, or if its stored version is not that of `record` or the expected.
    """
    with transaction.atomic(), allow_record_writes():
        adding = record._state.adding  # noqa: SLF001  Django's documented API
        before: dict[str, Any] = {}
        if not adding:
            # Does not lock the key: other transactions may add references to the record, and waiting for them while
            # they wait for this one would be a deadlock.
            found = type(record)._base_manager.select_for_update(no_key=True).filter(pk=record.pk).first()
            before = read_values(_require_current(record=record, found=found, expected_version=expected_version))
        record.prepare_for_save()
        if validate:
            record.full_clean()
        record.check_together([(record, None if adding else found)])
        changes = list_changes(before=before, after=read_values(record))
        if not changes and not adding:
            return False
        now = get_now()
        with _stamping(records=[record], actor=actor, now=now, adding=adding):
            record.save(force_insert=adding)
            entry = _build_entry(record=record, actor=actor, now=now, changes=changes, reason=reason)
            entry.action = AuditAction.CREATED if adding else AuditAction.CHANGED
            _write_entries([entry])
        if not adding and "name" in changes:
            _rename_named_after(records=[record], actor=actor, reason=reason)
        notify_listeners([(record, changes)])
        return True


def create_records(*, records: Sequence[RecordT], actor: Actor, reason: str = "") -> list[RecordT]:
    """Create many records of one model, 1,000 in a statement.

    `prepare_for_save` and `check_together` are called, `full_clean` is not. Raises ValidationError of `check_together`.
    """
    if not records:
        return []
    model = _get_model(records)
    now = get_now()
    for record in records:
        record.prepare_for_save()
    model.check_together([(record, None) for record in records])
    with (
        transaction.atomic(),
        allow_record_writes(),
        _stamping(records=records, actor=actor, now=now, adding=True),
    ):
        made = model._base_manager.bulk_create(records, batch_size=_ROWS_PER_STATEMENT)
        written = [(record, list_changes(before={}, after=read_values(record))) for record in records]
        _write_entries(
            [
                _build_entry(record=record, actor=actor, now=now, changes=changes, reason=reason)
                for record, changes in written
            ]
        )
        notify_listeners(written)
    return made


def update_records(*, records: Sequence[RecordT], actor: Actor, reason: str = "") -> list[RecordT]:
    """Change many records of one model; return those that differed from what is stored.

    `prepare_for_save` and `check_together` are called, `full_clean` is not. Raises StaleRecordError if one was changed
    or deleted since it was read, ValidationError of `check_together`, and ValueError if one is given twice; then
    nothing is written.
    """
    if not records:
        return []
    model = _get_model(records)
    keys = {record.pk for record in records}
    if len(keys) != len(records):
        raise ValueError(f"A {model._meta.verbose_name} was given twice; only one of the two changes could win.")
    now = get_now()
    changed: list[RecordT] = []
    entries: list[AuditEntry] = []
    with transaction.atomic(), allow_record_writes():
        # Always locked in the order of the keys, so that two such writes cannot deadlock.
        stored_by_pk = model._base_manager.order_by("pk").select_for_update().in_bulk(sorted(keys))
        for record in records:
            stored = _require_current(record=record, found=stored_by_pk.get(record.pk), expected_version=None)
            record.prepare_for_save()
            changes = list_changes(before=read_values(stored), after=read_values(record))
            if changes:
                changed.append(record)
                entry = _build_entry(record=record, actor=actor, now=now, changes=changes, reason=reason)
                entry.action = AuditAction.CHANGED
                entries.append(entry)
        model.check_together([(record, stored_by_pk[record.pk]) for record in changed])
        if changed:
            with _stamping(records=changed, actor=actor, now=now, adding=False):
                # One upsert of whole rows is many times faster than the CASE lists of bulk_update.
                model._base_manager.bulk_create(
                    changed,
                    batch_size=_ROWS_PER_STATEMENT,
                    update_conflicts=True,
                    unique_fields=["id"],
                    update_fields=[f.name for f in model._meta.concrete_fields if not f.primary_key],
                )
                _write_entries(entries)
            renamed = [record for record, entry in zip(changed, entries, strict=True) if "name" in entry.changes]
            _rename_named_after(records=renamed, actor=actor, reason=reason)
            notify_listeners(list(zip(changed, (entry.changes for entry in entries), strict=True)))
    return changed


def delete_record(*, record: AuditedModel, actor: Actor, reason: str = "", expected_version: int | None = None) -> None:
    """Delete one record; all its values stay in the audit trail.

    `expected_version` is the one that the user saw when asking for the deletion. Raises RecordInUseError naming what
    refers to the record, and StaleRecordError if it was deleted already or changed since that version.
    """
    with transaction.atomic(), allow_record_writes():
        stored = type(record)._base_manager.select_for_update().filter(pk=record.pk).first()
        if stored is None:
            raise StaleRecordError(f"{record} was already deleted.")
        if expected_version is not None:
            _require_current(record=stored, found=stored, expected_version=expected_version)
        changes = list_changes(before=read_values(stored), after={})
        entry = _build_entry(record=stored, actor=actor, now=get_now(), changes=changes, reason=reason)
        entry.action = AuditAction.DELETED
        try:
            stored.delete()
        except ProtectedError as error:
            raise RecordInUseError(_describe_dependants(record=record, dependants=error.protected_objects)) from error
        _write_entries([entry])
        notify_listeners([(stored, changes)])


def mark_records(records: models.QuerySet[Any], **values: Any) -> int:
    """Write bookkeeping fields, which do not count as a change of the records; return how many rows were written.

    Raises ValueError for a field that is not among the model's `bookkeeping_fields`.
    """
    if others := set(values) - records.model.bookkeeping_fields:
        raise ValueError(f"{', '.join(sorted(others))}: written by save_record alone, with an audit entry.")
    with allow_record_writes():
        return records.update(**values)


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
    """Write an entry for something that is not a change of a record, e.g. a log-in, a dismissal or a cancelled run."""
    record_events(
        actor=actor,
        action=action,
        object_name=object_name,
        records=[record],
        changes=changes,
        reason=reason,
        actor_name=actor_name,
    )


def record_events(
    *,
    actor: Actor | None,
    action: AuditAction,
    object_name: str,
    records: Sequence[models.Model | None],
    changes: dict[str, Any] | None = None,
    reason: str = "",
    actor_name: str = "",
) -> None:
    """Write the same event for each of several records, in a number of statements that grows with batches."""
    now = get_now()
    _write_entries(
        [
            AuditEntry(
                at=now,
                actor=actor.user if actor else None,
                actor_name=(actor_name or (str(actor.user) if actor else ""))[:255],
                source=actor.source if actor else "page",
                reference=actor.reference[:100] if actor else "",
                action=action,
                object_name=object_name,
                record_uid=getattr(record, "uid", None),
                record_name=str(record)[:255] if record else "",
                changes=changes or {},
                reason=reason[:500],
            )
            for record in records
        ]
    )


def _rename_named_after(*, records: Sequence[AuditedModel], actor: Actor, reason: str) -> None:
    """Save the records whose names contain the names of these records, so that they get the new names."""
    if records:
        for named in type(records[0]).list_named_after(records):
            update_records(records=list(named), actor=actor, reason=reason)


def _get_model(records: Sequence[RecordT]) -> type[RecordT]:
    model = type(records[0])
    if any(type(record) is not model for record in records):
        raise TypeError("Records of one model are written at once, not of several.")
    return model


def _require_current(*, record: RecordT, found: RecordT | None, expected_version: int | None) -> RecordT:
    if found is None:
        raise StaleRecordError(f"{record} was deleted by somebody else; nothing was saved.")
    for expected in (record.version, expected_version):
        if expected is not None and found.version != expected:
            raise StaleRecordError(
                f"{found} was changed by {found.modified_by} at {found.modified_at:%Y-%m-%d %H:%M} UTC, after you "
                f"opened it (version {found.version}, yours is {expected}). Reload it and apply your change again; "
                "nothing was saved."
            )
    return found


@contextmanager
def _stamping(*, records: Sequence[AuditedModel], actor: Actor, now: datetime, adding: bool) -> Iterator[None]:
    """Set who writes and when, and count versions up; if the write fails, set the versions back for another try."""
    for record in records:
        record.modified_at, record.modified_by = now, actor.user
        if adding:
            record.created_at, record.created_by = now, actor.user
        else:
            record.version += 1
    try:
        yield
    except Exception:
        if not adding:
            for record in records:
                record.version -= 1
        raise


def _build_entry(
    *, record: AuditedModel, actor: Actor, now: datetime, changes: dict[str, Any], reason: str
) -> AuditEntry:
    return AuditEntry(
        at=now,
        actor=actor.user,
        actor_name=str(actor.user)[:255],
        source=actor.source,
        reference=actor.reference[:100],
        action=AuditAction.CREATED,
        object_name=record.object_name,
        record_uid=record.uid,
        record_name=str(record)[:255],
        changes=changes,
        reason=reason[:500],
    )


def _write_entries(entries: list[AuditEntry]) -> None:
    AuditEntry.objects.bulk_create(entries, batch_size=_ROWS_PER_STATEMENT)


def _describe_dependants(*, record: AuditedModel, dependants: set[models.Model]) -> str:
    counts = Counter(type(dependant)._meta for dependant in dependants)
    listed = sorted(f"{n} {meta.verbose_name if n == 1 else meta.verbose_name_plural}" for meta, n in counts.items())
    return f"{record} cannot be deleted: it is referred to by {', '.join(listed)}. Delete or change those first."
