"""Compile the rules of an integration once a run, before anything is read or sent.

Raises ConfigurationError for rules that are wrong, naming the rule and the remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.choices import DeletionMode, FieldRuleKind
from connections.fieldpaths import resolve_rule_path
from connections.filters import RuleFilter
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.rules.checks import check_callback, check_fields, check_targets
from crm_sync.engine.rules.compiled import CompiledField, CompiledIntegration
from crm_sync.engine.rules.digest import digest_rules
from crm_sync.engine.rules.identifiers import get_identifier_mapping
from crm_sync.engine.rules.parents import compile_rule_filter, find_dependencies, find_parents
from ctms.configuration.registry import (
    ObjectField,
    UnknownFieldError,
    UnknownObjectError,
    VaultObject,
    get_object,
)
from ctms.core.choices import RecordStatus
from ctms.records.fields.kinds.base import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connections.models import FieldRule, Integration
    from ctms.configuration.models import ApplicationSettings


def compile_integration(
    *,
    integration: Integration,
    siblings: Sequence[Integration] | None = None,
    common: ApplicationSettings | None = None,
) -> CompiledIntegration:
    """Compile the rules of an integration. Raises ConfigurationError naming the rule and the remedy.

    `siblings` are the integrations of its connection with their rules, and `common` the application settings; both are
    read if the caller has not read them for several integrations at once.
    """
    rule = integration.rule
    rules = list(rule.field_rules.all())
    for field_rule in rules:
        if field_rule.is_required and field_rule.status != RecordStatus.ACTIVE:
            raise ConfigurationError(
                f"The field rule “{field_rule.name}” of {integration.name} is required but inactive, so nothing was "
                "transferred.",
                remedy="Activate it under Connections > Integration Rules.",
            )
    active = [field_rule for field_rule in rules if field_rule.status == RecordStatus.ACTIVE]
    try:
        vault_object = get_object(rule.vault_object)
        fields = tuple(
            _compile_field(field_rule=field_rule, vault_object=vault_object, inbound=integration.is_inbound)
            for field_rule in active
        )
        parents = find_parents(integration=integration, fields=fields, siblings=siblings)
        filter_attribute = vault_object.get_field(rule.vault_filter_field).attribute if rule.vault_filter_field else ""
    except (UnknownFieldError, UnknownObjectError) as error:
        raise ConfigurationError(
            f"A rule of {integration.name} names what the Vault does not have: {error}",
            remedy="Correct it under Connections > Integration Rules.",
        ) from None
    if not integration.is_inbound and not rule.crm_external_id_field:
        raise ConfigurationError(
            f"The integration rule of {integration.name} names no CRM external id field.",
            remedy="Enter it under Connections > Integration Rules.",
        )
    conditions = RuleFilter() if integration.is_inbound else compile_rule_filter(integration=integration, rule=rule)
    if integration.is_inbound:
        check_targets(integration=integration, vault_object=vault_object, fields=fields)
    check_fields(integration=integration, vault_object=vault_object, fields=fields)
    callback = next((f for f in fields if f.kind == FieldRuleKind.CALLBACK_SESSION), None)
    if callback is not None:
        check_callback(integration=integration, callback=callback)
        # Each run has another session, so that neither payloads nor their digests may hold it.
        fields = tuple(each for each in fields if each is not callback)
        active = [each for each in active if each.kind != FieldRuleKind.CALLBACK_SESSION]
    person_field = next((f for f in fields if f.kind == FieldRuleKind.PERSON_ACCOUNT), None)
    identifiers = get_identifier_mapping(integration.connection, common=common) if person_field else None
    return CompiledIntegration(
        integration=integration,
        vault_object=vault_object,
        object_type=rule.vault_object_type,
        filter_attribute=filter_attribute,
        conditions=conditions,
        crm_object=rule.crm_object,
        external_id_field=rule.crm_external_id_field,
        crm_filter_field=rule.crm_filter_field,
        deletion_mode=DeletionMode(rule.deletion_mode),
        # Spelled as in the field rule that fills it, so that a payload does not hold it twice in different case.
        deletion_field=next(
            (each.target for each in fields if each.target.lower() == rule.deletion_field.lower()), rule.deletion_field
        ),
        deletion_value=rule.deletion_value,
        deletion_max_length=rule.deletion_max_length,
        allow_duplicates=rule.allow_duplicates,
        fields=fields,
        parents=parents,
        identifiers=identifiers,
        digest=digest_rules(
            integration=integration, active=active, conditions=conditions, parents=parents, identifiers=identifiers
        ),
        dependencies=()
        if integration.is_inbound
        else find_dependencies(fields=fields, conditions=conditions, parents=parents),
        callback=callback,
        person_field=person_field,
    )


def _compile_field(*, field_rule: FieldRule, vault_object: VaultObject, inbound: bool) -> CompiledField:
    references: tuple[ObjectField, ...] = ()
    end: ObjectField | None = None
    path = field_rule.target if inbound else field_rule.source
    if path:
        references, end = resolve_rule_path(vault_object=vault_object, path=path)
    return CompiledField(
        kind=FieldRuleKind(field_rule.kind),
        label=field_rule.name,
        source=field_rule.source,
        target=field_rule.target,
        is_required=field_rule.is_required,
        constant=field_rule.constant,
        picklist_map=field_rule.picklist_map,
        reference_object=field_rule.reference_object,
        reference_field=field_rule.reference_field,
        references=references,
        end=end,
        end_kind=kind_of(end) if end is not None else None,
    )
