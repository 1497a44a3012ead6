"""The filter of an integration rule: conditions on fields of a record, or of records that it refers to.

A record passes if it fulfils all conditions. They are stored as JSON and compiled before each run, which checks the
names in them. A condition that has become invalid is an error and is never skipped, because the filter would then let
more records through.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.choices import FilterOperator
from connections.filtervalues import LISTED, SPAN, clean_values
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.registry import VaultObject, get_object_of_model
from ctms.configuration.snapshot import Configuration, ObjectShape
from ctms.core.errors import VaultError
from ctms.records.fields.conditions import (
    compare,
    exclude_values,
    limit_days,
    limit_number,
    limit_to_empty,
)
from ctms.records.fields.kinds.base import Comparison, kind_of

MOST_CONDITIONS = 20
# The transfer treats inactive records itself; a record is chosen by a reference, not by its UID.
_NOT_OFFERED = frozenset({"uid__sys", "status__v"})
_EMPTINESS = (FilterOperator.EMPTY, FilterOperator.NOT_EMPTY)
_OPERATORS: dict[Comparison, tuple[FilterOperator, ...]] = {
    Comparison.CHOICE: LISTED,
    Comparison.RECORD: LISTED,
    Comparison.WORDS: (*LISTED, FilterOperator.EQUALS),
    Comparison.PROSE: (),
    Comparison.NUMBER: (FilterOperator.EQUALS, *SPAN),
    Comparison.DAY: SPAN,
    Comparison.YES_NO: (FilterOperator.YES, FilterOperator.NO),
}


class FilterError(VaultError):
    """A condition of the filter is not valid; the message names the field and the remedy."""

    def __init__(self, message: str, *, index: int = 0) -> None:
        super().__init__(message)
        self.index = index  # of the condition, from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The field of a condition: one of the record, or one of the record that `reference` leads to."""

    shape: ObjectShape  # the object that has the field
    field: ObjectField
    reference: ObjectField | None = None

    @property
    def path(self) -> str:
        return f"{self.reference.api_name}.{self.field.api_name}" if self.reference else self.field.api_name

    @property
    def label(self) -> str:
        return f"{self.reference.label}: {self.field.label}" if self.reference else self.field.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition, checked against the present configuration."""

    subject: Subject
    operator: FilterOperator
    values: tuple[str, ...] = ()

    def as_stored(self) -> dict[str, Any]:
        """Return the condition as the rule stores it."""
        return {"field": self.subject.path, "operator": str(self.operator), "values": list(self.values)}


def list_subjects(*, configuration: Configuration, object_name: str, object_type: str = "") -> list[Subject]:
    """Return the fields that a filter may compare: those of the object type, then those of records referred to."""
    shape = configuration.get(object_name)
    own = shape.list_type_fields(object_type) if object_type in shape.types else list(shape.fields.values())
    fixed = {OBJECT_TYPE} if object_type else set()
    found = [Subject(shape=shape, field=each) for each in _sort(own) if each.api_name not in fixed and _may_ask(each)]
    for reference in _sort(own):
        target = _find_target(reference)
        if target is not None and not reference.is_custom:
            shape_there = configuration.get(target.api_name)
            found += [
                Subject(shape=shape_there, field=each, reference=reference)
                for each in _sort(shape_there.fields.values())
                if _may_ask(each)
            ]
    return found


def find_subject(*, configuration: Configuration, object_name: str, path: str) -> Subject | None:
    """Return the field at a path; None if a field on the path does not exist (any more) or cannot be compared."""
    shape = configuration.get(object_name)
    step, _, name = path.rpartition(".")
    reference = shape.fields.get(step) if step else None
    if step:
        target = _find_target(reference) if reference and not reference.is_custom else None
        if target is None:
            return None
        shape = configuration.get(target.api_name)
    field = shape.fields.get(name)
    return Subject(shape=shape, field=field, reference=reference) if field and _may_ask(field) else None


def list_operators(field: ObjectField) -> list[FilterOperator]:
    """Return the operators for a field; none for a reference to users, who are no records of an object."""
    if field.is_computed or (field.reference is not None and _find_target(field) is None):
        return []
    kind = kind_of(field)
    can_be_empty = field.may_be_empty or field.is_custom or kind.holds_text
    return [*_OPERATORS[kind.comparison], *(_EMPTINESS if can_be_empty else ())]


def compile_conditions(
    *, configuration: Configuration, object_name: str, stored: Sequence[Any]
) -> tuple[Condition, ...]:
    """Check and return the conditions of a rule. Raises FilterError that names the field of the first invalid one."""
    return tuple(
        _compile(configuration=configuration, object_name=object_name, each=each, index=index)
        for index, each in enumerate(stored)
    )


def limit_records(*, records: QuerySet[Any], conditions: Sequence[Condition]) -> QuerySet[Any]:
    """Return the records that fulfil all conditions. Days are those of UTC, whatever the user's time zone."""
    with timezone.override(dt.UTC):
        for condition in conditions:
            records = _limit(records=records, condition=condition)
    return records


def _sort(fields: Iterable[ObjectField]) -> list[ObjectField]:
    return sorted(fields, key=lambda each: each.label.casefold())


def _may_ask(field: ObjectField) -> bool:
    return field.api_name not in _NOT_OFFERED and bool(list_operators(field))


def _find_target(field: ObjectField) -> VaultObject | None:
    return get_object_of_model(field.reference) if field.reference else None


def _compile(*, configuration: Configuration, object_name: str, each: Any, index: int) -> Condition:
    if not isinstance(each, dict) or not isinstance(each.get("values", []), list):
        raise FilterError(f"Condition {index + 1} of the filter cannot be read. Remove it.", index=index)
    path, values = str(each.get("field", "")), [str(value) for value in each.get("values", [])]
    subject = find_subject(configuration=configuration, object_name=object_name, path=path)
    if subject is None:
        raise FilterError(
            f"The filter asks about {path}, which {configuration.get(object_name).vault_object.title} does not have "
            "(any more). Remove the condition, or make the field Active again.",
            index=index,
        )
    field = subject.field
    operator = next((known for known in list_operators(field) if known == each.get("operator")), None)
    if operator is None:
        raise FilterError(
            f"{subject.label}: “{_name_operator(each.get('operator'))}” cannot be asked of it. Choose another "
            "operator, or remove the condition.",
            index=index,
        )
    try:
        cleaned = clean_values(shape=subject.shape, field=field, operator=operator, values=values)
    except ValueError as error:
        raise FilterError(f"{subject.label}: {error}", index=index) from None
    return Condition(subject=subject, operator=operator, values=cleaned)


def _name_operator(operator: Any) -> str:
    return FilterOperator(operator).label if operator in FilterOperator.values else str(operator)


def _limit(*, records: QuerySet[Any], condition: Condition) -> QuerySet[Any]:
    reference = condition.subject.reference
    if reference is None or reference.reference is None:
        return _limit_own(records=records, condition=condition)
    fitting = _limit_own(records=reference.reference._base_manager.all(), condition=condition)
    fits = Q(**{f"{reference.attribute}__in": fitting.values("pk")})
    if condition.operator in (FilterOperator.NOT_IN, FilterOperator.EMPTY):
        fits |= Q(**{f"{reference.attribute}__isnull": True})
    return records.filter(fits)


def _limit_own(*, records: QuerySet[Any], condition: Condition) -> QuerySet[Any]:
    field, operator = condition.subject.field, condition.operator
    if operator in _EMPTINESS:
        return limit_to_empty(records=records, field=field, is_empty=operator == FilterOperator.EMPTY)
    kind = kind_of(field)
    if kind.comparison == Comparison.YES_NO:
        is_yes = operator == FilterOperator.YES
        value = kind.to_query(value=is_yes, field=field) if field.is_custom else is_yes
        return compare(records=records, field=field, lookup="exact", value=value)
    if kind.comparison == Comparison.DAY:
        day = dt.date.fromisoformat(condition.values[0])
        first, last = _span(operator, day)
        return limit_days(records=records, field=field, first=first, last=last)
    if kind.comparison == Comparison.NUMBER:
        low, high = _span(operator, Decimal(condition.values[0]))
        return limit_number(records=records, field=field, first=low, last=high)
    values: Any = list(condition.values)
    if field.reference is not None and not field.is_custom:
        # The UID of a deleted record may stay in the filter, because no record refers to it any more.
        values = field.reference._base_manager.filter(uid__in=values).values("pk")
    if operator == FilterOperator.NOT_IN:
        return exclude_values(records=records, field=field, values=values)
    return compare(records=records, field=field, lookup="in", value=values)


def _span(operator: FilterOperator, value: Any) -> tuple[Any, Any]:
    return (None if operator == FilterOperator.TO else value, None if operator == FilterOperator.FROM else value)
