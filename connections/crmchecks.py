"""Check field rules and identifiers against an organisation's description: what cannot work, and what may not.

Asked while a rule is typed and when it is saved, with the description that is stored, and by Test Connection, with the
one that the CRM gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from connections.choices import FieldRuleKind
from connections.crmdescription import NUMBER_TYPES
from ctms.records.fields.kinds.base import CrmType, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from connections.crmdescription import Describe, DescribedField, DescribedObject
    from ctms.configuration.fields import ObjectField

_UID_LENGTH = 36
# What a field of the CRM takes, by its type; fields of other types take text.
_TAKES = {
    "boolean": frozenset({CrmType.YES_NO}),
    "date": frozenset({CrmType.DATE}),
    "datetime": frozenset({CrmType.MOMENT, CrmType.DATE}),
    **dict.fromkeys(NUMBER_TYPES, frozenset({CrmType.NUMBER})),
    **dict.fromkeys(("address", "location", "base64", "anyType", "complexvalue"), frozenset[CrmType]()),
}
# What such a field gives; None: nothing that the Vault could store.
_GIVES = {name: next(iter(kinds), None) for name, kinds in _TAKES.items()} | {"datetime": CrmType.MOMENT}
# Types that can identify an account: what they hold is one value that is compared and may be unique.
_IDENTIFIER_TYPES = frozenset({"id", "string", "email", "phone", "url", *NUMBER_TYPES})
_TAKES_TEXT = frozenset({CrmType.TEXT, CrmType.DATE, CrmType.MOMENT})
_CORRECT_NAME = "Correct the name in the rule, or let the CRM user see it."


class Rule(Protocol):
    """What is asked of a field rule, stored or compiled."""

    @property
    def kind(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def constant(self) -> str: ...
    @property
    def picklist_map(self) -> Mapping[str, str]: ...


class MappedField(Rule, Protocol):
    """What else is asked where it meets the CRM: `end` is the field at the end of its path in the Vault."""

    @property
    def label(self) -> str: ...
    @property
    def reference_object(self) -> str: ...
    @property
    def reference_field(self) -> str: ...
    @property
    def is_required(self) -> bool: ...
    @property
    def end(self) -> ObjectField | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem with its remedy; a warning does not stop the transfer."""

    message: str
    remedy: str
    is_warning: bool = False


def can_identify(field: DescribedField) -> bool:
    """Whether a field can identify accounts: its values are unique, and the CRM can search by them."""
    return field.type in _IDENTIFIER_TYPES and field.is_unique and field.is_filterable


def check_account_field(*, account_object: str, field_name: str, describe: Describe) -> list[Finding]:
    """Return the problems of the field by which accounts are found; raises what `describe` raises."""
    described = describe(account_object)
    if described is None:
        return [miss_object(account_object)]
    field = described.find_field(field_name)
    if field is None:
        return [
            Finding(
                message=f"{account_object} has no field {field_name}, or the CRM user may not see it.",
                remedy="Correct the CRM Account Identifier, or let the CRM user see the field.",
            )
        ]
    if field.type not in _IDENTIFIER_TYPES:
        return [
            Finding(
                message=f"{field.name} of {account_object} is of the type {field.type}, which cannot identify an "
                "account.",
                remedy="Choose a unique text field, or a number, as CRM Account Identifier.",
            )
        ]
    found = list(_check_unique(described=described, field=field))
    if field.type in NUMBER_TYPES:
        found.append(
            Finding(
                message=f"{field.name} of {account_object} is a number, so it has no leading zeros and no other "
                "characters than digits.",
                remedy="Enter the persons' values without them, or choose a unique text field.",
                is_warning=True,
            )
        )
    if not field.is_filterable:
        found.append(
            Finding(
                message=f"{account_object} cannot be searched by {field.name}.",
                remedy="Choose a text field of limited length as CRM Account Identifier.",
            )
        )
    return found


# -- Fields read -------------------------------------------------------------------------------------
def check_source(*, described: DescribedObject, field: DescribedField, rule: MappedField) -> Iterator[Finding]:
    """Find what a rule reads in the CRM and cannot put into its target."""
    if rule.kind == FieldRuleKind.PERSON_ACCOUNT and not field.refers_to_object(rule.reference_object):
        yield _refer_elsewhere(described=described, field=field, rule=rule)
    if rule.kind != FieldRuleKind.COPY or rule.end is None:
        return
    gives = _GIVES.get(field.type, CrmType.TEXT)
    needed = kind_of(rule.end).crm_type
    fits = gives is not None and (needed in (gives, CrmType.TEXT) or (gives, needed) == (CrmType.DATE, CrmType.MOMENT))
    if not fits:
        yield Finding(
            message=f"{field.name} of {described.name} is of the type {field.type}, which {rule.end.label} "
            f"({rule.target}) cannot take: it is of the kind {kind_of(rule.end).label}.",
            remedy=f"Choose another source or target for the field rule “{rule.label}”, or inactivate it.",
        )


def warn_of_source(*, field: DescribedField, rule: MappedField) -> Iterator[Finding]:
    """Find what the Vault takes of a field of the CRM in part only."""
    end = rule.end
    if rule.kind != FieldRuleKind.COPY or end is None:
        return
    if end.max_length and field.length > end.max_length:
        yield Finding(
            message=f"{field.name} has up to {field.length:,} characters, and {end.label} takes {end.max_length:,}.",
            remedy="Records with a longer text are refused by the Vault, and told as user exceptions.",
            is_warning=True,
        )
    if end.is_required and not field.is_needed:
        yield Finding(
            message=f"{end.label} needs a value, and {field.name} may be empty in the CRM.",
            remedy="Records without it are refused by the Vault, and told as user exceptions.",
            is_warning=True,
        )


# -- Fields written ----------------------------------------------------------------------------------
def check_target(*, described: DescribedObject, rule: MappedField, describe: Describe) -> Iterator[Finding]:
    field = described.find_field(rule.target)
    if field is None:
        yield miss_field(described=described, name=rule.target, named_by=name_rule(rule))
        return
    if not (field.is_createable and field.is_updateable):
        yield Finding(
            message=f"{field.name} of {described.name}, which {name_rule(rule)}, may not be "
            f"{'changed' if field.is_createable else 'filled'} by the CRM user.",
            remedy="Let the CRM user edit the field, choose another one, or inactivate the field rule.",
        )
    else:
        yield from _check_type(described=described, field=field, rule=rule)
    if rule.kind in (FieldRuleKind.REFERENCE, FieldRuleKind.PERSON_ACCOUNT):
        yield from _check_reference(described=described, field=field, rule=rule, describe=describe)
    values = {rule.constant} if rule.kind == FieldRuleKind.CONSTANT else set(rule.picklist_map.values())
    yield from check_values(described=described, field=field, values=values, named_by=name_rule(rule))


def _check_type(*, described: DescribedObject, field: DescribedField, rule: MappedField) -> Iterator[Finding]:
    """Find a field of the CRM that cannot take what a rule sends."""
    sent = _find_sent(rule)
    if sent is not None and sent not in _TAKES.get(field.type, _TAKES_TEXT):
        yield Finding(
            message=f"{field.name} of {described.name} is of the type {field.type}, which cannot take what the field "
            f"rule “{rule.label}” sends: {sent}.",
            remedy="Choose another source or target for the field rule, or inactivate it. A picklist map with the "
            "values true and false fills a checkbox.",
        )


def _find_sent(rule: MappedField) -> CrmType | None:
    """Return what kind of value a rule sends; None if that is checked otherwise or depends on the value."""
    if rule.kind in (FieldRuleKind.REFERENCE, FieldRuleKind.PERSON_ACCOUNT):
        return None
    if rule.kind == FieldRuleKind.PICKLIST:
        return CrmType.YES_NO if set(rule.picklist_map.values()) <= {"true", "false"} else CrmType.TEXT
    if rule.kind != FieldRuleKind.COPY or rule.end is None:
        return CrmType.TEXT
    return kind_of(rule.end).crm_type


def warn_of_target(*, described: DescribedObject, rule: MappedField) -> Iterator[Finding]:
    """Find what the CRM takes of a rule's values in part only: what is too long, empty, or twice the same."""
    field, end = described.find_field(rule.target), rule.end
    if field is None or end is None or rule.kind != FieldRuleKind.COPY:
        return
    longest = end.max_length
    if kind_of(end).holds_text and field.length > 0 and (longest is None or longest > field.length):
        yield Finding(
            message=f"{field.name} takes {field.length:,} characters, {end.label} "
            f"{f'up to {longest:,}' if longest else 'any number'}.",
            remedy="Records with a longer text are refused by the CRM. Forms tell it while people type.",
            is_warning=True,
        )
    if field.is_needed and not (rule.is_required or end.is_required):
        yield Finding(
            message=f"{field.name} needs a value in the CRM, and {end.label} may be empty.",
            remedy="Records without it are refused by the CRM. Make the field required in the Vault, or a constant.",
            is_warning=True,
        )
    if field.is_unique and not end.is_unique:
        yield Finding(
            message=f"{field.name} is unique in the CRM, and two records may have the same {end.label}.",
            remedy="The second one is refused by the CRM. Choose a unique field, or another target.",
            is_warning=True,
        )
    if field.type not in _TAKES and kind_of(end).crm_type != CrmType.TEXT:
        yield Finding(
            message=f"{field.name} is a text in the CRM, and {end.label} is of the kind {kind_of(end).label}.",
            remedy="It is written there as a text, such as 2026-03-01 for a date.",
            is_warning=True,
        )


def _check_reference(
    *, described: DescribedObject, field: DescribedField, rule: MappedField, describe: Describe
) -> Iterator[Finding]:
    if not field.refers_to_object(rule.reference_object):
        yield _refer_elsewhere(described=described, field=field, rule=rule)
    elif rule.kind == FieldRuleKind.REFERENCE:
        target = describe(rule.reference_object)
        if target is None:
            yield miss_object(rule.reference_object)
        else:
            yield from check_external_id(described=target, name=rule.reference_field)


def check_external_id(*, described: DescribedObject, name: str) -> Iterator[Finding]:
    field = described.find_field(name)
    if field is None:
        yield miss_field(described=described, name=name, named_by="the rules name as external id")
        return
    if not field.is_external_id:
        yield Finding(
            message=f"{field.name} of {described.name} is no external id, so records cannot be sent by it.",
            remedy="Tick External ID in the field's definition in the CRM, or name another field in the rule.",
        )
    if field.length < _UID_LENGTH:
        yield Finding(
            message=f"{field.name} of {described.name} takes {field.length} characters, and the Vault's ids have "
            f"{_UID_LENGTH}.",
            remedy="Make the field longer in the CRM, or name another one in the rule.",
        )
    if not field.is_createable:
        yield Finding(
            message=f"{field.name} of {described.name} may not be filled by the CRM user.",
            remedy="Let the CRM user edit the field.",
        )
    yield from _check_unique(described=described, field=field)


def _check_unique(*, described: DescribedObject, field: DescribedField) -> Iterator[Finding]:
    if not field.is_unique:
        yield Finding(
            message=f"{field.name} of {described.name} is not unique: nothing keeps two records from having the same "
            "value.",
            remedy="Tick Unique and “case sensitive” in the field's definition in the CRM, or choose a unique field.",
        )
    elif not field.is_case_sensitive and field.type not in NUMBER_TYPES:
        yield Finding(
            message=f"{field.name} of {described.name} is unique without regard to case, but the Vault compares letter "
            "by letter.",
            remedy="Choose “case sensitive” in the field's definition in the CRM.",
            is_warning=True,
        )


def check_values(
    *, described: DescribedObject, field: DescribedField, values: Iterable[str], named_by: str
) -> Iterator[Finding]:
    if field.allowed is None:
        return
    unknown = sorted(set(values) - field.allowed)
    if unknown:
        shown = ", ".join(f"“{value}”" for value in unknown)
        yield Finding(
            message=f"{field.name} of {described.name}, which {named_by}, does not offer {shown}: records with it will "
            "be refused.",
            remedy="Correct the values in the rule, or add them to the picklist in the CRM.",
            is_warning=True,
        )


# -- Messages -------------------------------------------------------------------------------------
def name_rule(rule: MappedField) -> str:
    return f"the field rule “{rule.label}” names"


def _refer_elsewhere(*, described: DescribedObject, field: DescribedField, rule: MappedField) -> Finding:
    return Finding(
        message=f"{field.name} of {described.name} does not refer to {rule.reference_object}, as {name_rule(rule)}.",
        remedy="Correct the field or the reference object of the field rule.",
    )


def miss_object(name: str) -> Finding:
    return Finding(message=f"The CRM has no object {name}, or the CRM user may not see it.", remedy=_CORRECT_NAME)


def miss_field(*, described: DescribedObject, name: str, named_by: str) -> Finding:
    return Finding(
        message=f"{described.name} has no field {name}, which {named_by}, or the CRM user may not see it.",
        remedy=_CORRECT_NAME,
    )
