"""The recycle bin: records are undeleted from it or purged, and `getDeleted` is answered from it.

A purged record is gone from every query; its id stays in the log of deletions, which `getDeleted` reads, until that is
emptied. Facts: SOAP API Developer Guide, `undelete()`, `emptyRecycleBin()` and `getDeleted()`.
"""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from collections.abc import Iterable
from datetime import timedelta

from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.row_checks import find_ids, fold_key
from crm_sync.sandbox.data.timestamps import format_datetime
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError

RECYCLE_BIN_DAYS = 15
LOG_EMPTIED = "deletions_known_since"


def find_deleted(organisation: Organisation, *, record_id: str) -> SObject | None:
    """Return the object of a record in the recycle bin, or None when no such record is in it."""
    sobject = organisation.schema.find_by_id(record_id)
    if sobject is None or not sobject.deletable:
        return None
    row = organisation.database.fetch_one(
        f'SELECT 1 FROM "{sobject.name}" WHERE "Id" = ? AND "IsDeleted" = 1', (record_id,)
    )
    return sobject if row else None


# -- undelete -----------------------------------------------------------------------------------------


def undelete_record(organisation: Organisation, *, record_id: str, user_id: str) -> None:
    """Take a record out of the recycle bin, with a new stamp and its old values.

    References to it that its deletion emptied are restored where nothing has replaced them. Raises ApiError
    `UNDELETE_FAILED` when it is not in the bin or a record that it needs is deleted, and `DUPLICATE_VALUE` when
    another record has one of its unique values by now.
    """
    with organisation.database.transaction():
        sobject = find_deleted(organisation, record_id=record_id)
        if sobject is None:
            raise ApiError("UNDELETE_FAILED", "Entity is not in the recycle bin", [])
        _check_undeletable(organisation, sobject, record_id=record_id)
        stamp = organisation.stamp()
        merged = ', "MasterRecordId" = NULL' if sobject.find_field("MasterRecordId") else ""
        organisation.database.execute(
            f'UPDATE "{sobject.name}" SET "IsDeleted" = 0, "LastModifiedDate" = ?, "LastModifiedById" = ?, '
            f'"SystemModstamp" = ?{merged} WHERE "Id" = ?',
            (stamp, user_id, stamp, record_id),
        )
        _restore_references(organisation, record_id=record_id)


def _check_undeletable(organisation: Organisation, sobject: SObject, *, record_id: str) -> None:
    """Raise ApiError when the record's required parents are deleted or its unique values are taken."""
    names = [field.name for field in sobject.fields]
    columns = ", ".join(f'"{name}"' for name in names)
    row = organisation.database.fetch_one(f'SELECT {columns} FROM "{sobject.name}" WHERE "Id" = ?', (record_id,))
    values = dict(zip(names, row or (), strict=False))
    for field in sobject.required_fields:
        target = organisation.schema.find(field.reference_to)
        if target is not None and not organisation.database.fetch_one(
            f'SELECT 1 FROM "{target.name}" WHERE "Id" = ? AND "IsDeleted" = 0', (values[field.name],)
        ):
            raise ApiError("UNDELETE_FAILED", f"The {field.label} of the record is deleted", [field.name])
    for field in sobject.unique_fields:
        value = values[field.name]
        if value is None:
            continue
        holders = find_ids(organisation, sobject=sobject, field=field, values=[value]).get(fold_key(field, value))
        if holders:
            raise ApiError(
                "DUPLICATE_VALUE",
                f"duplicate value found: {field.name} duplicates value on record with id: {holders[0][:15]}",
                [field.name],
            )


def _restore_references(organisation: Organisation, *, record_id: str) -> None:
    """Set the references to a record that its deletion emptied, where they are still empty."""
    for object_name, field_name, child_id in organisation.database.fetch_all(
        "SELECT object_name, field_name, record_id FROM sandbox_emptied_references WHERE deleted_id = ?", (record_id,)
    ):
        organisation.database.execute(
            f'UPDATE "{object_name}" SET "{field_name}" = ? WHERE "Id" = ? AND "{field_name}" IS NULL',
            (record_id, child_id),
        )
    organisation.database.execute("DELETE FROM sandbox_emptied_references WHERE deleted_id = ?", (record_id,))


# -- purge --------------------------------------------------------------------------------------------


def purge_record(organisation: Organisation, *, record_id: str) -> None:
    """Remove one record from the recycle bin for good. Raises ApiError when it is not in the bin."""
    with organisation.database.transaction():
        sobject = find_deleted(organisation, record_id=record_id)
        if sobject is None:
            raise ApiError("DELETE_FAILED", "no recycle bin entry found", [])
        _purge(organisation, sobject, record_ids=[record_id])


def empty_recycle_bin(organisation: Organisation, *, older_than_days: float = 0) -> int:
    """Purge the records that were deleted more than so many days ago; 0 purges all. Returns how many there were."""
    limit = format_datetime(organisation.read_clock() - timedelta(days=older_than_days))
    count = 0
    with organisation.database.transaction():
        for sobject in organisation.schema.objects:
            if not sobject.deletable:
                continue
            rows = organisation.database.fetch_all(
                f'SELECT "Id" FROM "{sobject.name}" WHERE "IsDeleted" = 1'
                + (' AND "LastModifiedDate" < ?' if older_than_days else ""),
                (limit,) if older_than_days else (),
            )
            _purge(organisation, sobject, record_ids=[row[0] for row in rows])
            count += len(rows)
    return count


def _purge(organisation: Organisation, sobject: SObject, *, record_ids: Iterable[str]) -> None:
    """Remove deleted records; the database itself keeps their ids and times of deletion in the log."""
    rows = [(identifier,) for identifier in record_ids]
    organisation.database.execute_many(f'DELETE FROM "{sobject.name}" WHERE "Id" = ?', rows)
    organisation.database.execute_many("DELETE FROM sandbox_emptied_references WHERE deleted_id = ?", rows)


# -- the log of deletions -----------------------------------------------------------------------------


def list_deletions(organisation: Organisation, sobject: SObject, *, start: str, end: str) -> list[tuple[str, str]]:
    """Return (id, time of deletion) of the records deleted from `start` until before `end`, purged ones included.

    Left out are undeleted and hidden records, and what was deleted before the log begins.
    """
    start = max(start, read_log_start(organisation))
    deletions: list[tuple[str, str]] = organisation.database.fetch_all(
        f'SELECT "Id", "LastModifiedDate" FROM "{sobject.name}" WHERE "IsDeleted" = 1 '
        f'AND "LastModifiedDate" >= ? AND "LastModifiedDate" < ? AND "Id" {NOT_HIDDEN} '
        "UNION ALL SELECT record_id, deleted_date FROM sandbox_purged WHERE object_name = ? "
        f"AND deleted_date >= ? AND deleted_date < ? AND record_id {NOT_HIDDEN} ORDER BY 2, 1",
        (start, end, sobject.name, start, end),
    )
    return deletions


def read_log_start(organisation: Organisation) -> str:
    """Return the stamp from which on deletions are known: 15 days ago, or when the log was emptied after that."""
    earliest = organisation.read_clock().replace(second=0) - timedelta(days=RECYCLE_BIN_DAYS)
    return max(format_datetime(earliest), read_log_emptied(organisation))


def read_log_emptied(organisation: Organisation) -> str:
    """Return the stamp at which the log of deletions was emptied, or an empty string."""
    row = organisation.database.fetch_one("SELECT value FROM sandbox_settings WHERE name = ?", (LOG_EMPTIED,))
    return str(row[0]) if row else ""


def empty_deletion_log(organisation: Organisation) -> str:
    """Forget all deletions so far, as the CRM does when its log is full. Returns the stamp from which on it is kept."""
    now = organisation.stamp()
    with organisation.database.transaction():
        organisation.database.execute("DELETE FROM sandbox_purged")
        organisation.database.execute(
            "INSERT OR REPLACE INTO sandbox_settings (name, value) VALUES (?, ?)", (LOG_EMPTIED, now)
        )
    return now


def count_deleted(organisation: Organisation) -> dict[str, int]:
    """Return how many records of each object are in the recycle bin."""
    return {
        sobject.name: organisation.database.fetch_all(f'SELECT count(*) FROM "{sobject.name}" WHERE "IsDeleted" = 1')[
            0
        ][0]
        for sobject in organisation.schema.objects
        if sobject.deletable
    }
