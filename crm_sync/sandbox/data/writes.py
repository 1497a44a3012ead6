"""Creates, updates, upserts and deletes the rows of a request, in one transaction.

All checks come before the first write, so that a refused row does not disturb the others and nothing has to be undone
for `all_or_none`. The number of statements does not grow with the number of rows.
"""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.data.row_checks import (
    check_references,
    check_required,
    check_targets,
    check_unique,
    match_external_ids,
    resolve_lookups,
)
from crm_sync.sandbox.errors import ApiError

RowFault = Callable[[PlannedRow], ApiError | None]

ROLLED_BACK = ApiError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    [],
)


def write_rows(
    organisation: Organisation,
    rows: Sequence[PlannedRow],
    *,
    user_id: str,
    key: Field | None = None,
    all_or_none: bool = False,
    row_fault: RowFault | None = None,
    include_hidden: bool = False,
) -> None:
    """Write planned rows. Sets the `id` of each row that is written and the `error` of each that is refused.

    With `key`, the rows are upserted by that external id field. Without it, a row with an id is an update and a row
    marked `created` a new record. `row_fault` returns an error for rows that are to be refused on purpose.
    `include_hidden`: whether hidden records may be written and referred to, which the API's users may not.
    """
    with organisation.database.transaction():
        if key is not None:
            match_external_ids(organisation, rows, key=key, include_hidden=include_hidden)
        else:
            check_targets(organisation, rows, include_hidden=include_hidden)
        if row_fault is not None:
            for row in rows:
                row.error = row.error or row_fault(row)
        resolve_lookups(organisation, rows, include_hidden=include_hidden)
        check_references(organisation, rows, include_hidden=include_hidden)
        check_required(rows)
        check_unique(organisation, rows, key=key)
        if roll_back_if_needed(rows, all_or_none=all_or_none):
            return
        stamp = organisation.stamp()
        live = [row for row in rows if row.error is None]
        for sobject in {row.sobject.name: row.sobject for row in live}.values():
            own = [row for row in live if row.sobject is sobject]
            insert_rows(organisation, sobject, [row for row in own if row.created], stamp=stamp, user_id=user_id)
            update_rows(organisation, sobject, [row for row in own if not row.created], stamp=stamp, user_id=user_id)


def roll_back_if_needed(rows: Sequence[PlannedRow], *, all_or_none: bool) -> bool:
    """With `all_or_none` and a refused row, mark all other rows as rolled back. Returns whether it did."""
    if not all_or_none or all(row.error is None for row in rows):
        return False
    for row in rows:
        row.error = row.error or ROLLED_BACK
    return True


def insert_rows(
    organisation: Organisation, sobject: SObject, rows: Sequence[PlannedRow], *, stamp: str, user_id: str
) -> None:
    """Insert new rows, and give them ids, auto-numbers and stamps."""
    if not rows:
        return
    identifiers = organisation.reserve_ids(sobject=sobject, count=len(rows))
    pattern = sobject.name_field.auto_number
    number = organisation.database.reserve_numbers(name=f"{sobject.name}.Name", count=len(rows)) if pattern else 0
    system = {
        "CreatedDate": stamp,
        "CreatedById": user_id,
        "LastModifiedDate": stamp,
        "LastModifiedById": user_id,
        "SystemModstamp": stamp,
    }
    columns = [field.name for field in sobject.fields]
    parameters = []
    for offset, (row, identifier) in enumerate(zip(rows, identifiers, strict=True)):
        row.id = identifier
        values = row.values
        values.update(system)
        values["Id"] = identifier
        values["OwnerId"] = values.get("OwnerId") or user_id
        if pattern:
            values[sobject.name_field.name] = pattern.format(number + offset)
        parameters.append([values.get(column) for column in columns])
    organisation.database.execute_many(
        f'INSERT INTO "{sobject.name}" ({", ".join(columns)}) VALUES ({", ".join("?" * len(columns))})', parameters
    )


def update_rows(
    organisation: Organisation, sobject: SObject, rows: Sequence[PlannedRow], *, stamp: str, user_id: str
) -> None:
    """Update rows, with one statement for each set of fields. Every update stamps its row, as in the real CRM."""
    groups: dict[tuple[str, ...], list[PlannedRow]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.values)].append(row)
    for names, members in groups.items():
        assignments = ", ".join(
            f'"{name}" = ?' for name in (*names, "LastModifiedDate", "LastModifiedById", "SystemModstamp")
        )
        organisation.database.execute_many(
            f'UPDATE "{sobject.name}" SET {assignments} WHERE "Id" = ?',
            [(*row.values.values(), stamp, user_id, stamp, row.id) for row in members],
        )
        is_person = sobject.name == "Account" or sobject.has_person_name
        if is_person and not {"FirstName", "LastName"}.isdisjoint(names):
            persons = '"IsPersonAccount" = 1 AND ' if sobject.name == "Account" else ""
            organisation.database.execute(
                f'UPDATE "{sobject.name}" SET "Name" = trim(coalesce("FirstName", \'\') || \' \' || "LastName") '
                f'WHERE {persons}"Id" IN (SELECT value FROM json_each(?))',
                (json.dumps([row.id for row in members]),),
            )


def delete_rows(
    organisation: Organisation,
    rows: Sequence[PlannedRow],
    *,
    user_id: str,
    all_or_none: bool = False,
    row_fault: RowFault | None = None,
    include_hidden: bool = False,
) -> None:
    """Move records to the recycle bin and empty optional references to them. A required reference refuses it."""
    with organisation.database.transaction():
        check_targets(organisation, rows, include_hidden=include_hidden)
        seen: set[str] = set()
        for row in rows:
            if row.error is None and row.id in seen:
                row.refuse("ENTITY_IS_DELETED", "entity is deleted")
            seen.add(row.id or "")
            if row_fault is not None:
                row.error = row.error or row_fault(row)
        for sobject in {row.sobject.name: row.sobject for row in rows}.values():
            refuse_referenced(organisation, sobject, [row for row in rows if row.sobject is sobject and not row.error])
        if roll_back_if_needed(rows, all_or_none=all_or_none):
            return
        stamp = organisation.stamp()
        for sobject in {row.sobject.name: row.sobject for row in rows}.values():
            identifiers = [row.id for row in rows if row.sobject is sobject and row.error is None]
            encoded = json.dumps(identifiers)
            organisation.database.execute(
                f'UPDATE "{sobject.name}" SET "IsDeleted" = 1, "LastModifiedDate" = ?, "LastModifiedById" = ?, '
                '"SystemModstamp" = ? WHERE "Id" IN (SELECT value FROM json_each(?))',
                (stamp, user_id, stamp, encoded),
            )
            for child, field in sobject.schema.list_references_to(sobject):
                if not field.required:
                    # Kept, so that undeleting the record restores them.
                    organisation.database.execute(
                        "INSERT OR REPLACE INTO sandbox_emptied_references "
                        "(deleted_id, object_name, field_name, record_id) "
                        f'SELECT "{field.name}", \'{child.name}\', \'{field.name}\', "Id" FROM "{child.name}" '
                        f'WHERE "{field.name}" IN (SELECT value FROM json_each(?))',
                        (encoded,),
                    )
                    organisation.database.execute(
                        f'UPDATE "{child.name}" SET "{field.name}" = NULL '
                        f'WHERE "{field.name}" IN (SELECT value FROM json_each(?))',
                        (encoded,),
                    )


def refuse_referenced(organisation: Organisation, sobject: SObject, rows: Sequence[PlannedRow]) -> None:
    """Refuse to delete records that other records refer to by a required field."""
    for child, field in sobject.schema.list_references_to(sobject):
        if not field.required:
            continue
        holders: dict[str, list[str]] = defaultdict(list)
        for identifier, name in organisation.database.fetch_all(
            f'SELECT "{field.name}", "{child.name_field.name}" FROM "{child.name}" WHERE "IsDeleted" = 0 '
            f'AND "{field.name}" IN (SELECT value FROM json_each(?))',
            (json.dumps([row.id for row in rows]),),
        ):
            holders[identifier].append(name)
        for row in rows:
            names = holders.get(row.id or "", [])
            if names:
                row.refuse(
                    "DELETE_FAILED",
                    f"Your attempt to delete {row.id} could not be completed because it is associated with the "
                    f"following {child.label_plural.lower()}.: {', '.join(names[:5])}\n",
                )


def as_results(rows: Sequence[PlannedRow], *, upsert: bool) -> list[Mapping[str, Any]]:
    """Return the answer of a collections request, in request order."""
    results: list[Mapping[str, Any]] = []
    for row in rows:
        result: dict[str, Any] = {}
        if row.error is None:
            result = {"id": row.id, "success": True, "errors": []}
        else:
            result = {"success": False, "errors": [row.error.as_row()]}
        if upsert:
            result["created"] = row.created and row.error is None
        results.append(result)
    return results
