"""What an integration is to do, compiled once a run from its rules in the database.

Everything that is wrong with the rules is found here, before anything is read or sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connections.choices import DeletionMode, FieldRuleKind
from connections.filters import Condition, FilterError, compile_conditions
from crm_sync.digests import digest_rules
from crm_sync.errors import ConfigurationError
from ctms.configuration.registry import (
    ObjectField,
    UnknownFieldError,
    UnknownObjectError,
    VaultObject,
    get_object,
    resolve_path,
)
from ctms.configuration.selectors import get_application_settings
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.models import AuditedModel

if TYPE_CHECKING:
    from django.db import models

    from connections.models import Connection, FieldRule, Integration, IntegrationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierMapping:
    """Which Person field and which Account field hold the same, unique, case-sensitive value."""

    person_field: ObjectField
    account_field: str

    @property
    def key(self) -> str:
        """Tells whether a remembered match was found by this mapping."""
        return f"{self.person_field.api_name} = {self.account_field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """One active field rule. `references` and `end` are its path in the Vault: source outbound, target inbound."""

    kind: FieldRuleKind
    label: str
    source: str
    target: str
    is_required: bool
    constant: str
    picklist_map: dict[str, str]
    reference_object: str
    reference_field: str
    references: tuple[ObjectField, ...] = ()
    end: ObjectField | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentPlan:
    """A reference to a record that another integration of the same connection sends."""

    field: FieldPlan
    path: str  # from the record to its parent, as the ORM spells it
    integration_id: int
    filter_attribute: str  # Yes/No attribute of the parent that makes it eligible; empty: all are
    conditions: tuple[Condition, ...]  # of the filter of the rule that sends it
    model: type[models.Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationPlan:
    """An integration ready to run."""

    integration: Integration
    vault_object: VaultObject
    object_type: str
    filter_attribute: str
    conditions: tuple[Condition, ...]  # that a record fulfils to be transferred
    crm_object: str
    external_id_field: str
    crm_filter_field: str
    deletion_mode: DeletionMode
    deletion_field: str
    deletion_value: str
    deletion_max_length: int
    fields: tuple[FieldPlan, ...]
    parents: tuple[ParentPlan, ...]
    identifiers: IdentifierMapping | None
    digest: str
    dependencies: tuple[str, ...]
    person_field: FieldPlan | None  # the one that is matched to an account, if the rules have one


def compile_plan(*, integration: Integration) -> IntegrationPlan:
    """Compile the rules of an integration. Raises ConfigurationError naming the rule and the remedy."""
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
        parents = _find_parents(integration=integration, fields=fields)
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
    conditions = () if integration.is_inbound else _compile_filter(integration=integration, rule=rule)
    if integration.is_inbound:
        _check_targets(integration=integration, vault_object=vault_object, fields=fields)
    person_field = next((f for f in fields if f.kind == FieldRuleKind.PERSON_ACCOUNT), None)
    identifiers = get_identifier_mapping(integration.connection) if person_field else None
    return IntegrationPlan(
        integration=integration,
        vault_object=vault_object,
        object_type=rule.vault_object_type,
        filter_attribute=filter_attribute,
        conditions=conditions,
        crm_object=rule.crm_object,
        external_id_field=rule.crm_external_id_field,
        crm_filter_field=rule.crm_filter_field,
        deletion_mode=DeletionMode(rule.deletion_mode),
        # As the rule that fills it spells it: the payload has it once.
        deletion_field=next(
            (each.target for each in fields if each.target.lower() == rule.deletion_field.lower()), rule.deletion_field
        ),
        deletion_value=rule.deletion_value,
        deletion_max_length=rule.deletion_max_length,
        fields=fields,
        parents=parents,
        identifiers=identifiers,
        digest=digest_rules(integration=integration, active=active, parents=parents, identifiers=identifiers),
        dependencies=()
        if integration.is_inbound
        else _find_dependencies(fields=fields, conditions=conditions, parents=parents),
        person_field=person_field,
    )


def get_identifier_mapping(connection: Connection) -> IdentifierMapping:
    """The connection's own mapping, else the global one if it is enabled.

    Raises ConfigurationError if there is neither.
    """
    common = get_application_settings()
    own = getattr(connection, "identifier_mapping", None)
    global_person = common.clinical_person_identifier if common.enable_global_crm_mapping else ""
    global_account = common.crm_account_identifier if common.enable_global_crm_mapping else ""
    person_name = (own.clinical_person_identifier if own else "") or global_person
    account_name = (own.crm_account_identifier if own else "") or global_account
    missing = [
        label
        for label, value in (("Clinical Person Identifier", person_name), ("CRM Account Identifier", account_name))
        if not value
    ]
    if missing:
        raise ConfigurationError(
            f"{connection.name} has no {' and no '.join(missing)}, so persons and accounts cannot be matched.",
            remedy="Enter a CRM Connection Identifier Mapping for the connection, or enable the global mapping in "
            "Application Settings and enter both identifiers.",
        )
    try:
        _, person_field = resolve_path(vault_object=get_object("person__sys"), path=person_name)
    except UnknownFieldError as error:
        raise ConfigurationError(
            f"The Clinical Person Identifier is no field of Person: {error}",
            remedy="Choose another one in Application Settings or in the connection's identifier mapping.",
        ) from None
    return IdentifierMapping(person_field=person_field, account_field=account_name)


def _compile_filter(*, integration: Integration, rule: IntegrationRule) -> tuple[Condition, ...]:
    """Raises ConfigurationError for a filter that cannot be applied: nothing is sent rather than everything."""
    if not rule.conditions:
        return ()
    try:
        return compile_conditions(
            configuration=load_configuration(), object_name=rule.vault_object, stored=rule.conditions
        )
    except FilterError as error:
        raise ConfigurationError(
            f"The filter of {integration.name} cannot be applied, so nothing was transferred. {error}",
            remedy="The filter is under Connections > Integration Rules.",
        ) from None


def _compile_field(*, field_rule: FieldRule, vault_object: VaultObject, inbound: bool) -> FieldPlan:
    references: list[ObjectField] = []
    end: ObjectField | None = None
    path = field_rule.target if inbound else field_rule.source
    if path:
        references, end = resolve_path(vault_object=vault_object, path=path)
    return FieldPlan(
        kind=FieldRuleKind(field_rule.kind),
        label=field_rule.name,
        source=field_rule.source,
        target=field_rule.target,
        is_required=field_rule.is_required,
        constant=field_rule.constant,
        picklist_map=field_rule.picklist_map,
        reference_object=field_rule.reference_object,
        reference_field=field_rule.reference_field,
        references=tuple(references),
        end=end,
    )


def _check_targets(*, integration: Integration, vault_object: VaultObject, fields: tuple[FieldPlan, ...]) -> None:
    """Raise ConfigurationError for a target that is no stored field of the object itself."""
    own = {model_field.name for model_field in vault_object.model._meta.concrete_fields}
    for rule in fields:
        if rule.references or rule.end is None or rule.end.attribute not in own:
            raise ConfigurationError(
                f"The field rule “{rule.label}” of {integration.name} fills {rule.target!r}, which is no field of "
                f"{vault_object.label} that can be filled.",
                remedy="Choose another target under Connections > Integration Rules.",
            )


def _find_parents(*, integration: Integration, fields: tuple[FieldPlan, ...]) -> tuple[ParentPlan, ...]:
    """References to what this connection really sends; others are left out of the payload."""
    if integration.is_inbound:
        return ()
    senders = {
        sibling.rule.crm_object.lower(): sibling  # names in the CRM ignore case
        for sibling in integration.connection.integrations.select_related("rule")
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
        try:
            conditions = _compile_filter(integration=sender, rule=rule)
        except ConfigurationError:
            conditions = ()  # The parents' own integration fails: the children of what it never sent wait.
        parents.append(
            ParentPlan(
                field=plan,
                path="__".join([*(reference.attribute for reference in plan.references), plan.end.attribute]),
                integration_id=sender.pk,
                filter_attribute=vault_object.get_field(rule.vault_filter_field).attribute
                if rule.vault_filter_field
                else "",
                conditions=conditions,
                model=vault_object.model,
            )
        )
    return tuple(parents)


def _find_dependencies(
    *, fields: tuple[FieldPlan, ...], conditions: tuple[Condition, ...], parents: tuple[ParentPlan, ...]
) -> tuple[str, ...]:
    """Attribute paths of the records on which payloads depend: when one changes, the payload may.

    They show values of these, or are sent, or refer to a parent that is sent, because of values of these.
    """
    paths: dict[str, None] = {}
    for plan in fields:
        steps = [*plan.references, *([plan.end] if plan.end and plan.end.reference else [])]
        for length, step in enumerate(steps, start=1):
            if step.reference is not None and issubclass(step.reference, AuditedModel):
                paths["__".join(s.attribute for s in steps[:length])] = None
    for prefix, asked in (("", conditions), *((f"{parent.path}__", parent.conditions) for parent in parents)):
        for condition in asked:
            if condition.subject.reference is not None:
                paths[f"{prefix}{condition.subject.reference.attribute}"] = None
    return tuple(paths)
