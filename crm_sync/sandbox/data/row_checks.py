"""Checks rows before they are written. Each check takes all rows of a request at once, in few statements."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import Lookup, PlannedRow
from crm_sync.sandbox.data.visibility import NOT_HIDDEN, list_hidden


def fold_key(field: Field, value: object) -> object:
    """Return a value of a unique field in the form in which it is compared."""
    return value if field.case_sensitive or not isinstance(value, str) else value.casefold()


def find_ids(
    organisation: Organisation,
    *,
    sobject: SObject,
    field: Field,
    values: Iterable[object],
    include_hidden: bool = True,
) -> dict[object, list[str]]:
    """Return the ids of records that are not deleted, by value of `field` (as from `fold_key`), in one statement."""
    column = "casefold_text" if not field.case_sensitive and any(needs_folding(value) for value in values) else ""
    wanted = [fold_key(field, value) for value in values] if column else list(values)
    visible = "" if include_hidden else f'AND "Id" {NOT_HIDDEN}'
    rows = organisation.database.fetch_all(
        f'SELECT "{field.name}", "Id" FROM "{sobject.name}" WHERE "IsDeleted" = 0 '
        f'{visible} AND {column}("{field.name}") IN (SELECT value FROM json_each(?)) ORDER BY "Id"',
        (json.dumps(wanted),),
    )
    found: dict[object, list[str]] = defaultdict(list)
    for value, identifier in rows:
        found[fold_key(field, value)].append(identifier)
    return found


def needs_folding(value: object) -> bool:
    """Whether the value has letters beyond ASCII, which SQLite's NOCASE does not fold."""
    return isinstance(value, str) and not value.isascii()


def match_external_ids(
    organisation: Organisation, rows: Sequence[PlannedRow], *, key: Field, include_hidden: bool = False
) -> None:
    """Decide for each row of an upsert whether it updates a record or creates one. A hidden record refuses its row."""
    live = [row for row in rows if row.error is None]
    if not live:
        return
    found = find_ids(organisation, sobject=live[0].sobject, field=key, values=[row.values[key.name] for row in live])
    matched = [identifier for identifiers in found.values() for identifier in identifiers]
    hidden = set() if include_hidden else list_hidden(organisation, record_ids=matched)
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
        elif matches and matches[0] in hidden:
            row.refuse("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        elif matches:
            row.id = matches[0]
        else:
            row.created = True


def resolve_lookups(organisation: Organisation, rows: Sequence[PlannedRow], *, include_hidden: bool = False) -> None:
    """Turn references by external id into ids, with one statement for each referenced field."""
    groups: dict[tuple[str, str], list[tuple[PlannedRow, Lookup]]] = defaultdict(list)
    for row in rows:
        for lookup in row.lookups:
            groups[lookup.target.name, lookup.key.name].append((row, lookup))
    for entries in groups.values():
        target, key = entries[0][1].target, entries[0][1].key
        found = find_ids(
            organisation,
            sobject=target,
            field=key,
            values=list({lookup.value for _, lookup in entries}),
            include_hidden=include_hidden,
        )
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


def check_references(organisation: Organisation, rows: Sequence[PlannedRow], *, include_hidden: bool = False) -> None:
    """Refuse rows with references to missing, deleted or hidden records. Takes two statements for each object."""
    references = [reference for row in rows for reference in list_references(row)]
    wanted: dict[str, set[str]] = defaultdict(set)
    for _, target, identifier in references:
        wanted[target].add(identifier)
    deleted: dict[tuple[str, str], bool] = {}
    hidden: set[str] = set()
    for target, identifiers in wanted.items():
        deleted |= read_deleted(organisation, target=target, identifiers=identifiers)
        if not include_hidden:
            hidden |= list_hidden(organisation, record_ids=identifiers)
    for row, target, identifier in references:
        if identifier in hidden:
            row.refuse(
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id"
            )
        elif (target, identifier) not in deleted:
            row.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        elif deleted[target, identifier]:
            row.refuse("ENTITY_IS_DELETED", "entity is deleted")


def list_references(row: PlannedRow) -> list[tuple[PlannedRow, str, str]]:
    """Return (row, object, id) of each reference that a row gives by id."""
    resolved = {lookup.field.name for lookup in row.lookups}
    return [
        (row, target.name, str(value))
        for name, value in row.values.items()
        if value is not None
        and name not in resolved
        and row.sobject.by_lower_name[name.lower()].reference_to
        and (target := row.sobject.schema.find_by_id(str(value)))
    ]


def read_deleted(organisation: Organisation, *, target: str, identifiers: Iterable[str]) -> dict[tuple[str, str], bool]:
    """Return whether the records are deleted, by object and id. Records that do not exist are left out."""
    column = '"IsDeleted"' if organisation.schema[target].find_field("IsDeleted") else "0"
    rows = organisation.database.fetch_all(
        f'SELECT "Id", {column} FROM "{target}" WHERE "Id" IN (SELECT value FROM json_each(?))',
        (json.dumps(list(identifiers)),),
    )
    return {(target, identifier): bool(is_deleted) for identifier, is_deleted in rows}


def check_targets(organisation: Organisation, rows: Sequence[PlannedRow], *, include_hidden: bool = False) -> None:
    """Refuse updates and deletions of records that are deleted, hidden or not there."""
    by_object: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.id is not None and row.error is None:
            by_object[row.sobject.name].append(row.id)
    states = {
        identifier: bool(deleted)
        for name, identifiers in by_object.items()
        for identifier, deleted in organisation.database.fetch_all(
            f'SELECT "Id", "IsDeleted" FROM "{name}" WHERE "Id" IN (SELECT value FROM json_each(?)) '
            + ("" if include_hidden else f'AND "Id" {NOT_HIDDEN}'),
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
    """Fill in defaults of new rows and names of person accounts, and refuse rows without a required field."""
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
        elif row.created and row.sobject.has_person_name:
            values["Name"] = join_name(row)
        if missing:
            row.refuse("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)


def join_name(row: PlannedRow) -> str:
    """Return first and last name of a row."""
    return " ".join(str(row.values[name]) for name in ("FirstName", "LastName") if row.values.get(name))


def name_account(row: PlannedRow) -> list[str]:
    """Make a new account with a last name a person account, and return the required fields that it lacks."""
    values = row.values
    person = values.get("LastName") is not None
    if person and values.get("Name") is not None:
        row.refuse("INVALID_FIELD_FOR_INSERT_UPDATE", "Account: bad field names on insert/update call: Name", ["Name"])
    if not row.created:
        return [name for name in ("Name", "LastName") if name in values and values[name] is None]
    if person:
        values["IsPersonAccount"] = 1
        values["Name"] = join_name(row)
        return []
    return [] if values.get("Name") is not None else ["Name"]


def check_unique(organisation: Organisation, rows: Sequence[PlannedRow], *, key: Field | None) -> None:
    """Refuse values of unique fields that another record or an earlier row of the request has. Leaves `key` out."""
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
            hidden = list_hidden(organisation, record_ids=[identifier for ids in found.values() for identifier in ids])
            taken: set[object] = set()
            for row in holders:
                folded = fold_key(field, row.values[field.name])
                others = [identifier for identifier in found.get(folded, []) if identifier != row.id]
                if others:
                    # Of a record that the user may not see, the CRM names neither field nor id.
                    shown = ("<unknown>", "<unknown>") if others[0] in hidden else (field.name, others[0][:15])
                    row.refuse(
                        "DUPLICATE_VALUE",
                        "duplicate value found: {} duplicates value on record with id: {}".format(*shown),
                    )
                elif folded in taken:
                    row.refuse(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {field.name} duplicates value on record with id: <unknown>",
                    )
                taken.add(folded)
