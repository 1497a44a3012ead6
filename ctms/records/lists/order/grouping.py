"""How a list is grouped: by a field, or by the day or month of one. The groups lead the order of the list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Count, F, Model, Q, QuerySet
from django.db.models.functions import Substr, TruncDate, TruncMonth

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.core.text.expressions import collate, is_text
from ctms.records.access import ObjectAccess
from ctms.records.fields.comparing.moments import to_zone
from ctms.records.fields.expressions import build_value
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.references import can_name_all
from ctms.records.lists.order.sort_keys import SortKey, build_key

MONTH_SUFFIX = "__month"
_GROUP = "list_group"
# Characters of a day and of a month as JSON holds them, such as 2026-03-31.
_DAY_LENGTH, _MONTH_LENGTH = 10, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The field by which a list is grouped; `by_month` if it is one of days, and the groups are months.

    What a group has in common is its identity: the primary key of a record referred to, the first day of a month, or
    the value as the database has it. It is None where there is no value.
    """

    field: ObjectField
    by_month: bool = False

    @property
    def name(self) -> str:
        """Return the value of the `group` parameter, such as `date__v__month`."""
        return self.field.api_name + (MONTH_SUFFIX if self.by_month else "")

    @property
    def is_day(self) -> bool:
        return kind_of(self.field).is_day

    def list_keys(self, *, model: type[Model], sort_field: ObjectField | None, descending: bool) -> list[SortKey]:
        """Return the keys that lead the order of the list, those of the groups first.

        `descending` is the direction of the list's own order, which the groups have too if it is by the same field.
        """
        is_same = sort_field is not None and sort_field.api_name == self.field.api_name
        downwards = descending if is_same else kind_of(self.field).is_newest_first
        if is_same and self.field.reference is None:
            # The order by the field itself keeps each group together, and an index may serve it.
            return [build_key(field=self.field, model=model, descending=downwards)]
        keys = self._list_keys(model=model, descending=downwards)
        if sort_field is not None and not is_same:
            keys.append(build_key(field=sort_field, model=model, descending=descending))
        return keys

    def find_key(self) -> int:
        """Return the place of the key that tells one group from another."""
        return len(self._list_names()) if self.field.reference is not None else 0

    def identify(self, value: Any) -> Any:
        """Return the identity of the group that a row belongs to, from its value of that key."""
        if value in (None, ""):
            return None
        if not self.is_day:
            return value
        if isinstance(value, str):
            day = dt.date.fromisoformat(value if len(value) == _DAY_LENGTH else f"{value}-01")
        else:
            day = to_zone(value).date() if isinstance(value, dt.datetime) else value
        return day.replace(day=1) if self.by_month else day

    def count(self, *, records: QuerySet[Any], identities: Sequence[Any]) -> dict[Any, int]:
        """Count the records of each of these groups, in one statement."""
        expression, output_field = self._build_expression(records.model)
        asked = [each for each in identities if each is not None]
        if self.is_day and self.field.is_custom:
            asked = [each.isoformat()[: self._length] for each in asked]
        condition = Q(**{f"{_GROUP}__in": asked})
        if len(asked) < len(identities):
            condition |= Q(**{f"{_GROUP}__isnull": True})
            if is_text(output_field):
                condition |= Q(**{_GROUP: ""})
        found = records.order_by().annotate(**{_GROUP: expression}).filter(condition)
        counts: dict[Any, int] = {}
        for value, number in found.values_list(_GROUP).annotate(number=Count("pk")):
            counts[self.identify(value)] = counts.get(self.identify(value), 0) + number
        return counts

    @property
    def _length(self) -> int:
        return _MONTH_LENGTH if self.by_month else _DAY_LENGTH

    def _build_expression(self, model: type[Model]) -> tuple[Any, models.Field[Any, Any]]:
        """Return the expression of what a group has in common, and its type."""
        if self.field.reference is not None:
            return F(f"{self.field.attribute}_id"), models.BigIntegerField()
        value = build_value(self.field)
        if self.is_day and self.field.is_custom:
            return Substr(value, 1, self._length), models.TextField()
        if self.by_month:
            return TruncMonth(value, output_field=models.DateField()), models.DateField()
        if kind_of(self.field).is_moment:
            return TruncDate(value), models.DateField()
        return value, build_key(field=self.field, model=model, descending=False).output_field

    def _list_keys(self, *, model: type[Model], descending: bool) -> list[SortKey]:
        """Return the keys of the groups; for a reference name and primary key, because two may have the same name."""
        expression, output_field = self._build_expression(model)
        columns: list[tuple[Any, models.Field[Any, Any]]] = [
            (collate(f"{self.field.attribute}__{name}"), models.TextField()) for name in self._list_names()
        ]
        columns.append((collate(expression) if is_text(output_field) else expression, output_field))
        return [
            SortKey(
                value=value,
                may_be_empty=self.field.is_custom or self.field.may_be_empty,
                output_field=output_field,
                descending=descending,
            )
            for value, output_field in columns
        ]

    def _list_names(self) -> tuple[str, ...]:
        if self.field.reference is None:
            return ()
        return ("first_name", "last_name") if self.field.reference is User else ("name",)


def describe_grouping(grouping: Grouping) -> str:
    """Return what lists can be grouped by, in words."""
    if not grouping.is_day:
        return grouping.field.label
    return f"{grouping.field.label} ({'month' if grouping.by_month else 'day'})"


def can_group(*, access: ObjectAccess, field: ObjectField) -> bool:
    """Whether the user may group lists by the field. Groups would reveal which hidden records are the same.

    A custom reference has no order, and a custom moment no day of the user's time zone in the database.
    """
    kind = kind_of(field)
    if field.is_computed or not kind.is_groupable or (field.is_custom and kind.is_moment):
        return False
    if field.reference is None:
        return True
    return not field.is_custom and can_name_all(access=access, model=field.reference)


def list_groupings(*, access: ObjectAccess, field: ObjectField) -> list[Grouping]:
    """Return the ways in which the user may group lists by the field."""
    if not can_group(access=access, field=field):
        return []
    return [Grouping(field=field), *([Grouping(field=field, by_month=True)] if kind_of(field).is_day else [])]


def find_grouping(*, access: ObjectAccess, name: str) -> Grouping | None:
    """Return the grouping of that name; None if the user may not group by it, or there is none."""
    fields = access.shape.fields
    field = fields.get(name) or fields.get(name.removesuffix(MONTH_SUFFIX))
    known = list_groupings(access=access, field=field) if field is not None else []
    return next((each for each in known if each.name == name), None)
