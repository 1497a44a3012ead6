"""Compile the rules of an integration once a run, before anything is read or sent.

Raises ConfigurationError for rules that are wrong, naming the rule and the remedy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from connections.choices import DeletionMode, FieldRuleKind
from connections.fieldchecks import find_filling_problem, find_source_problem, find_target_problem
from connections.filters import RuleFilter, compile_filter
from crm_sync.crm.errors import ConfigurationError
from ctms.configuration.identifiers import find_identifier_problem
from ctms.configuration.registry import (
    ObjectField,
    UnknownFieldError,
    UnknownObjectError,
    VaultObject,
    get_object,
    get_object_of_model,
    resolve_path,
)
from ctms.configuration.selectors import get_application_settings
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.models import AuditedModel
from ctms.records.conditions.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db import models

    from connections.models import Connection, FieldRule, Integration, IntegrationRule
    from ctms.configuration.models import ApplicationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierMapping:
    """The field of Person and the field of Account that identify a person: equal, unique, case-sensitive."""

    person_field: ObjectField
    account_field: str

    @property
    def key(self) -> str:
        """Text that each match is stored with, so that those found with another mapping are not used."""
        return f"{self.person_field.api_name} = {self.account_field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledField:
    """One active field rule.

    `references` and `end` are its path in the Vault: that of the source if outbound, of the target if inbound.
    """

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
class CompiledParent:
    """A reference to a record that another integration of the same connection sends."""

    field: CompiledField
    path: str  # from the record to its parent, as a look-up of the ORM
    integration_id: int
    filter_attribute: str  # Yes/No attribute that is true for parents that are sent; empty if all are sent
    conditions: RuleFilter  # filter of the rule that sends the parent
    model: type[models.Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledIntegration:
    """An integration ready to run."""

    integration: Integration
    vault_object: VaultObject
    object_type: str
    filter_attribute: str
    conditions: RuleFilter  # a record is transferred if it fulfils all of them
    crm_object: str
    external_id_field: str
    crm_filter_field: str
    deletion_mode: DeletionMode
    deletion_field: str
    deletion_value: str
    deletion_max_length: int
    allow_duplicates: bool  # save records although a duplicate rule of the CRM warns
    fields: tuple[CompiledField, ...]
    parents: tuple[CompiledParent, ...]
    identifiers: IdentifierMapping | None
    digest: str
    dependencies: tuple[str, ...]
    person_field: CompiledField | None  # the rule that matches a person to an account, if there is one


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
        parents = _find_parents(integration=integration, fields=fields, siblings=siblings)
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
    conditions = RuleFilter() if integration.is_inbound else _compile_filter(integration=integration, rule=rule)
    if integration.is_inbound:
        _check_targets(integration=integration, vault_object=vault_object, fields=fields)
    _check_fields(integration=integration, vault_object=vault_object, fields=fields)
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
        digest=_digest_rules(
            integration=integration, active=active, conditions=conditions, parents=parents, identifiers=identifiers
        ),
        dependencies=()
        if integration.is_inbound
        else _find_dependencies(fields=fields, conditions=conditions, parents=parents),
        person_field=person_field,
    )


def get_identifier_mapping(connection: Connection, *, common: ApplicationSettings | None = None) -> IdentifierMapping:
    """Return the connection's mapping; what it leaves empty comes from the global mapping if that is enabled.

    Raises ConfigurationError if an identifier is missing, or is no field of Person that can identify persons.
    """
    common = common or get_application_settings()
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
    if problem := find_identifier_problem(person_name):
        raise ConfigurationError(
            f"The Clinical Person Identifier cannot identify persons: {problem}",
            remedy="It is in Application Settings or in the connection's identifier mapping.",
        )
    # The configuration in force knows the label of a custom field.
    labelled = load_configuration().get("person__sys").fields.get(person_name, person_field)
    return IdentifierMapping(person_field=labelled, account_field=account_name)


def _compile_filter(*, integration: Integration, rule: IntegrationRule) -> RuleFilter:
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


def _compile_field(*, field_rule: FieldRule, vault_object: VaultObject, inbound: bool) -> CompiledField:
    references: list[ObjectField] = []
    end: ObjectField | None = None
    path = field_rule.target if inbound else field_rule.source
    if path:
        references, end = resolve_path(vault_object=vault_object, path=path)
        end = _find_configured(end=end, references=references, vault_object=vault_object)
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
        references=tuple(references),
        end=end,
    )


def _find_configured(*, end: ObjectField, references: list[ObjectField], vault_object: VaultObject) -> ObjectField:
    """Return a custom field with its kind, as admins have configured it."""
    holder = get_object_of_model(references[-1].reference) if references and references[-1].reference else vault_object
    if not end.is_custom or holder is None:
        return end
    known = load_configuration().list_custom_fields(holder.api_name)
    return next((each for each in known if each.api_name == end.api_name), end)


def _check_targets(*, integration: Integration, vault_object: VaultObject, fields: tuple[CompiledField, ...]) -> None:
    """Raise ConfigurationError if the target of a field rule is not a stored field of the object."""
    own = {model_field.name for model_field in vault_object.model._meta.concrete_fields}
    for rule in fields:
        if rule.references or rule.end is None or rule.end.attribute not in own:
            raise ConfigurationError(
                f"The field rule “{rule.label}” of {integration.name} fills {rule.target!r}, which is no field of "
                f"{vault_object.label} that can be filled.",
                remedy="Choose another target under Connections > Integration Rules.",
            )


def _check_fields(*, integration: Integration, vault_object: VaultObject, fields: tuple[CompiledField, ...]) -> None:
    """Raise ConfigurationError if a field rule fills what is not its own, or cannot be converted.

    Rules are checked when they are typed, but what surrounds them may have changed since.
    """
    key = integration.rule.crm_external_id_field
    if not integration.is_inbound and key.lower() == integration.rule.deletion_field.lower():
        raise ConfigurationError(
            f"The integration rule of {integration.name} shows deletions in {key}, by which the transfer finds its "
            "records, so nothing was transferred.",
            remedy="Name another deletion field under Connections > Integration Rules.",
        )
    for number, rule in enumerate(fields):
        if integration.is_inbound:
            problem = find_filling_problem(rule, end=rule.end, model=vault_object.model) if rule.end else ""
        else:
            problem = find_target_problem(rule, external_id_field=key, others=fields[:number])
            problem = problem or (find_source_problem(rule, end=rule.end) if rule.end else "")
        if problem:
            raise ConfigurationError(
                f"The field rule “{rule.label}” of {integration.name} cannot be followed, so nothing was transferred. "
                f"{problem}",
                remedy="It is under Connections > Integration Rules; Restore standard rules brings back the delivered "
                "ones.",
            )


def _find_parents(
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
        try:
            conditions = _compile_filter(integration=sender, rule=rule)
        except ConfigurationError:
            # The parents' integration fails with this error, so children wait for unsent parents.
            conditions = RuleFilter()
        parents.append(
            CompiledParent(
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
    *, fields: tuple[CompiledField, ...], conditions: RuleFilter, parents: tuple[CompiledParent, ...]
) -> tuple[str, ...]:
    """Return attribute paths to the related records on which a payload depends.

    These are records that a field rule reads or refers to, and records that a filter of it or of a parent compares.
    """
    paths: dict[str, None] = {}
    for plan in fields:
        steps = [*plan.references, *([plan.end] if plan.end and plan.end.reference else [])]
        for length, step in enumerate(steps, start=1):
            if step.reference is not None and issubclass(step.reference, AuditedModel):
                paths["__".join(s.attribute for s in steps[:length])] = None
    for prefix, asked in (("", conditions), *((f"{parent.path}__", parent.conditions) for parent in parents)):
        paths |= dict.fromkeys(f"{prefix}{path}" for path in asked.list_paths())
    return tuple(paths)


def _digest_rules(
    *,
    integration: Integration,
    active: list[FieldRule],
    conditions: RuleFilter,
    parents: tuple[CompiledParent, ...],
    identifiers: IdentifierMapping | None,
) -> str:
    """Return a digest that changes when the same records would have other payloads; all are then looked at again."""
    rule = integration.rule
    described: dict[str, Any] = {
        "rule": [
            *(rule.vault_object, rule.vault_object_type, rule.vault_filter_field, rule.crm_object),
            *(rule.crm_external_id_field, rule.crm_filter_field),
            *(rule.deletion_mode, rule.deletion_field, rule.deletion_value, rule.deletion_max_length),
        ],
        "links": settings.VAULT_BASE_URL,
        "fields": [
            [f.kind, f.source, f.target, f.constant, f.picklist_map, f.reference_object, f.reference_field]
            for f in active
        ],
        "parents": [parent.field.target for parent in parents],
        "identifiers": identifiers.key if identifiers else "",
    }
    # Filters decide which records and which references are sent. They are added only where there are any, so that rules
    # without a filter keep the digest that they had before there were filters.
    filters = {parent.field.target: parent.conditions.as_stored() for parent in parents}
    if not integration.is_inbound and (rule.conditions or any(filters.values())):
        described["filters"] = {"": rule.conditions} | filters
    # Records begin and cease to fulfil a period that is relative to today without being changed.
    days = [*conditions.list_days(), *(day for parent in parents for day in parent.conditions.list_days())]
    if days:
        described["days"] = days
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
