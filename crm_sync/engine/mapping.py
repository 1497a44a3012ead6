"""Map Vault records to CRM fields, and CRM records to Vault attributes: pure functions without I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from connections.choices import DeletionMode, FieldRuleKind
from crm_sync.choices import LinkState
from ctms.core.choices import RecordStatus
from ctms.core.json_text import write_json
from ctms.core.utf16 import cut_text, measure_text
from exceptions_log.choices import ErrorType

_RECORD, _CALL = "The record", "The call"
_YES_NO: dict[str, Any] = {"true": True, "false": False}

if TYPE_CHECKING:
    from uuid import UUID

    from crm_sync.crm.dialect import CrmDialect, CrmRow
    from crm_sync.engine.rules.compiled import CompiledField, CompiledIntegration


class SourceRecord(Protocol):
    """A Vault record with what the plan's rules read of it, in their order."""

    status: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingProblem:
    """Why a record cannot be transferred, in words a user can act on.

    `cause` says the same without the record's own values, so that equal causes are one problem; if it is empty, it
    follows from the message.
    """

    error_type: ErrorType
    message: str
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentState:
    """State of a record referred to: whether it is to be sent to this CRM, and the state of its link there."""

    uid: UUID | None
    name: str | None
    is_eligible: bool
    link_state: str | None


@dataclass(slots=True, kw_only=True)
class Mapped:
    """The result of mapping a record, which is not transferred if there are problems.

    `blocked_by` names a parent that has to be sent before the record.
    """

    payload: dict[str, Any] = field(default_factory=dict)
    problems: list[MappingProblem] = field(default_factory=list)
    blocked_by: str = ""

    def compute_digest(self) -> str:
        """Return the SHA-256 of the payload, in hexadecimal."""
        return hashlib.sha256(write_json(self.payload, default=str, sort_keys=True)).hexdigest()


def map_record(
    *,
    plan: CompiledIntegration,
    record: SourceRecord,
    account: str | MappingProblem | None,
    parents: dict[str, ParentState],
    link: str,
    crm: CrmDialect,
    deletion_base: str = "",
) -> Mapped:
    """Map a Vault record to the fields of its CRM object.

    `account` is the account id of its person, or the problem if there is none; `parents` are the records referred to
    that this connection sends, by target field; `link` is the address of the record's page; `crm` spells values and
    references; `deletion_base` is the text last sent to the deletion field.
    """
    mapped = Mapped()
    for rule, source in zip(plan.fields, record.values, strict=True):
        kind = rule.kind
        if kind is FieldRuleKind.PERSON_ACCOUNT:
            _put_account(mapped=mapped, rule=rule, account=account)
        elif kind is FieldRuleKind.REFERENCE:
            if rule.target in parents:
                _put_parent(mapped=mapped, rule=rule, parent=parents[rule.target], crm=crm)
        elif kind is FieldRuleKind.RECORD_LINK:
            mapped.payload[rule.target] = link
        else:
            value = crm.encode_value(_convert_source(mapped=mapped, rule=rule, value=source))
            if value is None or value == "":
                _put(mapped=mapped, rule=rule, value=None)
            else:
                mapped.payload[rule.target] = value
    if plan.deletion_mode == DeletionMode.APPEND:
        _put_deletion(mapped=mapped, plan=plan, is_inactive=record.status == RecordStatus.INACTIVE, base=deletion_base)
    return mapped


def _put_deletion(*, mapped: Mapped, plan: CompiledIntegration, is_inactive: bool, base: str) -> None:
    """Mark an inactive record in the deletion field, because the CRM object has no status; unmark an active one.

    If no active rule fills the field, the text that the CRM has, `base`, is kept.
    """
    is_filled = plan.deletion_field in mapped.payload
    text = str(mapped.payload[plan.deletion_field] or "") if is_filled else base
    if is_inactive:
        mapped.payload[plan.deletion_field] = append_deletion(plan=plan, base=text)
    elif not is_filled and _shows_deletion(plan=plan, base=base):
        mapped.payload[plan.deletion_field] = base.removesuffix(plan.deletion_value).rstrip() or None


def _shows_deletion(*, plan: CompiledIntegration, base: str) -> bool:
    return base == plan.deletion_value or base.endswith(f" {plan.deletion_value}")


def map_deletion(*, plan: CompiledIntegration, base: str) -> dict[str, Any]:
    """Map a deleted record to the field that marks its deletion; `base` is the text last sent to that field."""
    if plan.deletion_mode == DeletionMode.APPEND:
        return {plan.deletion_field: append_deletion(plan=plan, base=base)}
    return {plan.deletion_field: plan.deletion_value}


def append_deletion(*, plan: CompiledIntegration, base: str) -> str:
    """Return a text that ends with the rule's deletion value, once, cut to the length of the field."""
    word = plan.deletion_value
    if _shows_deletion(plan=plan, base=base):
        return cut_text(base, plan.deletion_max_length)
    room = plan.deletion_max_length - measure_text(word) - 1
    return f"{cut_text(base, room).rstrip()} {word}".strip()


def map_call(*, plan: CompiledIntegration, call: CrmRow, person: Any, crm: CrmDialect) -> Mapped:
    """Map a CRM record to attributes of the Vault's model; `person` is the key of its person, or the problem."""
    mapped = Mapped()
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.PERSON_ACCOUNT:
            if isinstance(person, MappingProblem):
                mapped.problems.append(person)
            elif rule.end is not None:
                mapped.payload[f"{rule.end.attribute}_id"] = person
            continue
        if rule.kind == FieldRuleKind.FORMATTED_PERSON:
            value: Any = format_crm_user(call, rule.source, crm=crm)
        else:
            value = _convert_call(mapped=mapped, rule=rule, value=call.get(rule.source))
        if rule.end is not None:
            _put(mapped=mapped, rule=rule, value=value, target=rule.end.attribute, blank="")
    return mapped


def format_crm_user(call: CrmRow, path: str, *, crm: CrmDialect) -> str:
    """Return `First Last (email)` of the CRM user to whom a path leads; empty without a user."""
    first_name, last_name, email = (call.get(f"{path}.{part}") for part in crm.user_fields)
    name = " ".join(str(part) for part in (first_name, last_name) if part)
    return f"{name} ({email})" if email else name


def _convert_source(*, mapped: Mapped, rule: CompiledField, value: Any) -> Any:
    """Return what a rule makes of the value that it reads of a Vault record."""
    if rule.kind is FieldRuleKind.CONSTANT:
        return rule.constant
    if rule.kind is FieldRuleKind.FORMATTED_PERSON:
        return getattr(value, "display_contact", None)
    is_mapped, kind = rule.kind is FieldRuleKind.PICKLIST, rule.end_kind
    if kind is None:
        return _map_choice(mapped=mapped, rule=rule, value=value, origin=_RECORD) if is_mapped else value
    if not is_mapped:
        return kind.to_crm(value)
    parts = kind.split_for_crm(value)
    return kind.join_for_crm([_map_choice(mapped=mapped, rule=rule, value=part, origin=_RECORD) for part in parts])


def _convert_call(*, mapped: Mapped, rule: CompiledField, value: Any) -> Any:
    """Return what a rule makes of the value that it reads of a call."""
    if rule.kind is FieldRuleKind.CONSTANT:
        return rule.constant
    if rule.kind is FieldRuleKind.PICKLIST:
        return _map_choice(mapped=mapped, rule=rule, value=value, origin=_CALL)
    return value


def _map_choice(*, mapped: Mapped, rule: CompiledField, value: Any, origin: str) -> Any:
    key = _to_key(value)
    choices = rule.picklist_map
    found = choices[key] if key in choices else choices.get("*")
    if found is None and key:
        mapped.problems.append(
            MappingProblem(
                error_type=ErrorType.MAPPING,
                message=f"{origin} has the value {key!r} in {rule.source}, for which the field rule “{rule.label}” "
                "has no counterpart. Add it to the rule's picklist map, or change the value.",
                cause=f"{rule.source} has a value for which the field rule “{rule.label}” has no counterpart.",
            )
        )
    return found if found is None else _YES_NO.get(found, found)


def _to_key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _put(*, mapped: Mapped, rule: CompiledField, value: Any, target: str = "", blank: Any = None) -> None:
    if value in (None, ""):
        if rule.is_required:
            told = any(f"“{rule.label}”" in problem.message for problem in mapped.problems)
            if not told:
                message = (
                    f"{rule.source or rule.target} is empty, but the field rule “{rule.label}” requires it. Fill it in."
                )
                mapped.problems.append(MappingProblem(error_type=ErrorType.MAPPING, message=message))
            return
        value = blank
    mapped.payload[target or rule.target] = value


def _put_account(*, mapped: Mapped, rule: CompiledField, account: str | MappingProblem | None) -> None:
    if isinstance(account, MappingProblem):
        mapped.problems.append(account)
    elif account is None:
        if rule.is_required:
            mapped.problems.append(
                MappingProblem(error_type=ErrorType.MAPPING, message=f"{rule.source} is empty. Choose the person.")
            )
        else:
            mapped.payload[rule.target] = None
    else:
        mapped.payload[rule.target] = account


def _put_parent(*, mapped: Mapped, rule: CompiledField, parent: ParentState, crm: CrmDialect) -> None:
    if parent.is_eligible and parent.link_state is None:
        mapped.blocked_by = mapped.blocked_by or str(parent.name)
    elif parent.is_eligible and parent.link_state == LinkState.LIVE:
        name, value = crm.link_to(rule.target, field_name=rule.reference_field, value=str(parent.uid))
        mapped.payload[name] = value
    elif rule.is_required:
        mapped.problems.append(
            MappingProblem(
                error_type=ErrorType.MAPPING,
                message=f"{rule.source} is empty or not transferred, but the field rule “{rule.label}” requires it.",
            )
        )
    else:
        mapped.payload[rule.target] = None
