"""Check what an admin maps against what is stored of the organisation, as far as it was described."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connections.choices import DeletionMode, FieldRuleKind
from connections.crmchecks import (
    Finding,
    check_account_field,
    check_external_id,
    check_source,
    check_target,
    check_values,
    miss_field,
    miss_object,
    name_rule,
    warn_of_source,
    warn_of_target,
)
from connections.crmdescription import NotDescribedError
from ctms.core.clock import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from connections.crmdescription import DescribedObject, KnownObjects
    from ctms.configuration.fields import ObjectField

_CREATED, _FILTER, _DELETION = "crm_external_id_field", "crm_filter_field", "deletion_field"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedRule:
    """A field rule as it is typed, with the field of the Vault at the end of its path."""

    kind: str
    label: str
    source: str
    target: str
    constant: str
    picklist_map: Mapping[str, str]
    reference_object: str
    reference_field: str
    is_required: bool
    end: ObjectField | None


def type_rule(field_rule: Any, *, end: ObjectField | None) -> TypedRule:
    """Return a field rule, stored or being typed, as the checks take it."""
    return TypedRule(
        kind=field_rule.kind,
        label=field_rule.build_name(),
        source=field_rule.source,
        target=field_rule.target,
        constant=field_rule.constant,
        picklist_map=field_rule.picklist_map if isinstance(field_rule.picklist_map, dict) else {},
        reference_object=field_rule.reference_object,
        reference_field=field_rule.reference_field,
        is_required=field_rule.is_required,
        end=end,
    )


def check_mapping(*, rule: TypedRule, crm_object: str, is_inbound: bool, known: KnownObjects) -> list[Finding]:
    """Return what cannot work of a field rule, and what may not (warnings); empty if nothing is known."""
    return _list_known(_check_mapping(rule=rule, crm_object=crm_object, is_inbound=is_inbound, known=known))


def check_rule(*, rule: Any, is_inbound: bool, known: KnownObjects) -> dict[str, list[Finding]]:
    """Return the findings about the CRM side of an integration rule, by its attribute."""
    found = {"crm_object": _list_known(_check_object(name=rule.crm_object, known=known))}
    if found["crm_object"]:
        return found
    described = known.find(rule.crm_object)
    if described is None:
        return {}
    if is_inbound:
        return {_FILTER: _list_known(_check_filter(described=described, name=rule.crm_filter_field))}
    key = rule.crm_external_id_field
    return {
        _CREATED: _list_known(check_external_id(described=described, name=key)) if key else [],
        _DELETION: _list_known(_check_deletion(described=described, rule=rule)),
    }


def check_account_identifier(*, name: str, account_objects: Iterable[str], known: KnownObjects) -> list[Finding]:
    """Return why a field cannot identify the accounts of an organisation, and what to mind."""
    found: list[Finding] = []
    for each in account_objects:
        with suppress(NotDescribedError):
            found += check_account_field(account_object=each, field_name=name, describe=known.describe)
    return found


def refuse(findings: Iterable[Finding], *, known: KnownObjects) -> str:
    """Return the problems with their remedies in one text; empty if there are warnings alone."""
    problems = [f"{each.message} {each.remedy}" for each in findings if not each.is_warning]
    if not problems:
        return ""
    when = f" of {format_time(known.described_at)}" if known.described_at else ""
    return f"{' '.join(problems)} So says the CRM's description{when}; refresh it if the CRM was changed since."


def _list_known(findings: Iterator[Finding]) -> list[Finding]:
    """Return the findings up to the first that would take what is not known."""
    found: list[Finding] = []
    with suppress(NotDescribedError):
        for each in findings:
            found.append(each)  # noqa: PERF402  keeps those before the error
    return found


def _check_mapping(*, rule: TypedRule, crm_object: str, is_inbound: bool, known: KnownObjects) -> Iterator[Finding]:
    described = known.describe(crm_object)
    if described is None:
        yield miss_object(crm_object)
        return
    if is_inbound:
        yield from _check_inbound(rule=rule, described=described, known=known)
        return
    yield from warn_of_target(described=described, rule=rule)
    yield from check_target(described=described, rule=rule, describe=known.describe)


def _check_inbound(*, rule: TypedRule, described: DescribedObject, known: KnownObjects) -> Iterator[Finding]:
    if rule.kind == FieldRuleKind.CONSTANT:
        return
    if rule.kind == FieldRuleKind.FORMATTED_PERSON:
        first = rule.source.partition(".")[0].lower()
        if first not in {each.relationship.lower() for each in described.fields.values()}:
            yield miss_field(described=described, name=rule.source, named_by=name_rule(rule))
        return
    field = described.find_path(rule.source, describe=known.describe)
    if field is None:
        yield miss_field(described=described, name=rule.source, named_by=name_rule(rule))
        return
    yield from check_source(described=described, field=field, rule=rule)
    yield from warn_of_source(field=field, rule=rule)


def _check_object(*, name: str, known: KnownObjects) -> Iterator[Finding]:
    if name and known.describe(name) is None:
        yield miss_object(name)


def _check_filter(*, described: DescribedObject, name: str) -> Iterator[Finding]:
    if not name:
        return
    field = described.find_field(name)
    if field is None:
        yield miss_field(described=described, name=name, named_by="the integration rule names")
    elif field.type != "boolean":
        yield Finding(
            message=f"{field.name} of {described.name} is no checkbox, so it cannot mark what to receive.",
            remedy="Choose a checkbox as CRM filter field of the integration rule.",
        )


def _check_deletion(*, described: DescribedObject, rule: Any) -> Iterator[Finding]:
    if rule.deletion_mode == DeletionMode.INACTIVATE or not rule.deletion_field:
        return
    field = described.find_field(rule.deletion_field)
    named_by = "the integration rule shows deletions in"
    if field is None:
        yield miss_field(described=described, name=rule.deletion_field, named_by=named_by)
        return
    if not field.is_updateable:
        yield Finding(
            message=f"{field.name} of {described.name}, which {named_by}, may not be changed by the CRM user.",
            remedy="Let the CRM user edit the field, or choose another deletion field.",
        )
    if rule.deletion_mode == DeletionMode.SET:
        yield from check_values(described=described, field=field, values={rule.deletion_value}, named_by=named_by)
