"""Creating, updating, upserting and deleting rows: one transaction, a fixed number of statements per request.

All checks come before the first write, so a row that fails costs its neighbours nothing and *all or none* needs no
undoing.
"""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.organisation import Organisation
from crm_sync.sandbox.records import Lookup, PlannedRow
from crm_sync.sandbox.schema import Field, SObject, find_object, list_references_to

RowFault = Callable[[PlannedRow], ApiError | None]

ROLLED_BACK = ApiError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    [],
)


def fold_key(field: Field, value: object) -> object:
    """Return a unique value in the form in which it is compared."""
    return value if field.case_sensitive or not isinstance(value, str) else value.casefold()


def find_ids(
    organisation: Organisation, *, sobject: SObject, field: Field, values: Iterable[object]
) -> dict[object, list[str]]:
    """Return the ids of live records by the (folded) value of ``field``, for all ``values`` in one statement."""
    column = "casefold_text" if not field.case_sensitive and any(needs_folding(value) for value in values) else ""
    wanted = [fold_key(field, value) for value in values] if column else list(values)
    rows = organisation.database.fetch_all(
        f'SELECT "{field.name}", "Id" FROM "{sobject.name}" WHERE "IsDeleted" = 0 '
        f'AND {column}("{field.name}") IN (SELECT value FROM json_each(?)) ORDER BY "Id"',
        (json.dumps(wanted),),
    )
    found: dict[object, list[str]] = defaultdict(list)
    for value, identifier in rows:
        found[fold_key(field, value)].append(identifier)
    return found


def needs_folding(value: object) -> bool:
    """Whether SQLite's own NOCASE, which knows ASCII only, cannot compare this value without regard to case."""
    return isinstance(value, str) and not value.isascii()


def match_external_ids(organisation: Organisation, rows: Sequence[PlannedRow], *, key: Field) -> None:
    """Decide for each row of an upsert whether it updates a record or creates one."""
    live = [row for row in rows if row.error is None]
    if not live:
        return
    found = find_ids(organisation, sobject=live[0].sobject, field=key, values=[row.values[key.name] for row in live])
    seen: dict[object, int] = defaultdict(int)
    for row in live:
        seen[fold_key(key, row.values[key.name])] += 1
    for row in live:
        value = row.values[key.name]
        folded = fold_key(key, value)
        matches = found.get(folded, [])
        if seen[folded] > 1:
            row.refuse("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [key.name])
        elif len(matches) > 1:
            row.refuse(
                "DUPLICATE_EXTERNAL_ID",
                f"{key.name}: more than one record found for external id field: [{', '.join(matches)}]",
                [key.name],
            )
        elif matches:
            row.id = matches[0]
        else:
            row.created = True


def resolve_lookups(organisation: Organisation, rows: Sequence[PlannedRow]) -> None:
    """Turn references by external id into ids, one statement per referenced key."""
    groups: dict[tuple[str, str], list[tuple[PlannedRow, Lookup]]] = defaultdict(list)
    for row in rows:
        for lookup in row.lookups:
            groups[lookup.target.name, lookup.key.name].append((row, lookup))
    for entries in groups.values():
        target, key = entries[0][1].target, entries[0][1].key
        found = find_ids(organisation, sobject=target, field=key, values=list({lookup.value for _, lookup in entries}))
        for row, lookup in entries:
            matches = found.get(fold_key(key, lookup.value), [])
            if len(matches) == 1:
                row.values[lookup.field.name] = matches[0]
            elif matches:
                row.refuse(
                    "INVALID_FIELD",
                    f"More than one record found for external id field: {key.name} in entity {target.name}",
                )
            else:
                row.refuse(
                    "INVALID_FIELD",
                    f"Foreign key external ID: {lookup.value} not found for field {key.name} in entity {target.name}",
                )


def check_references(organisation: Organisation, rows: Sequence[PlannedRow]) -> None:
    """Refuse rows that point at records that do not exist or are deleted, one statement per referenced object."""
    wanted: dict[str, set[str]] = defaultdict(set)
    references: list[tuple[PlannedRow, str, str]] = []
    for row in rows:
        resolved = {lookup.field.name for lookup in row.lookups}
        for name, value in row.values.items():
            if value is None or name in resolved:
                continue
            target = row.sobject.by_lower_name[name.lower()].reference_to
            if target:
                wanted[target].add(str(value))
                references.append((row, target, str(value)))
    states: dict[tuple[str, str], bool] = {}
    for target, identifiers in wanted.items():
        deleted = '"IsDeleted"' if (entry := find_object(target)) and entry.find_field("IsDeleted") else "0"
        for identifier, is_deleted in organisation.database.fetch_all(
            f'SELECT "Id", {deleted} FROM "{target}" WHERE "Id" IN (SELECT value FROM json_each(?))',
            (json.dumps(list(identifiers)),),
        ):
            states[target, identifier] = bool(is_deleted)
    for row, target, identifier in references:
        is_deleted_or_unknown = states.get((target, identifier))
        if is_deleted_or_unknown is None:
            row.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        elif is_deleted_or_unknown:
            row.refuse("ENTITY_IS_DELETED", "entity is deleted")


def check_targets(organisation: Organisation, rows: Sequence[PlannedRow]) -> None:
    """Refuse updates and deletions of records that are gone or never existed."""
    by_object: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.id is not None and row.error is None:
            by_object[row.sobject.name].append(row.id)
    states = {
        identifier: bool(deleted)
        for name, identifiers in by_object.items()
        for identifier, deleted in organisation.database.fetch_all(
            f'SELECT "Id", "IsDeleted" FROM "{name}" WHERE "Id" IN (SELECT value FROM json_each(?))',
            (json.dumps(identifiers),),
        )
    }
    for row in rows:
        if row.id is None or row.error is not None:
            continue
        if row.id not in states:
            row.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        elif states[row.id]:
            row.refuse("ENTITY_IS_DELETED", "entity is deleted")


def check_required(rows: Sequence[PlannedRow]) -> None:
    """Fill defaults of new rows and refuse rows without a required field. A person account is named by its person."""
    for row in rows:
        values = row.values
        if row.created:
            for field in row.sobject.fields:
                if field.default is not None and values.get(field.name) is None:
                    values[field.name] = int(field.default) if isinstance(field.default, bool) else str(field.default)
        missing = [
            field.name
            for field in row.sobject.required_fields
            if (row.created or field.name in values) and values.get(field.name) is None
        ]
        if row.sobject.name == "Account":
            missing += name_account(row)
        if missing:
            row.refuse("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)


def name_account(row: PlannedRow) -> list[str]:
    """Make a new account with a last name a person account; return the fields it lacks."""
    values = row.values
    person = values.get("LastName") is not None
    if person and values.get("Name") is not None:
        row.refuse("INVALID_FIELD_FOR_INSERT_UPDATE", "Account: bad field names on insert/update call: Name", ["Name"])
    if not row.created:
        return [name for name in ("Name", "LastName") if name in values and values[name] is None]
    if person:
        values["IsPersonAccount"] = 1
        values["Name"] = " ".join(str(values[name]) for name in ("FirstName", "LastName") if values.get(name))
        return []
    return [] if values.get("Name") is not None else ["Name"]


def check_unique(organisation: Organisation, rows: Sequence[PlannedRow], *, key: Field | None) -> None:
    """Refuse values that another live record, or an earlier row of this request, has already."""
    for sobject in {row.sobject.name: row.sobject for row in rows}.values():
        for field in sobject.unique_fields:
            if field is key:
                continue
            holders = [row for row in rows if row.sobject is sobject and not row.error and row.values.get(field.name)]
            if not holders:
                continue
            found = find_ids(
                organisation, sobject=sobject, field=field, values=[row.values[field.name] for row in holders]
            )
            taken: set[object] = set()
            for row in holders:
                folded = fold_key(field, row.values[field.name])
                others = [identifier for identifier in found.get(folded, []) if identifier != row.id]
                if others:
                    row.refuse(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {field.name} duplicates value on record with id: {others[0][:15]}",
                    )
                elif folded in taken:
                    row.refuse(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {field.name} duplicates value on record with id: <unknown>",
                    )
                taken.add(folded)


def write_rows(
    organisation: Organisation,
    rows: Sequence[PlannedRow],
    *,
    user_id: str,
    key: Field | None = None,
    all_or_none: bool = False,
    row_fault: RowFault | None = None,
) -> None:
    """Write planned rows; each ends with an ``id``, or with the ``error`` that kept it out.

    With ``key`` the rows are an upsert by that external id; otherwise a row with an id is an update and one marked
    ``created`` a new record. ``row_fault`` may refuse rows on purpose.
    """
    with organisation.database.transaction():
        if key is not None:
            match_external_ids(organisation, rows, key=key)
        else:
            check_targets(organisation, rows)
        if row_fault is not None:
            for row in rows:
                row.error = row.error or row_fault(row)
        resolve_lookups(organisation, rows)
        check_references(organisation, rows)
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
    """With all or none and any failure, mark the rows that were fine as rolled back; returns whether that was done."""
    if not all_or_none or all(row.error is None for row in rows):
        return False
    for row in rows:
        row.error = row.error or ROLLED_BACK
    return True


def insert_rows(
    organisation: Organisation, sobject: SObject, rows: Sequence[PlannedRow], *, stamp: str, user_id: str
) -> None:
    """Insert new rows with their ids, numbers and stamps."""
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
            values["Name"] = pattern.format(number + offset)
        parameters.append([values.get(column) for column in columns])
    organisation.database.execute_many(
        f'INSERT INTO "{sobject.name}" ({", ".join(columns)}) VALUES ({", ".join("?" * len(columns))})', parameters
    )


def update_rows(
    organisation: Organisation, sobject: SObject, rows: Sequence[PlannedRow], *, stamp: str, user_id: str
) -> None:
    """Update rows, one statement per set of fields; every update stamps its row, as in the real CRM."""
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
        if sobject.name == "Account" and not {"FirstName", "LastName"}.isdisjoint(names):
            organisation.database.execute(
                'UPDATE "Account" SET "Name" = trim(coalesce("FirstName", \'\') || \' \' || "LastName") '
                'WHERE "IsPersonAccount" = 1 AND "Id" IN (SELECT value FROM json_each(?))',
                (json.dumps([row.id for row in members]),),
            )


def delete_rows(
    organisation: Organisation,
    rows: Sequence[PlannedRow],
    *,
    user_id: str,
    all_or_none: bool = False,
    row_fault: RowFault | None = None,
) -> None:
    """Move records to the recycle bin. Optional lookups to them are emptied; a required one forbids the deletion."""
    with organisation.database.transaction():
        check_targets(organisation, rows)
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
            for child, field in list_references_to(sobject):
                if not field.required:
                    organisation.database.execute(
                        f'UPDATE "{child.name}" SET "{field.name}" = NULL '
                        f'WHERE "{field.name}" IN (SELECT value FROM json_each(?))',
                        (encoded,),
                    )


def refuse_referenced(organisation: Organisation, sobject: SObject, rows: Sequence[PlannedRow]) -> None:
    """Refuse to delete records that live records need."""
    for child, field in list_references_to(sobject):
        if not field.required:
            continue
        holders: dict[str, list[str]] = defaultdict(list)
        for identifier, name in organisation.database.fetch_all(
            f'SELECT "{field.name}", "Name" FROM "{child.name}" WHERE "IsDeleted" = 0 '
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
