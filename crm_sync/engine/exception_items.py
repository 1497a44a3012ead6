"""Build exception items that say which record failed, which value was refused, and what to do."""

from __future__ import annotations

import hashlib
import json
import traceback
from typing import TYPE_CHECKING, Any

from crm_sync.crm.errors import CrmError, Meaning
from crm_sync.models import TransferLink
from ctms.core.utf16 import measure_text
from exceptions_log.causes import strip_values
from exceptions_log.choices import ErrorType
from exceptions_log.models import INTEGRATION_KEY, Failure

if TYPE_CHECKING:
    from uuid import UUID

    from connections.models import Integration
    from crm_sync.crm.dialect import CrmRow
    from crm_sync.crm.errors import RowError, RowResult
    from crm_sync.engine.links import AnyLink
    from crm_sync.engine.mapping import MappingProblem
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from ctms.configuration.registry import VaultObject

_SHOWN_CHARACTERS = 80
_OWN_PACKAGES = frozenset({"activities", "connections", "crm_sync", "ctms", "exceptions_log"})

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
    problems: list[MappingProblem],
    payload: dict[str, Any],
    record_uid: UUID | None = None,
    crm_id: str = "",
) -> Failure:
    """Build the exception item of one Vault record; `record` is None if it was deleted."""
    uid = record.uid if record is not None else record_uid
    label = vault_object.label.capitalize()
    shown = str(record) if record is not None else str(uid)
    return Failure(
        key=str(uid),
        name=f"{label} {shown}",
        error_type=problems[0].error_type,
        error_message=" ".join(problem.message for problem in problems),
        cause=_join_causes(problems),
        item=f"{vault_object.api_name}: {shown}",
        item_data=payload,
        record_object=vault_object.api_name,
        record_uid=uid,
        crm_id=crm_id or (getattr(record, "link_crm_id", "") or ""),
        record_version=record.version if record is not None else None,
        dependency_version=record.dependency_sum if record is not None else None,
    )


def build_call_failure(*, crm_object: str, call: CrmRow, problems: list[MappingProblem]) -> Failure:
    """Build the exception item of one CRM record that could not be received."""
    crm_id = call.crm_id[:18]
    return Failure(
        key=crm_id or _digest(call),
        name=f"CRM call {call.name or crm_id or 'without Id'}",
        error_type=problems[0].error_type,
        error_message=" ".join(problem.message for problem in problems),
        cause=_join_causes(problems),
        item=f"{crm_object}: {crm_id}",
        item_data=dict(call.values),
        record_object="",
        crm_id=crm_id,
    )


def build_unwritten(*, plan: CompiledIntegration, link: AnyLink, error: Exception) -> Failure:
    """Build the exception item of a record that the CRM took, but whose link the Vault's database refused."""
    model: Any = plan.vault_object.model
    record = model._base_manager.filter(uid=link.record_uid).first()
    shown = str(record or link.record_uid)
    crm, key = plan.integration.connection.name, plan.external_id_field
    links = TransferLink.objects.filter(integration=plan.integration, crm_id=link.crm_id).exclude(crm_id="")
    owner = links.exclude(record_uid=link.record_uid).first()
    if owner is not None:
        other = model._base_manager.filter(uid=owner.record_uid).first()
        message = (
            f"{crm} answered with its record {link.crm_id}, but that is the record of {other or owner.record_uid}: "
            f"somebody changed {key} there. Correct {key} of {link.crm_id} in {crm} to {owner.record_uid}; the next "
            "run sends both records again."
        )
        cause = f"{crm} answered with the record of another one: somebody changed {key} there."
    else:
        message = (
            f"{crm} took the record, but the Vault's database refused to note that ({type(error).__name__}): the CRM's "
            f"id has {len(link.crm_id)} characters, and ids have 18. Look for what alters the CRM's answers, such as a "
            "proxy; the next run sends the record again."
        )
        cause = f"{crm} took the record, but the Vault's database refused its id ({type(error).__name__})."
    return Failure(
        key=str(link.record_uid),
        name=f"{plan.vault_object.label.capitalize()} {shown}",
        error_type=ErrorType.REJECTED,
        error_message=message,
        cause=cause,
        item=f"{plan.vault_object.api_name}: {shown}",
        record_object=plan.vault_object.api_name,
        record_uid=link.record_uid,
        crm_id=link.crm_id[:18],
        record_version=link.version,
        dependency_version=link.dependency_version,
    )


def describe_unexpected(error: Exception) -> CrmError:
    """Return an error that names the type of an unexpected exception and the place in the program where it was raised.

    The exception's own text is left out, because it may hold values of records.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in frames if frame.f_globals.get("__name__", "").partition(".")[0] in _OWN_PACKAGES]
    frame = (own or frames)[-1]
    place = f"{frame.f_globals.get('__name__')}, {frame.f_code.co_qualname}"
    return CrmError(
        f"An unexpected {type(error).__name__} ended the integration (in {place}).",
        code=type(error).__name__,
        remedy="The next run tries again; if it fails again, show this text and the worker's log to IT operations.",
    )


def build_integration_failure(*, integration: Integration, error: CrmError) -> Failure:
    """Build the exception item of an integration, or of a whole connection, that could not run."""
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
    """Return a message with the CRM's error for one record, the values that it refused, and the remedy."""
    values = "; ".join(f"{name} is {_show(payload[name])}" for name in error.fields if name in payload)
    told = f" {values}." if values else ""
    remedy = error.remedy or "Correct what the CRM names; the next run sends the record again."
    return f"{crm_name} refused the record ({error.code}): {error.message.rstrip('.')}.{told} {remedy}"


def name_row_cause(error: RowError) -> str:
    """Return what the CRM's errors of equal cause have in common: code and fields; of a validation rule also its text.

    The texts of other errors hold values of the record.
    """
    fields = f" in {', '.join(sorted(error.fields))}" if error.fields else ""
    told = f": {strip_values(error.message)}" if Meaning.RULE_OF_THE_CRM in error.meanings else ""
    return f"{error.code}{fields}{told}"


def is_stale_account(result: RowResult, *, field_name: str) -> bool:
    """Whether the CRM may have refused the account in `field_name`; its errors do not always name the field."""
    return any(
        Meaning.REFERENCE_REFUSED in error.meanings
        and (not error.fields or field_name.lower() in {name.lower() for name in error.fields})
        for error in result.errors
    )


def _join_causes(problems: list[MappingProblem]) -> str:
    return " ".join(dict.fromkeys(problem.cause or strip_values(problem.message) for problem in problems))


def _digest(call: CrmRow) -> str:
    """Return a key for a CRM record without id: equal as long as its values are."""
    return (
        "without-id-" + hashlib.sha256(json.dumps(call.values, sort_keys=True, default=str).encode()).hexdigest()[:32]
    )


def _show(value: Any) -> str:
    text = str(value)
    if len(text) > _SHOWN_CHARACTERS:
        return f"{text[:_SHOWN_CHARACTERS]!r}… ({measure_text(text)} characters)"
    return repr(text)
