"""Read the records to send as rows, with their link, account, parents and the values that the rules read.

Rows come from one statement as tuples: a model's instance with the instances to which it refers costs several times as
much. Only rules that read something which is no column, such as a property of a model, need instances.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.models import OuterRef, Subquery

from connections.choices import FieldRuleKind
from crm_sync.engine.identity.account_matching import build_identifier_expression
from crm_sync.engine.outbound.dependencies import annotate_dependencies
from crm_sync.engine.outbound.parents import OF_PARENT, ParentFacts, annotate_parents, read_facts
from crm_sync.engine.rules.paths import RecordPath
from crm_sync.models import AccountMatch, TransferLink
from ctms.configuration.registry import read_path
from ctms.core.models import VaultRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from crm_sync.engine.rules.compiled import CompiledField, CompiledIntegration

READ_TOGETHER: Final = 1000
"""So many records are read in one statement: five batches, as much as two or three calls take to send."""

# Of these kinds no rule reads a value of the record: the account, the parent or the text is known otherwise.
_WITHOUT_VALUE: Final = (
    FieldRuleKind.PERSON_ACCOUNT,
    FieldRuleKind.REFERENCE,
    FieldRuleKind.RECORD_LINK,
    FieldRuleKind.CONSTANT,
)
_LINKED: Final = ("link_pk", "link_crm_id", "link_digest", "link_deletion_base")


@dataclass(slots=True, kw_only=True)
class OutboundRecord:
    """A record to send. `values` are what the plan's rules read, in their order; None for rules that read nothing."""

    pk: int
    uid: UUID
    version: int
    name: str
    status: str
    dependency_sum: int
    link_pk: int | None
    link_crm_id: str | None
    link_digest: str | None
    link_deletion_base: str | None
    person_id: int | None
    person_identifier: str | None
    remembered_account: str | None
    parents: tuple[ParentFacts, ...]
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return self.name


def read_records(*, plan: CompiledIntegration, keys: Sequence[int]) -> Iterator[list[OutboundRecord]]:
    """Yield the records with these keys, 1,000 at a time, one statement each."""
    if not keys:
        return
    rows = _build_query(plan)
    build = _build_from_instances if _needs_instances(plan) else _build_from_tuples
    rows, read = build(plan, rows)
    for start in range(0, len(keys), READ_TOGETHER):
        yield [read(row) for row in rows.filter(pk__among=keys[start : start + READ_TOGETHER])]


def _build_query(plan: CompiledIntegration) -> QuerySet[Any]:
    links = TransferLink.objects.filter(integration=plan.integration, record_uid=OuterRef("uid"))
    rows: QuerySet[Any] = (
        annotate_dependencies(plan)
        .annotate(
            **{name: Subquery(links.values(name.removeprefix("link_"))[:1]) for name in _LINKED},
            **_annotate_account(plan),
            **annotate_parents(plan),
            **{
                _name_followed(number): _follow_rule(rule)
                for number, rule in enumerate(plan.fields)
                if _reads_value(rule) and _is_followed(rule)
            },
        )
        .order_by("pk")
    )
    return rows


def _build_from_tuples(plan: CompiledIntegration, rows: QuerySet[Any]) -> tuple[QuerySet[Any], Callable[[Any], Any]]:
    """Return the query of tuples, and what makes a record of one."""
    columns = list(_list_facts(plan))
    places: list[Callable[[Any], Any] | None] = []
    for number, rule in enumerate(plan.fields):
        column = _find_column(rule, number=number)
        if column and column not in columns:
            columns.append(column)
        places.append(_read_place(rule, columns.index(column)) if column else None)
    facts = len(_list_facts(plan))
    first_parent = facts - len(plan.parents) * len(OF_PARENT)
    slices = [slice(start, start + len(OF_PARENT)) for start in range(first_parent, facts, len(OF_PARENT))]

    def read(row: tuple[Any, ...]) -> OutboundRecord:
        return _build_record(
            row[:first_parent],
            parents=tuple([ParentFacts._make(row[each]) for each in slices]),
            values=tuple([place(row) if place is not None else None for place in places]),
        )

    return rows.values_list(*columns), read


def _build_from_instances(plan: CompiledIntegration, rows: QuerySet[Any]) -> tuple[QuerySet[Any], Callable[[Any], Any]]:
    """Return the query of model instances with those that the rules follow, and what makes a record of one."""
    facts = _list_facts(plan)
    own = facts[: len(facts) - len(plan.parents) * len(OF_PARENT)]
    readers = [_read_instance(rule, number=number) for number, rule in enumerate(plan.fields)]

    def read(instance: Any) -> OutboundRecord:
        return _build_record(
            tuple([getattr(instance, name) for name in own]),
            parents=tuple([read_facts(instance, f"parent_{number}") for number in range(len(plan.parents))]),
            values=tuple([reader(instance) if reader is not None else None for reader in readers]),
        )

    return rows.select_related(*_list_followed(plan)), read


def _build_record(own: tuple[Any, ...], *, parents: tuple[ParentFacts, ...], values: tuple[Any, ...]) -> OutboundRecord:
    pk, uid, version, name, status, total, link_pk, crm_id, digest, base, *of_person = own
    person_id, identifier, account = of_person or (None, None, None)
    return OutboundRecord(
        pk=pk,
        uid=uid,
        version=version,
        name=name,
        status=status,
        dependency_sum=total,
        link_pk=link_pk,
        link_crm_id=crm_id,
        link_digest=digest,
        link_deletion_base=base,
        person_id=person_id,
        person_identifier=identifier,
        remembered_account=account,
        parents=parents,
        values=values,
    )


def _list_facts(plan: CompiledIntegration) -> tuple[str, ...]:
    """Return the columns of a record other than its values, those of its parents last."""
    person = (_name_person_column(plan), "person_identifier", "remembered_account") if _has_account(plan) else ()
    parents = [f"parent_{number}_{name}" for number in range(len(plan.parents)) for name in OF_PARENT]
    return ("pk", "uid", "version", "name", "status", "dependency_sum", *_LINKED, *person, *parents)


# -- Values of rules -----------------------------------------------------------------------------------


def _reads_value(rule: CompiledField) -> bool:
    return rule.end is not None and rule.kind not in _WITHOUT_VALUE


def _needs_instances(plan: CompiledIntegration) -> bool:
    """Whether a rule reads what is no column, or the object calls its records otherwise than by their name."""
    rules = [rule for rule in plan.fields if _reads_value(rule)]
    is_named = plan.vault_object.model.__str__ is VaultRecord.__str__
    return not is_named or not all(_is_column(rule, model=plan.vault_object.model) for rule in rules)


def _is_column(rule: CompiledField, *, model: type[models.Model]) -> bool:
    """Whether the rule reads a column: not a property, nor a record, which stands for its name or its address."""
    if rule.end is None or rule.kind == FieldRuleKind.FORMATTED_PERSON:
        return False
    if rule.end.is_custom:
        return True
    holder = rule.references[-1].reference if rule.references else model
    columns = {field.name for field in holder._meta.concrete_fields} if holder is not None else set()
    return rule.end.reference is None and rule.end.attribute in columns


def _is_followed(rule: CompiledField) -> bool:
    """Whether the value is read through a custom reference, which no look-up of the ORM follows."""
    return any(reference.is_custom for reference in rule.references)


def _name_followed(number: int) -> str:
    return f"followed_{number}"


def _follow_rule(rule: CompiledField) -> Any:
    """Return the expression of the column that holds the value, or all custom fields with it."""
    attribute = "custom_fields" if rule.end is None or rule.end.is_custom else rule.end.attribute
    return RecordPath.build(rule.references).follow(attribute)


def _find_column(rule: CompiledField, *, number: int) -> str:
    """Return the look-up or annotation that the value of the plan's rule comes from; empty if it reads none."""
    if not _reads_value(rule) or rule.end is None:
        return ""
    if _is_followed(rule):
        return _name_followed(number)
    end = "custom_fields" if rule.end.is_custom else rule.end.attribute
    return "__".join([*(reference.attribute for reference in rule.references), end])


def _read_place(rule: CompiledField, position: int) -> Callable[[Any], Any]:
    if rule.end is None or not rule.end.is_custom:
        return itemgetter(position)
    name = rule.end.api_name

    def read(row: tuple[Any, ...]) -> Any:
        return (row[position] or {}).get(name)

    return read


def _read_instance(rule: CompiledField, *, number: int) -> Callable[[Any], Any] | None:
    """Return what reads the rule's value of an instance with the annotations of the query; None if it reads none."""
    end, references = rule.end, list(rule.references)
    if end is None or not _reads_value(rule):
        return None
    if not _is_followed(rule):
        return lambda instance: read_path(record=instance, references=references, end=end)
    name = _name_followed(number)
    if end.is_custom:
        return lambda instance: (getattr(instance, name) or {}).get(end.api_name)
    return lambda instance: getattr(instance, name)


def _list_followed(plan: CompiledIntegration) -> list[str]:
    """Return the references whose records have to be loaded, because a rule reads their values."""
    paths: dict[str, None] = {}
    for rule in plan.fields:
        if _is_followed(rule):
            continue
        steps = list(rule.references) if _reads_value(rule) else []
        if rule.end is not None and rule.end.reference is not None and not rule.end.is_custom and _reads_value(rule):
            steps.append(rule.end)
        if steps:
            paths["__".join(step.attribute for step in steps)] = None
    return list(paths)


# -- Accounts ------------------------------------------------------------------------------------------


def _has_account(plan: CompiledIntegration) -> bool:
    return plan.person_field is not None and plan.person_field.end is not None and plan.identifiers is not None


def _name_person_column(plan: CompiledIntegration) -> str:
    person = plan.person_field
    return f"{person.end.attribute}_id" if person is not None and person.end is not None else ""


def _annotate_account(plan: CompiledIntegration) -> dict[str, Any]:
    person = plan.person_field
    if person is None or person.end is None or plan.identifiers is None:
        return {}
    attribute = person.end.attribute
    # Compare with the person's present value, which may have changed since the account was looked up.
    matches = AccountMatch.objects.filter(
        connection=plan.integration.connection_id,
        identifier=plan.identifiers.key,
        person=OuterRef(f"{attribute}_id"),
        value=OuterRef("person_identifier"),
    )
    return {
        "person_identifier": build_identifier_expression(plan.identifiers, prefix=f"{attribute}__"),
        "remembered_account": Subquery(matches.values("account_id")[:1]),
    }
