"""Check the rules of an integration against the CRM's descriptions of its objects: names and permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connections.choices import DeletionMode, FieldRuleKind
from crm_sync.crm.description import NUMBER_TYPES
from ctms.records.fields.kinds.base import CrmType, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crm_sync.crm.description import Describe, DescribedField, DescribedObject
    from crm_sync.crm.dialect import CrmDialect
    from crm_sync.engine.compiled_rules import CompiledField, CompiledIntegration

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem with its remedy; a warning does not stop the transfer."""

    message: str
    remedy: str
    is_warning: bool = False


def check_plan(*, plan: CompiledIntegration, crm: CrmDialect, describe: Describe) -> list[Finding]:
    """Return the problems of an integration's rules in this CRM; raises what `describe` raises.

    Of `crm` only the spelling is used; no call is made.
    """
    described = describe(plan.crm_object)
    if described is None:
        return [_miss_object(plan.crm_object)]
    if plan.integration.is_inbound:
        return list(_check_inbound(plan=plan, crm=crm, described=described, describe=describe))
    return list(_check_outbound(plan=plan, described=described, describe=describe))


def check_account_field(*, account_object: str, field_name: str, describe: Describe) -> list[Finding]:
    """Return the problems of the field by which accounts are found; raises what `describe` raises."""
    described = describe(account_object)
    if described is None:
        return [_miss_object(account_object)]
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
            yield _miss_field(described=described, name=name, named_by="every transfer reads")
    if plan.crm_filter_field:
        field = described.find_field(plan.crm_filter_field)
        if field is None:
            yield _miss_field(described=described, name=plan.crm_filter_field, named_by="the integration rule names")
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
                yield _miss_field(described=described, name=path, named_by=_name(rule))
            elif path == rule.source:
                yield from _check_source(described=described, field=found, rule=rule)


def _check_source(*, described: DescribedObject, field: DescribedField, rule: CompiledField) -> Iterator[Finding]:
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
    yield from _check_external_id(described=described, name=plan.external_id_field)
    parents = {parent.field.target for parent in plan.parents}
    filled = {plan.external_id_field.lower()}
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.REFERENCE and rule.target not in parents:
            continue  # this connection does not send the record referred to, so the field is not filled
        filled.add(rule.target.lower())
        yield from _check_target(described=described, rule=rule, describe=describe)
    yield from _check_deletion(plan=plan, described=described)
    for field in described.fields.values():
        if field.is_needed and field.name.lower() not in filled:
            yield Finding(
                message=f"{described.name} needs a value in {field.name}, which no active field rule fills.",
                remedy="Add or activate a field rule for it, or let the CRM accept records without it.",
            )


def _check_target(*, described: DescribedObject, rule: CompiledField, describe: Describe) -> Iterator[Finding]:
    field = described.find_field(rule.target)
    if field is None:
        yield _miss_field(described=described, name=rule.target, named_by=_name(rule))
        return
    if not (field.is_createable and field.is_updateable):
        yield Finding(
            message=f"{field.name} of {described.name}, which {_name(rule)}, may not be "
            f"{'changed' if field.is_createable else 'filled'} by the CRM user.",
            remedy="Let the CRM user edit the field, choose another one, or inactivate the field rule.",
        )
    else:
        yield from _check_type(described=described, field=field, rule=rule)
    if rule.kind in (FieldRuleKind.REFERENCE, FieldRuleKind.PERSON_ACCOUNT):
        yield from _check_reference(described=described, field=field, rule=rule, describe=describe)
    values = {rule.constant} if rule.kind == FieldRuleKind.CONSTANT else set(rule.picklist_map.values())
    yield from _check_values(described=described, field=field, values=values, named_by=_name(rule))


def _check_type(*, described: DescribedObject, field: DescribedField, rule: CompiledField) -> Iterator[Finding]:
    """Find a field of the CRM that cannot take what a rule sends."""
    sent = _find_sent(rule)
    if sent is not None and sent not in _TAKES.get(field.type, _TAKES_TEXT):
        yield Finding(
            message=f"{field.name} of {described.name} is of the type {field.type}, which cannot take what the field "
            f"rule “{rule.label}” sends: {sent}.",
            remedy="Choose another source or target for the field rule, or inactivate it. A picklist map with the "
            "values true and false fills a checkbox.",
        )


def _find_sent(rule: CompiledField) -> CrmType | None:
    """Return what kind of value a rule sends; None if that is checked otherwise or depends on the value."""
    if rule.kind in (FieldRuleKind.REFERENCE, FieldRuleKind.PERSON_ACCOUNT):
        return None
    if rule.kind == FieldRuleKind.PICKLIST:
        return CrmType.YES_NO if set(rule.picklist_map.values()) <= {"true", "false"} else CrmType.TEXT
    if rule.kind != FieldRuleKind.COPY or rule.end is None:
        return CrmType.TEXT
    return kind_of(rule.end).crm_type


def _check_reference(
    *, described: DescribedObject, field: DescribedField, rule: CompiledField, describe: Describe
) -> Iterator[Finding]:
    if not field.refers_to_object(rule.reference_object):
        yield _refer_elsewhere(described=described, field=field, rule=rule)
    elif rule.kind == FieldRuleKind.REFERENCE:
        target = describe(rule.reference_object)
        if target is None:
            yield _miss_object(rule.reference_object)
        else:
            yield from _check_external_id(described=target, name=rule.reference_field)


def _check_external_id(*, described: DescribedObject, name: str) -> Iterator[Finding]:
    field = described.find_field(name)
    if field is None:
        yield _miss_field(described=described, name=name, named_by="the rules name as external id")
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


def _check_deletion(*, plan: CompiledIntegration, described: DescribedObject) -> Iterator[Finding]:
    if plan.deletion_mode == DeletionMode.INACTIVATE or not plan.deletion_field:
        return
    field = described.find_field(plan.deletion_field)
    named_by = "the integration rule shows deletions in"
    if field is None:
        yield _miss_field(described=described, name=plan.deletion_field, named_by=named_by)
        return
    if not field.is_updateable:
        yield Finding(
            message=f"{field.name} of {described.name}, which {named_by}, may not be changed by the CRM user.",
            remedy="Let the CRM user edit the field, or choose another deletion field.",
        )
    if plan.deletion_mode == DeletionMode.SET:
        yield from _check_values(described=described, field=field, values={plan.deletion_value}, named_by=named_by)
    elif 0 < field.length < plan.deletion_max_length:
        yield Finding(
            message=f"{field.name} of {described.name} takes {field.length} characters, but the integration rule says "
            f"{plan.deletion_max_length}.",
            remedy=f"Enter {field.length} as deletion max length of the integration rule.",
            is_warning=True,
        )


def _check_values(
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
def _name(rule: CompiledField) -> str:
    return f"the field rule “{rule.label}” names"


def _refer_elsewhere(*, described: DescribedObject, field: DescribedField, rule: CompiledField) -> Finding:
    return Finding(
        message=f"{field.name} of {described.name} does not refer to {rule.reference_object}, as {_name(rule)}.",
        remedy="Correct the field or the reference object of the field rule.",
    )


def _miss_object(name: str) -> Finding:
    return Finding(message=f"The CRM has no object {name}, or the CRM user may not see it.", remedy=_CORRECT_NAME)


def _miss_field(*, described: DescribedObject, name: str, named_by: str) -> Finding:
    return Finding(
        message=f"{described.name} has no field {name}, which {named_by}, or the CRM user may not see it.",
        remedy=_CORRECT_NAME,
    )
