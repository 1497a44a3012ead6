"""Rows and facts for the page of an integration rule: its field rules and its filter, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connections.choices import DeletionMode, FieldRuleKind
from connections.crmdescription import KnownObjects
from connections.defaults import is_delivered
from connections.fieldpaths import resolve_rule_path
from connections.filters import compile_filter
from connections.mappingchecks import check_mapping, refuse, type_rule
from connections.models import FieldRule, IntegrationRule
from connections.models.descriptions import read_known_objects
from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import UnknownFieldError, UnknownObjectError, get_object, get_object_of_model
from ctms.configuration.snapshot import Configuration
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.conditions.errors import ConditionError
from ctms.records.conditions.tree import Condition, Group, Joint
from ctms.records.conditions.words import list_value_texts, name_operator
from ctms.records.fields.comparing.operators import takes_values
from ctms.records.fields.references import describe_choice

_SHOWN_VALUES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Source or target of a field rule: a field, with its label if it is one of the Vault, or a text."""

    api_name: str = ""
    label: str = ""
    is_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRuleRow:
    """A row of the table of field rules."""

    record: FieldRule
    source: Side
    target: Side
    kind: str
    is_active: bool
    is_custom: bool
    fails: bool  # required and inactive
    problem: str = ""  # why it cannot work any more, as the CRM describes its fields now

    @property
    def can_be_deleted(self) -> bool:
        return self.is_custom and not self.record.is_required


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow:
    """A condition of the filter, in words."""

    label: str
    operator: str
    values: tuple[str, ...] = ()
    more: int = 0
    problem: str = ""


def list_field_rule_rows(*, rule: IntegrationRule, configuration: Configuration) -> list[FieldRuleRow]:
    """Return the rows of the field rules in their order; takes three statements."""
    inbound = rule.integration.is_inbound
    known = read_known_objects(rule.integration.connection)
    rows = []
    for each in rule.field_rules.all():
        custom = not is_delivered(integration_kind=rule.integration.kind, target=each.target)
        there, here = Side(api_name=each.target), _describe_source(each)
        if inbound:
            there = _describe_field(configuration=configuration, object_name=rule.vault_object, path=each.target)
        elif here.api_name:
            here = _describe_field(configuration=configuration, object_name=rule.vault_object, path=each.source)
        is_active = each.status == RecordStatus.ACTIVE
        rows.append(
            FieldRuleRow(
                record=each,
                source=here,
                target=there,
                kind=each.get_kind_display(),
                is_active=is_active,
                is_custom=custom,
                fails=each.is_required and not is_active,
                problem=_find_problem(each, known=known, rule=rule) if is_active else "",
            )
        )
    return rows


def _find_problem(field_rule: FieldRule, *, known: KnownObjects, rule: IntegrationRule) -> str:
    inbound = rule.integration.is_inbound
    path = field_rule.target if inbound else field_rule.source
    end = None
    if path:
        try:
            _, end = resolve_rule_path(vault_object=get_object(rule.vault_object), path=path)
        except (UnknownFieldError, UnknownObjectError):
            return ""  # shown as missing
    typed = type_rule(field_rule, end=end)
    return refuse(check_mapping(rule=typed, crm_object=rule.crm_object, is_inbound=inbound, known=known), known=known)


def list_condition_rows(*, rule: IntegrationRule, configuration: Configuration, user: User) -> list[ConditionRow]:
    """Return the conditions of a filter in words; a record that the user may not see is shown by its UID."""
    rows = []
    for stored in rule.conditions:
        try:
            compiled = compile_filter(configuration=configuration, object_name=rule.vault_object, stored=[stored])
        except (ConditionError, UnknownObjectError) as error:
            label = str(stored.get("field", "")) if isinstance(stored, dict) else ""
            rows.append(ConditionRow(label=label, operator="", problem=str(error)))
            continue
        rows += [_describe_member(member=member, user=user) for member in compiled.group.members]
    return rows


def _describe_member(*, member: Condition | Group, user: User) -> ConditionRow:
    if isinstance(member, Group):
        return ConditionRow(label=member.joint.label, operator="", values=(_describe_group(group=member, user=user),))
    values = _name_values(condition=member, user=user)
    return ConditionRow(
        label=member.subject.label,
        operator=name_operator(member),
        values=tuple(values[:_SHOWN_VALUES]),
        more=max(len(values) - _SHOWN_VALUES, 0),
    )


def _describe_group(*, group: Group, user: User) -> str:
    texts = []
    for member in group.members:
        row = _describe_member(member=member, user=user)
        text = (
            f"({row.values[0]})" if isinstance(member, Group) else f"{row.label} {row.operator} {', '.join(row.values)}"
        )
        texts.append(text.strip() + (f" and {row.more} more" if row.more else ""))
    return ("; or " if group.joint == Joint.ANY else "; and ").join(texts)


def list_facts(*, rule: IntegrationRule, configuration: Configuration) -> list[tuple[str, str]]:
    """Return labels and texts for the rule's own fields: external id, filter fields and deletion."""
    facts = []
    if rule.crm_external_id_field:
        facts.append(("CRM external id field", rule.crm_external_id_field))
    if rule.vault_filter_field:
        side = _describe_field(configuration=configuration, object_name=rule.vault_object, path=rule.vault_filter_field)
        facts.append(("Transferred where Yes", f"{side.label or side.api_name} ({rule.vault_filter_field})"))
    if rule.crm_filter_field:
        facts.append(("Received where ticked", rule.crm_filter_field))
    facts.append(("A deletion", _describe_deletion(rule)))
    return facts


def describe_object(*, rule: IntegrationRule, configuration: Configuration) -> str:
    """Return the label of the rule's object type, or the title of its object if it has no type."""
    try:
        shape = configuration.get(rule.vault_object)
    except UnknownObjectError:
        return f"{rule.vault_object} (not in the Vault)"
    return shape.get_type(rule.vault_object_type).label if rule.vault_object_type else shape.vault_object.title


def name_records(*, field: ObjectField, uids: list[str], user: User) -> Mapping[str, str]:
    """Return UID → label of those records that the user may see; takes two statements."""
    target = get_object_of_model(field.reference) if field.reference else None
    if target is None:
        return {}
    try:
        visible = open_object(user=user, object_name=target.api_name).list_records()
    except (AccessRefusedError, UnknownObjectError):
        return {}
    return {str(record.uid): describe_choice(record) for record in visible.filter(uid__in=uids)}


def _name_values(*, condition: Condition, user: User) -> list[str]:
    field, values = condition.subject.field, list(condition.values)
    if field.reference is None or not takes_values(condition.operator):
        return list_value_texts(condition)
    labels = name_records(field=field, uids=values, user=user)
    return [labels.get(value, value) for value in values]


def _describe_source(field_rule: FieldRule) -> Side:
    if field_rule.kind == FieldRuleKind.CONSTANT:
        return Side(label=f"“{field_rule.constant}”")
    if field_rule.kind == FieldRuleKind.RECORD_LINK:
        return Side(label="Address of the record’s page")
    if field_rule.kind == FieldRuleKind.CALLBACK_SESSION:
        return Side(label="Call-back session of the Authorized Connection User")
    return Side(api_name=field_rule.source)


def _describe_field(*, configuration: Configuration, object_name: str, path: str) -> Side:
    """Describe a path of API names by the labels of its fields."""
    labels: list[str] = []
    name: str | None = object_name
    for step in path.split("."):
        if name is None:
            return Side(api_name=path, is_missing=True)
        try:
            field = configuration.get(name).fields.get(step)
        except UnknownObjectError:
            field = None
        if field is None:
            return Side(api_name=path, is_missing=True)
        labels.append(field.label)
        target = get_object_of_model(field.reference) if field.reference else None
        name = target.api_name if target else None
    return Side(api_name=path, label=": ".join(labels))


def _describe_deletion(rule: IntegrationRule) -> str:
    if rule.deletion_mode == DeletionMode.APPEND:
        return f"appends “{rule.deletion_value}” to {rule.deletion_field}"
    if rule.deletion_mode == DeletionMode.SET:
        return f"sets {rule.deletion_field} to “{rule.deletion_value}”"
    return "makes the Vault record Inactive"
