"""Writing integration rules: what is switched on, what is added, and what is let through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Max

from connections.choices import FieldRuleKind
from connections.filters import MOST_CONDITIONS, FilterError, compile_conditions, limit_records
from connections.models import FieldRule, Integration, IntegrationRule
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus


def switch(
    *, record: Integration | IntegrationRule | FieldRule, status: RecordStatus, actor: Actor, expected_version: int
) -> None:
    """Make a rule or an integration Active or Inactive. Raises StaleRecordError if somebody else changed it."""
    record.status = status
    save_record(record=record, actor=actor, expected_version=expected_version)


def add_field_rule(
    *, rule: IntegrationRule, kind: FieldRuleKind, target: str, source: str = "", constant: str = "", actor: Actor
) -> FieldRule:
    """Add a field rule behind the others, not required. Raises ValidationError."""
    last = rule.field_rules.aggregate(last=Max("position"))["last"] or 0
    field_rule = FieldRule(
        rule=rule, kind=kind, source=source, constant=constant, target=target, position=min(last + 1, 32_767)
    )
    save_record(record=field_rule, actor=actor)
    return field_rule


def set_filter(
    *, rule: IntegrationRule, conditions: Sequence[dict[str, Any]], actor: Actor, expected_version: int
) -> bool:
    """Replace the filter of a rule; whether anything changed.

    Raises FilterError for what cannot be asked, and StaleRecordError if somebody else changed the rule.
    """
    if rule.integration.is_inbound:
        raise FilterError(f"{rule.integration.name} has no filter: the CRM marks what it sends.")
    if len(conditions) > MOST_CONDITIONS:
        raise FilterError(f"A filter has at most {MOST_CONDITIONS} conditions. Remove some.")
    compiled = compile_conditions(
        configuration=load_configuration(), object_name=rule.vault_object, stored=list(conditions)
    )
    rule.conditions = [condition.as_stored() for condition in compiled]
    return save_record(record=rule, actor=actor, expected_version=expected_version)


def count_matching(rule: IntegrationRule) -> tuple[int, int]:
    """How many records the filter lets through now, and of how many."""
    records = get_object(rule.vault_object).model._base_manager.all()
    if rule.vault_object_type:
        records = records.filter(object_type=rule.vault_object_type)
    conditions = compile_conditions(
        configuration=load_configuration(), object_name=rule.vault_object, stored=rule.conditions
    )
    return limit_records(records=records, conditions=conditions).count(), records.count()
