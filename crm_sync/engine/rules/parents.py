"""Records on which a payload depends: parents that the connection sends, and what rules and filters read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.choices import FieldRuleKind
from connections.filters import RuleFilter, compile_filter
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.rules.compiled import CompiledField, CompiledParent
from crm_sync.engine.rules.paths import RecordPath
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.models import AuditedModel
from ctms.records.conditions.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connections.models import Integration, IntegrationRule


def compile_rule_filter(*, integration: Integration, rule: IntegrationRule) -> RuleFilter:
    """Compile the filter of a rule. Raises ConfigurationError if it cannot be applied, so that nothing is sent."""
    if not rule.conditions:
        return RuleFilter()
    try:
        return compile_filter(configuration=load_configuration(), object_name=rule.vault_object, stored=rule.conditions)
    except ConditionError as error:
        raise ConfigurationError(
            f"The filter of {integration.name} cannot be applied, so nothing was transferred. {error}",
            remedy="The filter is under Connections > Integration Rules.",
        ) from None


def find_parents(
    *, integration: Integration, fields: tuple[CompiledField, ...], siblings: Sequence[Integration] | None
) -> tuple[CompiledParent, ...]:
    """Return the references to records that this connection sends; payloads leave out all others."""
    if integration.is_inbound:
        return ()
    known = integration.connection.integrations.select_related("rule") if siblings is None else siblings
    senders = {
        sibling.rule.crm_object.lower(): sibling  # names in the CRM ignore case
        for sibling in known
        if not sibling.is_inbound
        and sibling.status == RecordStatus.ACTIVE
        and sibling.rule.status == RecordStatus.ACTIVE
    }
    parents = []
    for plan in fields:
        sender = senders.get(plan.reference_object.lower())
        if plan.kind != FieldRuleKind.REFERENCE or sender is None or plan.end is None:
            continue
        rule, vault_object = sender.rule, get_object(sender.rule.vault_object)
        if plan.end.reference is not vault_object.model:
            raise ConfigurationError(
                f"The field rule “{plan.label}” of {integration.name} refers to {plan.reference_object}, which holds "
                f"the {vault_object.title} of {sender.name}, but {plan.end.label} ({plan.source}) is none of them.",
                remedy="Choose another source or CRM object for the field rule under Connections > Integration Rules.",
            )
        try:
            conditions = compile_rule_filter(integration=sender, rule=rule)
        except ConfigurationError:
            # The parents' integration fails with this error, so children wait for unsent parents.
            conditions = RuleFilter()
        parents.append(
            CompiledParent(
                field=plan,
                path=RecordPath.build([*plan.references, plan.end]),
                integration_id=sender.pk,
                filter_attribute=vault_object.get_field(rule.vault_filter_field).attribute
                if rule.vault_filter_field
                else "",
                conditions=conditions,
                model=vault_object.model,
            )
        )
    return tuple(parents)


def find_dependencies(
    *, fields: tuple[CompiledField, ...], conditions: RuleFilter, parents: tuple[CompiledParent, ...]
) -> tuple[RecordPath, ...]:
    """Return the paths to the related records on which a payload depends.

    These are records that a field rule reads or refers to, and records that a filter of it or of a parent compares.
    """
    paths: dict[RecordPath, None] = {}
    for plan in fields:
        # A custom reference that is copied is the uid that the record itself holds: nothing of the other is read.
        is_copied = plan.end is not None and plan.end.is_custom and plan.kind != FieldRuleKind.REFERENCE
        leads_on = plan.end is not None and plan.end.reference is not None and not is_copied
        steps = [*plan.references, *([plan.end] if plan.end and leads_on else [])]
        for length, step in enumerate(steps, start=1):
            if step.reference is not None and issubclass(step.reference, AuditedModel):
                paths[RecordPath.build(steps[:length])] = None
    for start, asked in ((RecordPath(), conditions), *((parent.path, parent.conditions) for parent in parents)):
        paths |= dict.fromkeys(start.extend(path) for path in asked.list_paths())
    return tuple(paths)
