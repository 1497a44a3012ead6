"""What stands against creating or changing a record: another one has its uid, its external ID or a unique value.

The same conflict is the same refusal at every verb. A record that the user does not see is not named, and whether a uid
is hidden, another object's or that of a deleted record is told to nobody who does not see all records of the object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.urls import reverse

from ctms.audit.selectors import list_deleted_uids, list_known_uids
from ctms.configuration.unique_values import VALUE_TAKEN, build_key, find_owners
from ctms.core.models import NUMBER_TAKEN
from ctms.records.access import ObjectAccess
from ctms.records.api.errors import ConflictError, MergedError, list_errors
from ctms.records.api.references import References
from ctms.records.api.serializers import CONFIRMED, UID, RecordInputSerializer
from ctms.records.fields.kinds.reference import read_reference
from ctms.records.merging.redirects import find_winners
from ctms.records.writing.taken_numbers import find_same_number
from ctms.records.writing.validation import list_changed

EXTERNAL_ID = "external_id__v"
_TAKEN = frozenset({"unique", "unique_together", VALUE_TAKEN, NUMBER_TAKEN})
_UNSEEN = (
    "This uid__sys or external_id__v is taken; nothing was saved. Send a new UUID, or leave it out; send another "
    "External ID, or ask an admin who has it."
)


def get_address(*, access: ObjectAccess, record: Any) -> str:
    """Return the address of a record."""
    return reverse("api_record", args=(access.shape.api_name, record.uid))


def refuse_existing(*, access: ObjectAccess, body: Any) -> None:
    """Raise ConflictError if a record has the body's uid or external ID, or if a record of any object had the uid.

    Raises MergedError if a record of this uid was merged into one that the user sees.
    """
    named = body if isinstance(body, dict) else {}
    uid, external_id = read_uid(named.get(UID)), read_external_id(named.get(EXTERNAL_ID))
    visible = access.list_records()
    if uid and (record := visible.filter(uid=uid).first()) is not None:
        raise build_conflict(access=access, record=record, body=named, name=UID)
    if external_id and (record := visible.filter(external_id=external_id).first()) is not None:
        raise build_conflict(access=access, record=record, body=named, name=EXTERNAL_ID)
    if uid and (refusal := find_refused_uids(access=access, uids={uid}).get(uid)) is not None:
        raise refusal
    if external_id and access.vault_object.model._base_manager.filter(external_id=external_id).exists():
        raise ConflictError(_UNSEEN, code="key-taken", name=EXTERNAL_ID)


def find_refused_uids(*, access: ObjectAccess, uids: Collection[UUID]) -> dict[UUID, Exception]:
    """Return why each of these uids, which no visible record of the object has, cannot be given to a new record.

    The history and the transfers of a deleted record would appear as those of a new one with its uid. Uids that no
    record of any object has or had are not among them. Takes a few statements, however many uids there are.
    """
    taken = list_known_uids(uids)
    taken |= set(access.vault_object.model._base_manager.filter(uid__in=uids).values_list("uid", flat=True))
    if not taken:
        return {}
    winners = find_winners(access=access, uids=taken)
    # A user who sees all records of the object learns nothing by it that was hidden.
    sees_all = not access.list_records().query.where
    deleted = list_deleted_uids(taken, object_name=access.shape.api_name)
    label = access.vault_object.label
    text = f"A {label} had this uid__sys and was deleted; nothing was saved. Send a new UUID."
    return {
        uid: build_merged(access=access, winner=winners[uid])
        if uid in winners
        else ConflictError(text, code="uid-deleted", name=UID)
        if sees_all and uid in deleted
        else ConflictError(_UNSEEN, code="key-taken", name=UID)
        for uid in taken
    }


def build_conflict(
    *,
    access: ObjectAccess,
    record: Any,
    body: Any,
    name: str,
    references: References | None = None,
    shown: Mapping[str, Any] | None = None,
) -> ConflictError:
    """Return the refusal to create a record with the key `name` of a visible one: a try again, or another record.

    `references` and `shown`, the record as JSON, are what the caller has looked up for many records.
    """
    label, url = access.vault_object.label, get_address(access=access, record=record)
    if _has_values(access=access, record=record, body=body, references=references, shown=shown):
        text = f"A {label} of this {name} exists already, with the values that were sent; nothing was saved again."
        return ConflictError(text, code="already-created", name=name, url=url)
    text = f"A {label} of this {name} exists already, with other values; nothing was saved."
    return ConflictError(text, code="other-values" if name == UID else "key-taken", name=name, url=url)


def _has_values(
    *, access: ObjectAccess, record: Any, body: Any, references: References | None, shown: Mapping[str, Any] | None
) -> bool:
    """Whether the record has every value in the body of a request."""
    serializer = RecordInputSerializer(
        record, shape=access.shape, access=access, references=references, data=body, partial=True
    )
    serializer.shown = shown
    if not serializer.is_valid():
        return False
    values = {name: value for name, value in serializer.validated_data.items() if name != CONFIRMED}
    object_type = str(getattr(record, "object_type", "") or "")
    try:
        return not list_changed(access=access, record=record, values=values, object_type=object_type)
    except ValidationError:
        return False


def name_conflict(*, access: ObjectAccess, record: Any, error: ValidationError) -> Exception:
    """Return ConflictError if nothing is wrong with a record but that others have values of it; else the error."""
    if not hasattr(error, "error_dict"):
        return error
    found = [(name, each) for name, errors in error.error_dict.items() for each in errors]
    if not all(each.code in _TAKEN for _, each in found):
        return error
    names = ["name__v" if each.code == NUMBER_TAKEN else name for name, each in found]
    name = next((name for name in names if name != NON_FIELD_ERRORS), "")
    other = _find_owner(access=access, record=record, name=name)
    return ConflictError(
        " ".join(error.messages),
        code="key-taken",
        name=name,
        url=get_address(access=access, record=other) if other is not None else "",
        errors=[{**each, "code": "taken"} for each in list_errors(error.message_dict)],
    )


def _find_owner(*, access: ObjectAccess, record: Any, name: str) -> Any:
    """Return the record that has the record's value of a field, if the user sees it; else None."""
    field = access.shape.fields.get(name)
    if field is None:
        return None
    others = access.list_records().exclude(pk=record.pk)
    if field.is_custom:
        key = build_key((record.custom_fields or {}).get(name))
        owner = find_owners(field=field, model=access.vault_object.model, keys=[key]).get(key)
        return others.filter(uid=owner).first() if owner is not None else None
    same: Any = others.filter(**{field.attribute: getattr(record, field.attribute)}).first()
    return find_same_number(access=access, record=record) or same if name == "name__v" else same


def build_merged(*, access: ObjectAccess, winner: Any) -> MergedError:
    """Return the refusal of a request about a record that was merged into `winner`."""
    return MergedError(
        f"This {access.vault_object.label} was merged into {winner}, whose uid__sys is {winner.uid}. Use that one.",
        url=get_address(access=access, record=winner),
    )


def read_uid(value: Any) -> UUID | None:
    """Return the uid that a body has for a new record; None if it is none."""
    return read_reference(value) if isinstance(value, str) else None


def read_external_id(value: Any) -> str:
    """Return the external ID that a body has; empty if it is none."""
    return value.strip() if isinstance(value, str) and value.isprintable() else ""
