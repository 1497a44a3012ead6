"""Check the rules of an integration against the CRM's descriptions of its objects: names and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.callbacks import TEXT_LENGTH
from connections.choices import DeletionMode, FieldRuleKind
from connections.crmchecks import (
    Finding,
    check_external_id,
    check_source,
    check_target,
    check_values,
    miss_field,
    miss_object,
    name_rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connections.crmdescription import Describe, DescribedObject
    from crm_sync.crm.dialect import CrmDialect
    from crm_sync.engine.rules.compiled import CompiledField, CompiledIntegration


def check_plan(*, plan: CompiledIntegration, crm: CrmDialect, describe: Describe) -> list[Finding]:
    """Return the problems of an integration's rules in this CRM; raises what `describe` raises.

    Of `crm` only the spelling is used; no call is made.
    """
    described = describe(plan.crm_object)
    if described is None:
        return [miss_object(plan.crm_object)]
    if plan.integration.is_inbound:
        return list(_check_inbound(plan=plan, crm=crm, described=described, describe=describe))
    return list(_check_outbound(plan=plan, described=described, describe=describe))


# -- Inbound: fields read -------------------------------------------------------------------------
def _check_inbound(
    *, plan: CompiledIntegration, crm: CrmDialect, described: DescribedObject, describe: Describe
) -> Iterator[Finding]:
    if not described.is_queryable:
        yield Finding(
            message=f"The CRM user may not read {described.name}.", remedy="Let the CRM user read the object's records."
        )
    for name in (*crm.fields_of_every_row, crm.name_field):
        if described.find_field(name) is None:
            yield miss_field(described=described, name=name, named_by="every transfer reads")
    if plan.crm_filter_field:
        field = described.find_field(plan.crm_filter_field)
        if field is None:
            yield miss_field(described=described, name=plan.crm_filter_field, named_by="the integration rule names")
        elif field.type != "boolean":
            yield Finding(
                message=f"{field.name} of {described.name} is no checkbox, so it cannot mark what to receive.",
                remedy="Choose a checkbox as CRM filter field of the integration rule.",
            )
    yield from _check_sources(plan=plan, crm=crm, described=described, describe=describe)


def _check_sources(
    *, plan: CompiledIntegration, crm: CrmDialect, described: DescribedObject, describe: Describe
) -> Iterator[Finding]:
    for rule in plan.fields:
        for path in _list_sources(plan=plan, crm=crm, rule=rule):
            found = described.find_path(path, describe=describe)
            if found is None:
                yield miss_field(described=described, name=path, named_by=name_rule(rule))
            elif path == rule.source:
                yield from check_source(described=described, field=found, rule=rule)


def _list_sources(*, plan: CompiledIntegration, crm: CrmDialect, rule: CompiledField) -> list[str]:
    if rule.kind == FieldRuleKind.CONSTANT:
        return []
    if rule.kind == FieldRuleKind.FORMATTED_PERSON:
        return [f"{rule.source}.{part}" for part in crm.user_fields]
    if rule.kind == FieldRuleKind.PERSON_ACCOUNT and plan.identifiers is not None:
        return [rule.source, crm.path(rule.source, plan.identifiers.account_field)]
    return [rule.source]


# -- Outbound: fields written ---------------------------------------------------------------------
def _check_outbound(*, plan: CompiledIntegration, described: DescribedObject, describe: Describe) -> Iterator[Finding]:
    lacking = [
        verb
        for verb, is_allowed in (
            ("read", described.is_queryable),
            ("create", described.is_createable),
            ("change", described.is_updateable),
        )
        if not is_allowed
    ]
    if lacking:
        yield Finding(
            message=f"The CRM user may not {' or '.join(lacking)} records of {described.name}.",
            remedy="Give the CRM user this permission for the object.",
        )
    yield from check_external_id(described=described, name=plan.external_id_field)
    parents = {parent.field.target for parent in plan.parents}
    filled = {plan.external_id_field.lower()}
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.REFERENCE and rule.target not in parents:
            continue  # this connection does not send the record referred to, so the field is not filled
        filled.add(rule.target.lower())
        yield from check_target(described=described, rule=rule, describe=describe)
    if plan.callback is not None:
        yield from _check_callback(described=described, rule=plan.callback, describe=describe)
    yield from _check_deletion(plan=plan, described=described)
    for field in described.fields.values():
        if field.is_needed and field.name.lower() not in filled:
            yield Finding(
                message=f"{described.name} needs a value in {field.name}, which no active field rule fills.",
                remedy="Add or activate a field rule for it, or let the CRM accept records without it.",
            )


def _check_callback(*, described: DescribedObject, rule: CompiledField, describe: Describe) -> Iterator[Finding]:
    """Find a field that cannot take the text of a call-back session."""
    yield from check_target(described=described, rule=rule, describe=describe)
    field = described.find_field(rule.target)
    if field is not None and 0 < field.length < TEXT_LENGTH:
        yield Finding(
            message=f"{field.name} of {described.name} takes {field.length} characters, and a call-back session has "
            f"{TEXT_LENGTH}, so the CRM would refuse every record.",
            remedy=f"Give the field a length of at least {TEXT_LENGTH}, or name another one in the field rule.",
        )


def _check_deletion(*, plan: CompiledIntegration, described: DescribedObject) -> Iterator[Finding]:
    if plan.deletion_mode == DeletionMode.INACTIVATE or not plan.deletion_field:
        return
    field = described.find_field(plan.deletion_field)
    named_by = "the integration rule shows deletions in"
    if field is None:
        yield miss_field(described=described, name=plan.deletion_field, named_by=named_by)
        return
    if not field.is_updateable:
        yield Finding(
            message=f"{field.name} of {described.name}, which {named_by}, may not be changed by the CRM user.",
            remedy="Let the CRM user edit the field, or choose another deletion field.",
        )
    if plan.deletion_mode == DeletionMode.SET:
        yield from check_values(described=described, field=field, values={plan.deletion_value}, named_by=named_by)
    elif 0 < field.length < plan.deletion_max_length:
        yield Finding(
            message=f"{field.name} of {described.name} takes {field.length} characters, but the integration rule says "
            f"{plan.deletion_max_length}.",
            remedy=f"Enter {field.length} as deletion max length of the integration rule.",
            is_warning=True,
        )
