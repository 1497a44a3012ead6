"""Reads the records of a request: turns the JSON object of each into a planned row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.values import Coercer, RowRejectedError, Stored, make_coercer
from crm_sync.sandbox.errors import ApiError


@dataclass(slots=True)
class Lookup:
    """A reference by external id, as in `"Account_vod__r": {"External_ID_vod__c": "X"}`."""

    field: Field
    target: SObject
    key: Field
    value: str


@dataclass(slots=True)
class PlannedRow:
    """One record that is to be written. A row with an `error` is not written."""

    sobject: SObject
    values: dict[str, Stored]
    lookups: list[Lookup] = field(default_factory=list)
    id: str | None = None
    created: bool = False
    error: ApiError | None = None

    def refuse(self, code: str, message: str, fields: list[str] | None = None) -> None:
        """Set the row's error, unless it has one already."""
        if self.error is None:
            self.error = RowRejectedError(code, message, fields or [])


def list_writers(sobject: SObject) -> dict[str, tuple[Field, Coercer]]:
    """Return every field of an object with its coercer, by exact field name: most clients write it so.

    Names in another case are looked up by `find_writer`. The coercers are made once: 200 rows call them thousands of
    times.
    """
    if not sobject.writers:
        sobject.writers.update({entry.name: (entry, make_coercer(sobject, entry)) for entry in sobject.fields})
        sobject.writers.update({entry.name: (entry, refuse_to_store) for entry in sobject.compounds})
    return sobject.writers


def refuse_to_store(_value: object) -> Stored:
    """Stand for the coercer of a compound, which is read-only, so that no value of it is ever stored."""
    raise ApiError("INVALID_FIELD_FOR_INSERT_UPDATE", "A compound field is written by its parts.")


def refuse_unknown_column(sobject: SObject, name: str) -> ApiError:
    """Return the error for a key that names no field. It refuses the whole request."""
    return ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}", None)


def read_lookup(sobject: SObject, name: str, value: Any) -> Lookup | None:
    """Return a reference by external id, or None when it is set to null. Raises ApiError when it cannot be read."""
    reference = sobject.by_relationship.get(name.lower())
    target = sobject.schema.find(reference.reference_to) if reference else None
    if reference is None or target is None:
        raise refuse_unknown_column(sobject, name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ApiError("JSON_PARSER_ERROR", f"Cannot deserialize instance of {target.name} from {value!r}")
    keys = {key: entry for key, entry in value.items() if key.lower() not in {"attributes", "type"}}
    if len(keys) != 1:
        raise ApiError(
            "INVALID_FIELD",
            f"More than 1 field provided in an external foreign key reference in entity: {target.name}"
            if keys
            else f"No external id field provided in the foreign key reference in entity: {target.name}",
            [],
        )
    [(key_name, key_value)] = keys.items()
    key = target.find_field(key_name)
    if key is None:
        raise refuse_unknown_column(target, key_name)
    if not key.external_id and key.type != "id":
        raise ApiError(
            "INVALID_FIELD",
            f"{key.name} must be an external id or indexed to be used in a foreign key reference for {target.name}",
            [],
        )
    return Lookup(reference, target, key, str(key_value if key_value is not None else ""))


def find_writer(row: PlannedRow, name: str, value: Any) -> tuple[Field, Coercer] | None:
    """Return field and coercer of a key in another case. For a reference, add it to the row and return None.

    Raises ApiError for a key that is neither.
    """
    sobject = row.sobject
    lower = name.lower()
    if lower == "attributes":
        return None
    entry = sobject.by_lower_name.get(lower) or sobject.find_compound(lower)
    if entry is not None:
        return list_writers(sobject)[entry.name]
    lookup = read_lookup(sobject, name, value)
    if lookup is None:
        row.values[sobject.by_relationship[lower].name] = None
    else:
        row.lookups.append(lookup)
    return None


def read_record(
    sobject: SObject, payload: Mapping[str, Any], *, key: Field | None = None, allow_id: bool = False
) -> PlannedRow:
    """Return the planned row of one JSON object.

    `key`: the external id field of an upsert. `allow_id`: whether `Id` may be given, which the caller then reads.
    Raises ApiError for a fault that refuses the whole request; a fault of this record alone becomes its `error`.
    """
    writers = list_writers(sobject)
    row = PlannedRow(sobject, {})
    values = row.values
    read_only: list[str] = []
    for name, value in payload.items():
        writer = writers.get(name) or find_writer(row, name, value)
        if writer is None:
            continue
        entry, coerce = writer
        if entry.type == "id":
            if not allow_id and value is not None:
                row.refuse("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ["Id"])
        elif entry.read_only:
            read_only.append(entry.name)
        else:
            try:
                values[entry.name] = coerce(value)
            except RowRejectedError as error:
                row.error = row.error or error
    if read_only:
        row.refuse(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(read_only)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set.",
            read_only,
        )
    if key is not None and values.get(key.name) is None:
        row.refuse("MISSING_ARGUMENT", f"{key.name} not specified", [key.name])
    return row
