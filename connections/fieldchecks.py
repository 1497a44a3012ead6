"""Refuse field rules that cannot be right: they fill what is not theirs, or with what does not fit.

Asked while a rule is typed, and of all active rules before each run, because what is around a rule may have changed.
Each function returns what is wrong and what to do, or an empty text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError

from connections.choices import FieldRuleKind
from ctms.configuration.fields import COMMON_FIELDS
from ctms.records.fields.kinds.base import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from django.db import models

    from connections.crmchecks import Rule
    from ctms.configuration.fields import ObjectField

# Names in the CRM ignore case.
_FILLED_BY_CRM = frozenset({"id", "isdeleted", "systemmodstamp", "attributes"})
# By the transfer those that tell which call a record comes from, by the Vault the others.
_FILLED_BY_VAULT = frozenset({*COMMON_FIELDS, "connection__v", "crm_id__v"} - {"external_id__v"})
_SENT_ONLY = (FieldRuleKind.REFERENCE, FieldRuleKind.RECORD_LINK, FieldRuleKind.CALLBACK_SESSION)
_ONCE: Mapping[str, str] = {
    FieldRuleKind.PERSON_ACCOUNT: "gives the record its account",
    FieldRuleKind.CALLBACK_SESSION: "hands the call-back session over",
}
_PERSON = "person__sys"


def find_target_problem(rule: Rule, *, external_id_field: str, others: Iterable[Rule]) -> str:
    """Return why a rule may not fill its target in the CRM, in view of the other rules of the same integration."""
    name = rule.target.lower()
    if name == external_id_field.lower():
        return (
            f"The transfer finds its records by {rule.target}, so no field rule may fill it: records would be "
            "relabelled. Choose another target."
        )
    if name in _FILLED_BY_CRM:
        return f"The CRM alone fills {rule.target}. Choose another target."
    if "." in name or name.endswith("__r"):
        return (
            f"{rule.target} leads to another record. Name the field that refers to it, such as Study__c, in a rule of "
            "the kind “Reference by external id”."
        )
    for other in others:
        if _list_names(rule) & _list_names(other):
            return (
                f"The field rule for {other.target} fills the same field of the CRM, where names ignore case. Change "
                "that rule, or choose another target."
            )
        if rule.kind == other.kind and rule.kind in _ONCE:
            return (
                f"The field rule for {other.target} {_ONCE[rule.kind]} already, and there can be only one. Change that "
                "rule, or choose another kind."
            )
    return ""


def _list_names(rule: Rule) -> set[str]:
    """Return the names that a payload has for the rule: its target, or, of a reference, its relationship too."""
    name = rule.target.lower()
    if rule.kind != FieldRuleKind.REFERENCE:
        return {name}
    return {name, f"{name[:-3]}__r" if name.endswith("__c") else name.removesuffix("id")}


def find_source_problem(rule: Rule, *, references: Sequence[ObjectField], end: ObjectField) -> str:
    """Return why the rule cannot send what it reads.

    `references` lead to the record that is read, and `end` is its field, at the end of the source.
    """
    if rule.kind == FieldRuleKind.PERSON_ACCOUNT and not _is_person(end):
        return f"{rule.source} is no reference to a Person, so it has no account. Choose one that is."
    if rule.kind == FieldRuleKind.PERSON_ACCOUNT and (references or end.is_custom):
        return (
            f"{rule.source} is no standard reference of the record itself, and persons are matched to accounts by such "
            "ones alone. Choose one, or copy a field of the Person, such as its NPI."
        )
    if rule.kind == FieldRuleKind.COPY and end.reference is not None and not end.is_custom:
        return (
            f"{rule.source} is a record. Choose one of its fields, such as {rule.source}.name__v, or the kind "
            "“Reference by external id”."
        )
    if rule.kind == FieldRuleKind.REFERENCE and end.reference is None:
        return f"{rule.source} refers to no record. Choose a reference, or the kind “Copy”."
    if rule.kind == FieldRuleKind.FORMATTED_PERSON and not hasattr(end.reference, "display_contact"):
        return f"{rule.source} is no reference to a person or user. Choose one that is, or the kind “Copy”."
    return _find_custom_problem(rule, references=references, end=end)


def _find_custom_problem(rule: Rule, *, references: Sequence[ObjectField], end: ObjectField) -> str:
    """Return why the rule cannot read through a custom reference: there it reads what a column of the record holds."""
    through = next((each for each in references if each.is_custom), None)
    if rule.kind == FieldRuleKind.FORMATTED_PERSON and (through is not None or end.is_custom):
        return (
            f"{rule.source} leads through a custom reference, whose people are not written out. Copy fields of the "
            f"Person instead, such as {rule.source}.name__v."
        )
    if through is not None and end.is_computed:
        return (
            f"{end.label} is worked out when it is shown, so it cannot be read through the custom reference "
            f"{through.label}. Choose a field that the record stores."
        )
    return ""


def find_filling_problem(rule: Rule, *, end: ObjectField, model: type[models.Model]) -> str:
    """Return why the rule cannot fill its target in the Vault, the field `end` of `model`."""
    kind = FieldRuleKind(rule.kind)
    if kind in _SENT_ONLY:
        return f"“{kind.label}” is for what is sent to the CRM. Choose the kind “Copy”."
    if end.is_computed or end.is_custom or end.api_name in _FILLED_BY_VAULT:
        return f"The Vault alone fills {end.label} ({rule.target}). Choose another target."
    if kind == FieldRuleKind.PERSON_ACCOUNT:
        return "" if _is_person(end) else f"{rule.target} does not refer to a Person. Choose a field that does."
    if end.reference is not None:
        return f"{rule.target} refers to a record, and the CRM sends none. Choose another target."
    if kind == FieldRuleKind.FORMATTED_PERSON and not kind_of(end).holds_text:
        return f"{rule.target} takes no text, and a name is one. Choose a text field."
    return _find_unfit_value(rule, end=end, model=model)


def _find_unfit_value(rule: Rule, *, end: ObjectField, model: type[models.Model]) -> str:
    values = {FieldRuleKind.CONSTANT: [rule.constant], FieldRuleKind.PICKLIST: [*rule.picklist_map.values()]}
    field: Any = model._meta.get_field(end.attribute)
    for value in values.get(FieldRuleKind(rule.kind), ()):
        try:
            field.clean({"true": True, "false": False}.get(value, value), None)
        except ValidationError as error:
            return f"“{value}” does not fit {end.label} ({rule.target}): {' '.join(error.messages)} Correct the value."
    return ""


def _is_person(field: ObjectField) -> bool:
    return getattr(field.reference, "object_name", "") == _PERSON
