"""The records that fulfil conditions, as one query set for both databases."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from ctms.records.conditions.kinds import get_kind, is_empty
from ctms.records.conditions.referred import shorten_keys
from ctms.records.conditions.tree import Condition, Group, Joint
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.operators import HOLD_WITHOUT_VALUE, Operator
from ctms.records.fields.expressions import name_custom

_DENIED = frozenset({Operator.IS_NOT, Operator.NOT_CONTAINS, Operator.NOT_WITHIN})


def limit_records(*, records: QuerySet[Any], group: Group, asker: Asker) -> QuerySet[Any]:
    """Return the records that fulfil the group.

    A condition on a record referred to takes a statement if a user asks, none if the Vault does.
    """
    if not group:
        return records
    names: dict[str, Any] = {}
    condition = _build_group(group=group, asker=asker, names=names)
    return (records.alias(**names) if names else records).filter(condition)


def _build_group(*, group: Group, asker: Asker, names: dict[str, Any]) -> Q:
    built = [
        _build_group(group=each, asker=asker, names=names)
        if isinstance(each, Group)
        else _build_condition(condition=each, asker=asker, names=names)
        for each in group.members
    ]
    joined = built[0]
    for each in built[1:]:
        joined = joined & each if group.joint == Joint.ALL else joined | each
    return joined


def _build_condition(*, condition: Condition, asker: Asker, names: dict[str, Any]) -> Q:
    """Build the condition from its end: which records at the end of each step fulfil what follows."""
    subject, operator = condition.subject, condition.operator
    if not subject.steps:
        return _compare(condition=condition, names=names)
    inner: dict[str, Any] = {}
    fitting = _compare(condition=condition, names=inner)
    for index in range(len(subject.steps) - 1, -1, -1):
        step = subject.steps[index]
        records = asker.list_records(step.target)
        records = (records.alias(**inner) if inner else records).filter(fitting)
        outer: dict[str, Any] = names if index == 0 else {}
        name = name_custom(field=step.reference, names=outer)
        keys = shorten_keys(asker=asker, records=records, reference=step.reference)
        fitting = Q(**{f"{name}__in": keys})
        if operator in HOLD_WITHOUT_VALUE:
            fitting |= Q(**{f"{name}__isnull": True})
        inner = outer
    return fitting


def _compare(*, condition: Condition, names: dict[str, Any]) -> Q:
    field, operator = condition.subject.field, condition.operator
    name = name_custom(field=field, names=names)
    if operator == Operator.EMPTY:
        return is_empty(field=field, name=name)
    if operator == Operator.NOT_EMPTY:
        return ~is_empty(field=field, name=name)
    held = get_kind(field).build(field=field, operator=operator, name=name, meaning=condition.meaning)
    return ~held | Q(**{f"{name}__isnull": True}) if operator in _DENIED else held
