"""From a record to what is sent, and from what is received to a record: pure functions, no I/O."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connections.choices import DeletionMode, FieldRuleKind
from crm_sync.choices import LinkState
from ctms.configuration.registry import read_path
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from uuid import UUID

    from crm_sync.plans import FieldPlan, IntegrationPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a record cannot be transferred, in words a user can act on."""

    error_type: ErrorType
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentState:
    """What is known of a record referred to: whether it is to be in this CRM, and whether it is."""

    uid: UUID | None
    name: str | None
    is_eligible: bool
    link_state: str | None


@dataclass(slots=True, kw_only=True)
class Mapped:
    """What a record maps to. With problems it is not transferred; blocked, it waits for the record named."""

    payload: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    blocked_by: str = ""

    def compute_digest(self) -> str:
        """SHA-256 of the payload, equal for equal payloads."""
        return hashlib.sha256(json.dumps(self.payload, sort_keys=True, default=str).encode()).hexdigest()


def map_record(
    *,
    plan: IntegrationPlan,
    record: Any,
    account: str | Problem | None,
    parents: dict[str, ParentState],
    link: str,
    deletion_base: str = "",
) -> Mapped:
    """Map a Vault record to the fields of its CRM object.

    `account` is the account id of its person or why there is none; `parents` are the records referred to that this
    connection transfers, by target field; `link` is the address of the record's page; `deletion_base` is the last text
    of the deletion field.
    """
    mapped = Mapped()
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.PERSON_ACCOUNT:
            _put_account(mapped=mapped, rule=rule, account=account)
        elif rule.kind == FieldRuleKind.REFERENCE:
            if rule.target in parents:
                _put_parent(mapped=mapped, rule=rule, parent=parents[rule.target])
        elif rule.kind == FieldRuleKind.RECORD_LINK:
            mapped.payload[rule.target] = link
        else:
            value = _read_source(rule=rule, record=record)
            _put(mapped=mapped, rule=rule, value=_convert(mapped=mapped, rule=rule, value=value, origin="The record"))
    if plan.deletion_mode == DeletionMode.APPEND:
        _put_deletion(mapped=mapped, plan=plan, is_inactive=record.status == RecordStatus.INACTIVE, base=deletion_base)
    return mapped


def _put_deletion(*, mapped: Mapped, plan: IntegrationPlan, is_inactive: bool, base: str) -> None:
    """The CRM object has no status of its own: an inactive record is shown as deleted until it is active again.

    `base` is what the CRM has where no active rule fills the field (any more): it is kept.
    """
    is_filled = plan.deletion_field in mapped.payload
    text = str(mapped.payload[plan.deletion_field] or "") if is_filled else base
    if is_inactive:
        mapped.payload[plan.deletion_field] = append_deletion(plan=plan, base=text)
    elif not is_filled and _shows_deletion(plan=plan, base=base):
        mapped.payload[plan.deletion_field] = base.removesuffix(plan.deletion_value).rstrip() or None


def _shows_deletion(*, plan: IntegrationPlan, base: str) -> bool:
    return base == plan.deletion_value or base.endswith(f" {plan.deletion_value}")


def map_deletion(*, plan: IntegrationPlan, base: str) -> dict[str, Any]:
    """What the CRM record of a deleted Vault record is changed to; `base` is the last text of the deletion field."""
    if plan.deletion_mode == DeletionMode.APPEND:
        return {plan.deletion_field: append_deletion(plan=plan, base=base)}
    return {plan.deletion_field: plan.deletion_value}


def append_deletion(*, plan: IntegrationPlan, base: str) -> str:
    """Append the deletion's word to a text, once, within the length of the field."""
    word = plan.deletion_value
    if _shows_deletion(plan=plan, base=base):
        return base[: plan.deletion_max_length]
    room = plan.deletion_max_length - len(word) - 1
    return f"{base[:room].rstrip()} {word}".strip()


def map_call(*, plan: IntegrationPlan, call: dict[str, Any], person: Any) -> Mapped:
    """Map a record of the CRM to attributes of the Vault's model. `person` is the matched Person, or a Problem."""
    mapped = Mapped()
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.PERSON_ACCOUNT:
            if isinstance(person, Problem):
                mapped.problems.append(person)
            elif rule.end is not None:
                mapped.payload[f"{rule.end.attribute}_id"] = person
            continue
        if rule.kind == FieldRuleKind.FORMATTED_PERSON:
            value: Any = format_crm_user(call.get(rule.source))
        else:
            value = _convert(mapped=mapped, rule=rule, value=_read_call(call, rule.source), origin="The call")
        if rule.end is not None:
            _put(mapped=mapped, rule=rule, value=value, target=rule.end.attribute, blank="")
    return mapped


def format_crm_user(user: Any) -> str:
    """`First Last (email)` of a CRM user as a relationship query returns it."""
    if not isinstance(user, dict):
        return ""
    name = " ".join(str(user[part]) for part in ("FirstName", "LastName") if user.get(part))
    email = user.get("Email")
    return f"{name} ({email})" if email else name


def _read_call(call: dict[str, Any], path: str) -> Any:
    value: Any = call
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _read_source(*, rule: FieldPlan, record: Any) -> Any:
    if rule.end is None:
        return None
    return read_path(record=record, references=list(rule.references), end=rule.end)


def _convert(*, mapped: Mapped, rule: FieldPlan, value: Any, origin: str) -> Any:
    if rule.kind == FieldRuleKind.CONSTANT:
        return rule.constant
    if rule.kind == FieldRuleKind.FORMATTED_PERSON:
        return getattr(value, "display_contact", None)
    if rule.kind == FieldRuleKind.PICKLIST:
        key = _to_key(value)
        found = rule.picklist_map.get(key, rule.picklist_map.get("*"))
        if found is None and key:
            mapped.problems.append(
                Problem(
                    error_type=ErrorType.MAPPING,
                    message=f"{origin} has the value {key!r} in {rule.source}, for which the field rule “{rule.label}” "
                    "has no counterpart. Add it to the rule's picklist map, or change the value.",
                )
            )
        return {"true": True, "false": False}.get(found or "", found)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if isinstance(value, dt.date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _to_key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _put(*, mapped: Mapped, rule: FieldPlan, value: Any, target: str = "", blank: Any = None) -> None:
    if value in (None, ""):
        if rule.is_required:
            told = any(f"“{rule.label}”" in problem.message for problem in mapped.problems)
            if not told:
                message = (
                    f"{rule.source or rule.target} is empty, but the field rule “{rule.label}” requires it. Fill it in."
                )
                mapped.problems.append(Problem(error_type=ErrorType.MAPPING, message=message))
            return
        value = blank
    mapped.payload[target or rule.target] = value


def _put_account(*, mapped: Mapped, rule: FieldPlan, account: str | Problem | None) -> None:
    if isinstance(account, Problem):
        mapped.problems.append(account)
    elif account is None:
        if rule.is_required:
            mapped.problems.append(
                Problem(error_type=ErrorType.MAPPING, message=f"{rule.source} is empty. Choose the person.")
            )
        else:
            mapped.payload[rule.target] = None
    else:
        mapped.payload[rule.target] = account


def _put_parent(*, mapped: Mapped, rule: FieldPlan, parent: ParentState) -> None:
    if parent.is_eligible and parent.link_state is None:
        mapped.blocked_by = mapped.blocked_by or str(parent.name)
    elif parent.is_eligible and parent.link_state == LinkState.LIVE:
        mapped.payload[build_relationship(rule.target)] = {rule.reference_field: str(parent.uid)}
    elif rule.is_required:
        mapped.problems.append(
            Problem(
                error_type=ErrorType.MAPPING,
                message=f"{rule.source} is empty or not transferred, but the field rule “{rule.label}” requires it.",
            )
        )
    else:
        mapped.payload[rule.target] = None


def build_relationship(field_name: str) -> str:
    """Name of the relationship of a reference field: `X__c` → `X__r`, `AccountId` → `Account`."""
    if field_name.endswith("__c"):
        return f"{field_name[:-3]}__r"
    return field_name.removesuffix("Id")
