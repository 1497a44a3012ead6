"""Write integration rules: switch them and their field rules, add field rules, set the filter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from connections.choices import FieldRuleKind
from connections.crmchecks import Finding
from connections.defaults import list_delivered
from connections.filters import compile_filter
from connections.mappingchecks import check_mapping, type_rule
from connections.models import FieldRule, Integration, IntegrationRule
from connections.models.descriptions import read_known_objects
from ctms.audit.actors import Actor
from ctms.audit.services import create_records, save_record, update_records
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.text.whole_numbers import read_whole_number
from ctms.records.conditions.errors import ConditionError

_WITHOUT_SOURCE = (FieldRuleKind.CONSTANT, FieldRuleKind.RECORD_LINK)
RESTORED = "Restore standard rules"


def switch(
    *, record: Integration | IntegrationRule | FieldRule, status: RecordStatus, actor: Actor, expected_version: int
) -> None:
    """Make a rule or an integration Active or Inactive. Raises StaleRecordError if somebody else changed it."""
    record.status = status
    save_record(record=record, actor=actor, expected_version=expected_version)


def add_field_rule(
    *, rule: IntegrationRule, kind: FieldRuleKind, target: str, source: str = "", constant: str = "", actor: Actor
) -> FieldRule:
    """Add a field rule, not required, after the others. Raises ValidationError."""
    last = rule.field_rules.aggregate(last=Max("position"))["last"] or 0
    field_rule = FieldRule(
        rule=rule, kind=kind, source=source, constant=constant, target=target, position=min(last + 1, 32_767)
    )
    save_record(record=field_rule, actor=actor)
    return field_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRule:
    """What is said of a field rule that is being typed."""

    problems: list[str]
    findings: list[Finding]
    is_known: bool  # whether the CRM has described the object
    is_complete: bool


def check_typed_rule(*, rule: IntegrationRule, typed: Mapping[str, str]) -> CheckedRule:
    """Check a field rule as it is typed, without writing it."""
    kind = typed.get("kind", "")
    kind = kind if kind in FieldRuleKind.values else FieldRuleKind.COPY
    texts = {name: typed.get(name, "").strip() for name in ("source", "target", "constant")}
    field_rule = FieldRule(
        rule=rule,
        kind=kind,
        reference_object=typed.get("reference_object", ""),
        reference_field=typed.get("reference_field", ""),
        is_required=typed.get("is_required") == "on",
        **texts,
    )
    key = read_whole_number(typed.get("field_rule", ""))
    stored = rule.field_rules.filter(pk=key).first() if key is not None else None
    if stored is not None:  # being edited
        field_rule.pk, field_rule.picklist_map = stored.pk, stored.picklist_map
    with suppress(ValueError, RecursionError):
        field_rule.picklist_map = json.loads(typed.get("picklist_map", ""))
    is_complete = bool(texts["target"] and (texts["source"] or kind in _WITHOUT_SOURCE))
    known = read_known_objects(rule.integration.connection)
    is_known = known.find(rule.crm_object) is not None
    if not is_complete:
        return CheckedRule(problems=[], findings=[], is_known=is_known, is_complete=False)
    problems: list[str] = []
    try:
        end = field_rule.check_vault_side()
    except ValidationError as error:
        return CheckedRule(problems=error.messages, findings=[], is_known=is_known, is_complete=True)
    findings = check_mapping(
        rule=type_rule(field_rule, end=end),
        crm_object=rule.crm_object,
        is_inbound=rule.integration.is_inbound,
        known=known,
    )
    return CheckedRule(problems=problems, findings=findings, is_known=is_known, is_complete=True)


def restore_standard_rules(*, rule: IntegrationRule, actor: Actor) -> int:
    """Make the delivered field rules of an integration what they were when delivered, and Active; count the changes.

    Those that are missing are created. Rules that admins added stay; one of them that conflicts with a delivered rule
    is refused before the next run.
    """
    delivered = list_delivered(rule.integration.kind)
    with transaction.atomic():
        present = {each.target.lower(): each for each in rule.field_rules.select_for_update().order_by("pk")}
        restored: list[FieldRule] = []
        new: list[FieldRule] = []
        for position, default in enumerate(delivered, start=1):
            field_rule = present.get(default.target.lower())
            (restored if field_rule else new).append(field_rule := field_rule or FieldRule(rule=rule))
            field_rule.position, field_rule.status, field_rule.constant = position, RecordStatus.ACTIVE, ""
            for name, value in asdict(default).items():
                setattr(field_rule, name, value)
        changed = update_records(records=restored, actor=actor, reason=RESTORED)
        create_records(records=new, actor=actor, reason=RESTORED)
    return len(changed) + len(new)


def set_filter(
    *, rule: IntegrationRule, conditions: Sequence[dict[str, Any]], actor: Actor, expected_version: int
) -> bool:
    """Replace the filter of a rule; return whether it changed.

    Raises ConditionError for an invalid condition, and StaleRecordError if somebody else changed the rule.
    """
    if rule.integration.is_inbound:
        raise ConditionError(f"{rule.integration.name} has no filter: the CRM marks what it sends.")
    compiled = compile_filter(
        configuration=load_configuration(), object_name=rule.vault_object, stored=list(conditions)
    )
    rule.conditions = compiled.as_stored()
    return save_record(record=rule, actor=actor, expected_version=expected_version)


def count_matching(rule: IntegrationRule) -> tuple[int, int]:
    """Return how many records pass the filter now, and how many there are."""
    records = get_object(rule.vault_object).model._base_manager.all()
    if rule.vault_object_type:
        records = records.filter(object_type=rule.vault_object_type)
    compiled = compile_filter(configuration=load_configuration(), object_name=rule.vault_object, stored=rule.conditions)
    return compiled.limit(records).count(), records.count()
