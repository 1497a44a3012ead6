"""Write integration rules: switch them and their field rules, add field rules, set the filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import Max

from connections.choices import FieldRuleKind
from connections.defaults import list_delivered
from connections.filters import compile_filter
from connections.models import FieldRule, Integration, IntegrationRule
from ctms.audit.actors import Actor
from ctms.audit.services import create_records, save_record, update_records
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.records.conditions.errors import ConditionError

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
