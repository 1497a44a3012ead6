"""The values that a list is sorted by: database expressions, and the conditions of being beyond one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Field, Func, Model, Q, Value
from django.db.models.expressions import Combinable, OrderBy
from django.db.models.lookups import GreaterThan, LessThan

from ctms.configuration.fields import ObjectField
from ctms.core.text.expressions import collate, is_text
from ctms.records.fields.expressions import build_value
from ctms.records.fields.kinds.base import kind_of

_ROW = "(%(expressions)s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """One expression that a list is sorted by. Rows without a value come last, whatever the direction."""

    value: Combinable
    may_be_empty: bool
    output_field: Field[Any, Any]
    descending: bool = False


def build_key(*, field: ObjectField, model: type[Model], descending: bool) -> SortKey:
    """Return the key of a field; of a reference, the name of what it refers to, which is what lists show."""
    if field.is_custom:
        column = kind_of(field).custom_column()
        stored = build_value(field)
        value = collate(stored) if is_text(column) else stored
        return SortKey(value=value, may_be_empty=True, output_field=column, descending=descending)
    path = field.attribute if field.reference is None else f"{field.attribute}__name"
    owner = model if field.reference is None else field.reference
    found = owner._meta.get_field(path.rpartition("__")[2])
    if not isinstance(found, Field):
        raise TypeError(f"{field.api_name} is no field of one value.")
    return SortKey(
        value=collate(path) if is_text(found) else F(path),
        may_be_empty=field.may_be_empty,
        output_field=found,
        descending=descending,
    )


def name_key(index: int) -> str:
    """Return the name under which a statement has the values of the key at this place."""
    return f"sort_value_{index}"


def order_by_key(*, key: SortKey, name: str, backwards: bool) -> OrderBy:
    """Return the order by a key that the statement has under a name."""
    downwards, value = key.descending != backwards, F(name)
    # Without NULLS FIRST or LAST where nothing can be empty, so that an ordinary index can serve the order.
    nulls: dict[str, bool] = {}
    if key.may_be_empty:
        nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
    return value.desc(**nulls) if downwards else value.asc(**nulls)


def begin_beyond(*, keys: Sequence[SortKey], values: Sequence[Any], pk: int, downwards: bool, backwards: bool) -> Q:
    """Return the condition that a row comes after the one with these values and this primary key.

    `downwards` is the direction of the primary keys. With `backwards`, the row comes before.
    """
    condition = Q(**{"pk__lt" if downwards else "pk__gt": pk})
    remaining = list(enumerate(zip(keys, values, strict=True)))
    if keys and values[-1] is not None and (keys[-1].descending != backwards) == downwards:
        index, (key, value) = remaining.pop()
        condition = _compare_row(key=key, name=name_key(index), value=value, pk=pk, downwards=downwards)
        if key.may_be_empty and not backwards:
            condition |= Q(**{f"{name_key(index)}__isnull": True})
    for index, (key, value) in reversed(remaining):
        name = name_key(index)
        same = Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
        condition = _come_beyond(key=key, name=name, value=value, backwards=backwards) | (same & condition)
    return condition


def _come_beyond(*, key: SortKey, name: str, value: Any, backwards: bool) -> Q:
    """Return the condition that the value of a row comes after this one, none of them equal."""
    if value is None:
        # Nothing comes after what is empty, and everything else before.
        return Q(**{f"{name}__isnull": False}) if backwards else Q()
    condition = Q(**{f"{name}__{'lt' if key.descending != backwards else 'gt'}": value})
    if key.may_be_empty and not backwards:
        condition |= Q(**{f"{name}__isnull": True})
    return condition


def _compare_row(*, key: SortKey, name: str, value: Any, pk: int, downwards: bool) -> Q:
    """Return a row comparison, which a database answers from a single place in its index."""
    row = Func(F(name), F("pk"), template=_ROW, output_field=key.output_field)
    given = Value(value, output_field=key.output_field)
    boundary = Func(given, Value(pk), template=_ROW, output_field=key.output_field)
    return Q(LessThan(row, boundary) if downwards else GreaterThan(row, boundary))
