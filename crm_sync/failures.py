"""Failures in words: which record, which value, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exceptions_log.choices import ErrorType
from exceptions_log.models import INTEGRATION_KEY
from exceptions_log.services import Failure

if TYPE_CHECKING:
    from uuid import UUID

    from connections.models import Integration
    from crm_sync.errors import CrmError, RowError, RowResult
    from crm_sync.mapping import Problem
    from ctms.configuration.registry import VaultObject

_SHOWN_CHARACTERS = 80

# Per-row codes of the CRM, with what an admin or user can do about them.
_REMEDIES = {
    "REQUIRED_FIELD_MISSING": "Fill the field in, or activate the field rule that fills it.",
    "STRING_TOO_LONG": "Shorten the text.",
    "DUPLICATE_VALUE": "Another record in the CRM has this value already; correct one of the two.",
    "INVALID_CROSS_REFERENCE_KEY": "The record referred to is not in the CRM, or the CRM user may not see it.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the CRM refuses it; satisfy or change the rule.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "The CRM's picklist lacks the value: add it there, or correct the field "
    "rule's picklist map.",
    "UNABLE_TO_LOCK_ROW": "Somebody else was changing the record in the CRM; the next run tries again.",
}

_ERROR_TYPES = {
    "authentication": ErrorType.AUTHENTICATION,
    "configuration": ErrorType.CONFIGURATION,
    "connectivity": ErrorType.CONNECTIVITY,
    "limit": ErrorType.LIMIT,
    "rejected": ErrorType.REJECTED,
}


def build_failure(
    *,
    vault_object: VaultObject,
    record: Any,
    problems: list[Problem],
    payload: dict[str, Any],
    record_uid: UUID | None = None,
    crm_id: str = "",
) -> Failure:
    """The exception item of one Vault record."""
    uid = record.uid if record is not None else record_uid
    label = vault_object.label.capitalize()
    shown = str(record) if record is not None else str(uid)
    return Failure(
        key=str(uid),
        name=f"{label} {shown}",
        error_type=problems[0].error_type,
        error_message=" ".join(problem.message for problem in problems),
        item=f"{vault_object.api_name}: {shown}",
        item_data=payload,
        record_object=vault_object.api_name,
        record_uid=uid,
        crm_id=crm_id or (getattr(record, "link_crm_id", "") or ""),
        record_version=record.version if record is not None else None,
        dependency_version=record.dependency_sum if record is not None else None,
    )


def build_call_failure(*, crm_object: str, call: dict[str, Any], problems: list[Problem]) -> Failure:
    """The exception item of one record of the CRM that could not be received."""
    crm_id = str(call["Id"])
    return Failure(
        key=crm_id,
        name=f"CRM call {call.get('Name') or crm_id}",
        error_type=problems[0].error_type,
        error_message=" ".join(problem.message for problem in problems),
        item=f"{crm_object}: {crm_id}",
        item_data=call,
        record_object="",
        crm_id=crm_id,
    )


def build_integration_failure(*, integration: Integration, error: CrmError) -> Failure:
    """The exception item of an integration, or of a whole connection, that could not run."""
    return Failure(
        key=f"{INTEGRATION_KEY}{integration.kind}",
        name=f"{integration.connection.name}: {integration.name}",
        error_type=_ERROR_TYPES[error.error_type],
        error_message=str(error),
        item=f"{integration.connection.object_name}: {integration.connection.name}",
        item_data={"code": error.code} if error.code else {},
        record_object=integration.connection.object_name,
    )


def describe_row_error(*, error: RowError, payload: dict[str, Any], crm_name: str) -> str:
    """What the CRM said of one record, with the value that it refused, and the remedy."""
    values = "; ".join(f"{name} is {_show(payload[name])}" for name in error.fields if name in payload)
    told = f" {values}." if values else ""
    remedy = _REMEDIES.get(error.code, "Correct what the CRM names; the next run sends the record again.")
    return f"{crm_name} refused the record ({error.code}): {error.message.rstrip('.')}.{told} {remedy}"


def is_stale_account(result: RowResult, *, field_name: str) -> bool:
    """Whether the CRM may not know the account remembered for the person; it does not always name the field."""
    codes = {"INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"}
    return any(
        error.code in codes and (not error.fields or field_name.lower() in {name.lower() for name in error.fields})
        for error in result.errors
    )


def _show(value: Any) -> str:
    text = str(value)
    if len(text) > _SHOWN_CHARACTERS:
        return f"{text[:_SHOWN_CHARACTERS]!r}… ({len(text)} characters)"
    return repr(text)
