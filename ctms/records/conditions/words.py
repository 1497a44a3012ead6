"""Conditions in words, as chips, previews and the pages of rules show them."""

from __future__ import annotations

from ctms.accounts.models import User
from ctms.records.conditions.kinds import get_kind
from ctms.records.conditions.mine import ME, MINE, find_mine
from ctms.records.conditions.referred import Referred
from ctms.records.conditions.tree import Condition, Group, Joint
from ctms.records.fields.comparing.operators import PERIODS, Operator
from ctms.records.fields.comparing.periods import describe_period
from ctms.records.fields.values import format_value

_WORDS = {
    Operator.IS: "",
    Operator.IS_NOT: "not ",
    Operator.HAS_ALL: "has all of ",
    Operator.CONTAINS: "contains ",
    Operator.NOT_CONTAINS: "does not contain ",
    Operator.BEGINS: "begins with ",
    Operator.FROM: "from ",
    Operator.UNTIL: "until ",
    Operator.NOT_WITHIN: "not ",
}


def name_operator(condition: Condition) -> str:
    """Return the operator as it is read before the values: of a period, `is` rather than `is within`."""
    plain = {Operator.WITHIN: Operator.IS, Operator.NOT_WITHIN: Operator.IS_NOT}
    return plain.get(condition.operator, condition.operator).label


def describe_condition(condition: Condition) -> str:
    """Return what is asked of the field, such as `Phone or Video`, `from 1 Jan 2026`, `is empty`."""
    operator = condition.operator
    if operator in (Operator.EMPTY, Operator.NOT_EMPTY):
        return operator.label
    texts = list_value_texts(condition)
    if operator == Operator.BETWEEN:
        return f"from {texts[0]} until {texts[1]}"
    return f"{_WORDS.get(operator, '')}{(' and ' if operator == Operator.HAS_ALL else ' or ').join(texts)}"


def describe_group(group: Group) -> str:
    """Return the conditions of a group, such as `Channel: Phone, or Complete: Yes`."""
    word = ", or " if group.joint == Joint.ANY else " and "
    return word.join(_describe_member(each) for each in group.members)


def list_value_texts(condition: Condition) -> list[str]:
    """Return the values of a condition in words. A record that was not read is shown by its uid."""
    return [_describe_value(condition=condition, value=value) for value in condition.values]


def _describe_member(member: Condition | Group) -> str:
    if isinstance(member, Group):
        return f"({describe_group(member)})"
    return f"{member.subject.label}: {describe_condition(member)}"


def _describe_value(*, condition: Condition, value: str) -> str:
    field, shape = condition.subject.field, condition.subject.shape
    if condition.operator in PERIODS:
        return describe_period(value)
    if isinstance(condition.meaning, Referred):
        return _describe_referred(condition=condition, value=value)
    comparison = get_kind(field)
    if ticks := dict(comparison.list_ticks(shape.list_choices(field))):
        return ticks.get(value, value)
    return format_value(value=comparison.read_typed(field=field, value=value), field=field, shape=shape)


def _describe_referred(*, condition: Condition, value: str) -> str:
    field = condition.subject.field
    if field.reference is User:
        return ME if value == ME else str(condition.meaning.found[value])
    if value == MINE and (mine := find_mine(field.reference)) is not None:
        return mine.label
    found = condition.meaning.found.get(value)
    return str(found) if found is not None else value
