"""Read from the CRM what an outbound integration sends, so that both sides can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connections.choices import FieldRuleKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crm_sync.crm.dialect import CrmDialect, CrmRow
    from crm_sync.engine.rules.compiled import CompiledField, CompiledIntegration


def list_fields(*, plan: CompiledIntegration, crm: CrmDialect) -> list[str]:
    """Return all mapped fields, the external id, and the external ids of accounts and parents."""
    fields = [plan.external_id_field]
    parents = {parent.field.target for parent in plan.parents}
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.REFERENCE:
            if rule.target in parents:
                fields.append(crm.path(rule.target, rule.reference_field))
            continue
        fields.append(rule.target)
        if rule.kind == FieldRuleKind.PERSON_ACCOUNT and plan.identifiers is not None:
            fields.append(crm.path(rule.target, plan.identifiers.account_field))
    if plan.deletion_field:
        fields.append(plan.deletion_field)
    return fields


def find_references(*, plan: CompiledIntegration, crm: CrmDialect) -> dict[str, CompiledField]:
    """Return the rules of references by the names under which payloads hold them: one for a link, and one for none."""
    references: dict[str, CompiledField] = {}
    for parent in plan.parents:
        rule = parent.field
        linked, _ = crm.link_to(rule.target, field_name=rule.reference_field, value="")
        references |= {rule.target: rule, linked: rule}
    return references


def read_sent(
    *, payload: Mapping[str, Any], row: CrmRow, references: Mapping[str, CompiledField], crm: CrmDialect
) -> dict[str, Any]:
    """Return what a row has in the fields of a payload, in the terms of payloads."""
    there: dict[str, Any] = {}
    for name in payload:
        rule = references.get(name)
        if rule is None:
            there[name] = row.get(name)
        else:
            external_id = row.get(crm.path(rule.target, rule.reference_field))
            _, link = crm.link_to(rule.target, field_name=rule.reference_field, value=str(external_id))
            there[name] = link if external_id else None
    return there
