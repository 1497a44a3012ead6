"""The audited writer: the only module that writes records, each time with an audit entry in the same transaction.

A save that changes nothing writes nothing: the version and the modified date stay, and there is no entry.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction
from django.db.models import ProtectedError

from ctms.audit.change_listeners import notify_listeners
from ctms.audit.choices import AuditAction
from ctms.audit.entries import ROWS_PER_STATEMENT, build_entries, build_entry, write_entries
from ctms.audit.models import AuditEntry
from ctms.audit.reasons import require_reason
from ctms.audit.uses import explain_use, list_seen, name_number
from ctms.audit.values import list_changes, read_values
from ctms.audit.words import flatten
from ctms.core.clock import format_time, get_now
from ctms.core.errors import StaleRecordError, VaultError
from ctms.core.models import AuditedModel, allow_record_writes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from ctms.accounts.models import User
    from ctms.audit.actors import Actor

RecordT = TypeVar("RecordT", bound=AuditedModel)


class RecordInUseError(VaultError):
    """The record cannot be deleted because others refer to it; the message counts those that the user sees."""


def save_record(
    *, record: RecordT, actor: Actor, reason: str = "", expected_version: int | None = None, validate: bool = True
) -> bool:
    """Create or change one record; True if anything was written.

    `expected_version` is the one that a form was filled from. Raises ValidationError naming the fields, and
    StaleRecordError if the record was deleted since, or if its stored version is not that of `record` or the expected.
    Raises ReasonRequiredError, which is a ValidationError, if an admin asks for the reason and neither `reason` nor the
    actor has one.
    """
    with transaction.atomic(), allow_record_writes():
        adding = record._state.adding  # noqa: SLF001  Django's documented API
        before: dict[str, Any] = {}
        if not adding:
            # Does not lock the key: other transactions may add references to the record, and waiting for them while
            # they wait for this one would be a deadlock.
            found = type(record)._base_manager.select_for_update(no_key=True).filter(pk=record.pk).first()
            stored = _require_current(record=record, found=found, expected_version=expected_version)
            record.keep_derived(stored)
            before = read_values(stored)
        record.tidy_texts(None if adding else found)
        record.prepare_for_save()
        if adding:
            type(record).fill_new([record], user=actor.user)
        if validate:
            record.full_clean()
        record.check_together([(record, None if adding else found)])
        changes = list_changes(before=before, after=read_values(record))
        if not changes and not adding:
            return False
        if not adding:
            _require_reason(written=[(record, changes)], actor=actor, reason=reason)
        now = get_now()
        with _stamping(records=[record], actor=actor, now=now, adding=adding):
            record.save(force_insert=adding)
            action = AuditAction.CREATED if adding else AuditAction.CHANGED
            write_entries(
                build_entries(written=[(record, changes)], actor=actor, action=action, now=now, reason=reason)
            )
        if not adding and "name" in changes:
            _rename_named_after(records=[record], actor=actor, reason=reason)
        notify_listeners([(record, changes)])
        return True


def create_records(*, records: Sequence[RecordT], actor: Actor, reason: str = "") -> list[RecordT]:
    """Create many records of one model, 1,000 in a statement.

    `prepare_for_save`, `fill_new` and `check_together` are called, `full_clean` is not. Raises ValidationError of
    `check_together`.
    """
    if not records:
        return []
    model = _get_model(records)
    now = get_now()
    for record in records:
        record.tidy_texts(None)
        record.prepare_for_save()
    model.fill_new(records, user=actor.user)
    model.check_together([(record, None) for record in records])
    with (
        transaction.atomic(),
        allow_record_writes(),
        _stamping(records=records, actor=actor, now=now, adding=True),
    ):
        made = model._base_manager.bulk_create(records, batch_size=ROWS_PER_STATEMENT)
        written = [(record, list_changes(before={}, after=read_values(record))) for record in records]
        write_entries(build_entries(written=written, actor=actor, action=AuditAction.CREATED, now=now, reason=reason))
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
    written: list[tuple[RecordT, dict[str, Any]]] = []
    with transaction.atomic(), allow_record_writes():
        # Always locked in the order of the keys, so that two such writes cannot deadlock.
        stored_by_pk = model._base_manager.order_by("pk").select_for_update().in_bulk(sorted(keys))
        for record in records:
            stored = _require_current(record=record, found=stored_by_pk.get(record.pk), expected_version=None)
            record.keep_derived(stored)
            record.tidy_texts(stored)
            record.prepare_for_save()
            changes = list_changes(before=read_values(stored), after=read_values(record))
            if changes:
                written.append((record, changes))
        changed = [record for record, _ in written]
        model.check_together([(record, stored_by_pk[record.pk]) for record in changed])
        if changed:
            _require_reason(written=written, actor=actor, reason=reason)
            with _stamping(records=changed, actor=actor, now=now, adding=False):
                # One upsert of whole rows is many times faster than the CASE lists of bulk_update.
                model._base_manager.bulk_create(
                    changed,
                    batch_size=ROWS_PER_STATEMENT,
                    update_conflicts=True,
                    unique_fields=["id"],
                    update_fields=[f.name for f in model._meta.concrete_fields if not f.primary_key],
                )
                write_entries(
                    build_entries(written=written, actor=actor, action=AuditAction.CHANGED, now=now, reason=reason)
                )
            renamed = [record for record, changes in written if "name" in changes]
            _rename_named_after(records=renamed, actor=actor, reason=reason)
            notify_listeners(written)
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
        require_reason(model=type(stored), names=[""], user=actor.user, reason=reason or actor.reason)
        changes = list_changes(before=read_values(stored), after={})
        entries = build_entries(
            written=[(stored, changes)], actor=actor, action=AuditAction.DELETED, now=get_now(), reason=reason
        )
        try:
            stored.delete()
        except ProtectedError as error:
            text = _explain_use(record=record, user=actor.user, dependants=error.protected_objects)
            raise RecordInUseError(text) from error
        write_entries(entries)
        notify_listeners([(stored, changes)])


def delete_records(*, records: Sequence[AuditedModel], actor: Actor, reason: str = "") -> None:
    """Delete many records of one model; all their values stay in the audit trail.

    Raises RecordInUseError naming what refers to one of them, and StaleRecordError if one was changed or deleted since
    it was read; then nothing is deleted.
    """
    if not records:
        return
    model = _get_model(records)
    with transaction.atomic(), allow_record_writes():
        locked = model._base_manager.order_by("pk").select_for_update().in_bulk([record.pk for record in records])
        stored = [
            _require_current(record=record, found=locked.get(record.pk), expected_version=None) for record in records
        ]
        require_reason(model=model, names=[""], user=actor.user, reason=reason or actor.reason)
        written = [(record, list_changes(before=read_values(record), after={})) for record in stored]
        entries = build_entries(written=written, actor=actor, action=AuditAction.DELETED, now=get_now(), reason=reason)
        try:
            model._base_manager.filter(pk__in=list(locked)).delete()
        except ProtectedError as error:
            text = _explain_use(record=stored[0], user=actor.user, dependants=error.protected_objects)
            raise RecordInUseError(text) from error
        write_entries(entries)
        for record in stored:
            record.pk = None  # as Django leaves a record that was deleted by itself; listeners ask for it
        notify_listeners(written)


def restore_records(*, records: Sequence[RecordT], actor: Actor, reason: str = "") -> list[RecordT]:
    """Create deleted records of one model anew, with their uids; the caller has set their values.

    They keep their `created_at` and `created_by`, and their versions go on counting from what the trail has of them, so
    that no reader takes the restored record for one that it knows. Raises what `create_records` raises, and
    StaleRecordError if one of them was never deleted.
    """
    if not records:
        return []
    model = _get_model(records)
    for record in records:
        record.prepare_for_save()
    model.check_together([(record, None) for record in records])
    with transaction.atomic(), allow_record_writes():
        versions = count_versions([record.uid for record in records])
        for record in records:
            if record.uid not in versions:
                raise StaleRecordError(f"{record} was never deleted.")
            record.version = versions[record.uid] + 1
            record.modified_at, record.modified_by = get_now(), actor.user
        made = model._base_manager.bulk_create(records, batch_size=ROWS_PER_STATEMENT)
        written = [(record, list_changes(before={}, after=read_values(record))) for record in records]
        write_entries(
            build_entries(written=written, actor=actor, action=AuditAction.RESTORED, now=get_now(), reason=reason)
        )
        notify_listeners(written)
    return made


def count_versions(uids: Sequence[UUID]) -> dict[UUID, int]:
    """Return for deleted records a number that is not below any version that they had: that of their entries."""
    entries = AuditEntry.objects.filter(record_uid__in=uids).order_by().values_list("record_uid")
    counted = entries.annotate(
        number=models.Count("id"), deletions=models.Count("id", filter=models.Q(action=AuditAction.DELETED))
    )
    return {uid: number for uid, number, deletions in counted if uid is not None and deletions}


def mark_records(records: models.QuerySet[Any], **values: Any) -> int:
    """Write bookkeeping fields, which do not count as a change of the records; return how many rows were written.

    Raises ValueError for a field that is not among the model's `bookkeeping_fields`.
    """
    if others := set(values) - records.model.bookkeeping_fields:
        raise ValueError(f"{', '.join(sorted(others))}: written by save_record alone, with an audit entry.")
    with allow_record_writes():
        return records.update(**values)


def mark_each(*, records: Sequence[AuditedModel], names: Sequence[str]) -> None:
    """Write bookkeeping fields of records of one model, each with values of its own, in a statement for a batch.

    The caller has locked the records and read all of their fields. Raises ValueError as `mark_records` does.
    """
    if not records:
        return
    model: Any = _get_model(records)
    if others := set(names) - model.bookkeeping_fields:
        raise ValueError(f"{', '.join(sorted(others))}: written by save_record alone, with an audit entry.")
    with allow_record_writes():
        # As in `update_records`, many times faster than the CASE lists of bulk_update.
        model._base_manager.bulk_create(
            records,
            batch_size=ROWS_PER_STATEMENT,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=names,
        )


def record_event(
    *,
    actor: Actor | None,
    action: AuditAction,
    object_name: str,
    record: models.Model | None = None,
    changes: dict[str, Any] | None = None,
    reason: str = "",
    actor_name: str = "",
    address: str = "",
) -> None:
    """Write an entry for something that is not a change of a record, e.g. a log-in, a dismissal or a cancelled run.

    `actor_name` and `address` are for events without an actor, e.g. a refused log-in.
    """
    if record is not None:
        record_events(
            actor=actor, action=action, object_name=object_name, records=[record], changes=changes, reason=reason
        )
        return
    entry = build_entry(actor=actor, action=action, now=get_now(), reason=reason, places={})
    entry.object_name, entry.changes = object_name, changes or {}
    entry.actor_name = actor_name[:255] or entry.actor_name
    entry.address = address or entry.address
    write_entries([entry])


def record_events(
    *,
    actor: Actor | None,
    action: AuditAction,
    object_name: str,
    records: Sequence[models.Model],
    changes: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write the same event for each of several records of one model, in a number of statements that grows by batch."""
    entries = build_entries(
        written=[(record, changes or {}) for record in records],
        actor=actor,
        action=action,
        now=get_now(),
        reason=reason,
    )
    for entry in entries:
        entry.object_name = object_name
    write_entries(entries)


def _rename_named_after(*, records: Sequence[AuditedModel], actor: Actor, reason: str) -> None:
    """Save the records whose names contain the names of these records, so that they get the new names."""
    if records:
        # Users who rename a record are not asked why others follow.
        reason = reason or actor.reason or f"Follows the name of its {records[0]._meta.verbose_name}"
        for named in type(records[0]).list_named_after(records):
            update_records(records=list(named), actor=actor, reason=reason)


def _require_reason(*, written: Sequence[tuple[AuditedModel, dict[str, Any]]], actor: Actor, reason: str) -> None:
    names = [name for _, changes in written for name, _ in flatten(changes)]
    require_reason(model=type(written[0][0]), names=names, user=actor.user, reason=reason or actor.reason)


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
                f"{found} was changed by {found.modified_by} at {format_time(found.modified_at)}, after you "
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


def _explain_use(*, record: AuditedModel, user: User, dependants: set[models.Model]) -> str:
    keys: dict[type[models.Model], list[Any]] = {}
    for dependant in dependants:
        keys.setdefault(type(dependant), []).append(dependant.pk)
    referring = [
        name_number(list_seen(model._base_manager.filter(pk__in=each), user).count(), model=model)
        for model, each in keys.items()
    ]
    return f"{record} cannot be deleted: {explain_use(user=user, referring=referring)}"
