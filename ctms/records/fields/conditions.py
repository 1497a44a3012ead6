"""Conditions on one field, which filter a query set: for lists, and for rules that select records."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from ctms.configuration.fields import ObjectField
from ctms.records.fields.expressions import name_value
from ctms.records.fields.kinds.base import kind_of

# Values beyond these do not fit every database's column types.
FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
LARGEST = 10**15


def compare(*, records: QuerySet[Any], field: ObjectField, lookup: str, value: Any) -> QuerySet[Any]:
    """Return records whose field matches Django's look-up. Custom Yes/No, date and reference fields compare as text."""
    named, path = name_value(records=records, field=field)
    return named.filter(**{f"{path}__{lookup}": value})


def exclude_values(*, records: QuerySet[Any], field: ObjectField, values: Any) -> QuerySet[Any]:
    """Return records whose field holds none of the values, including those where it is empty."""
    named, path = name_value(records=records, field=field)
    return named.filter(~Q(**{f"{path}__in": values}) | Q(**{f"{path}__isnull": True}))


def limit_number(
    *, records: QuerySet[Any], field: ObjectField, first: Decimal | None, last: Decimal | None
) -> QuerySet[Any]:
    """Return records whose number lies from `first` to `last`, both included; None leaves that side open."""
    # Explicit, because Django omits a comparison that every number of the column passes, and NULL would then match too.
    records = compare(records=records, field=field, lookup="isnull", value=False)
    for lookup, value in (("gte", first), ("lte", last)):
        if value is None:
            continue
        number: float | Decimal = value
        if field.is_custom:
            number = kind_of(field).to_query(value=value, field=field)
        elif isinstance(records.model._meta.get_field(field.attribute), models.IntegerField):
            # Django would cut the fraction off, so that 1.5 would compare as 1.
            number = math.ceil(value) if lookup == "gte" else math.floor(value)
        records = compare(records=records, field=field, lookup=lookup, value=number)
    return records


def limit_days(
    *, records: QuerySet[Any], field: ObjectField, first: dt.date | None, last: dt.date | None
) -> QuerySet[Any]:
    """Return records between the start of the `first` day and the end of the `last`, in the active time zone."""
    beyond = last + dt.timedelta(days=1) if last else None
    for lookup, day in (("gte", first), ("lt", beyond)):
        if day is not None:
            records = compare(records=records, field=field, lookup=lookup, value=_build_bound(field=field, day=day))
    return records


def limit_to_empty(*, records: QuerySet[Any], field: ObjectField, is_empty: bool) -> QuerySet[Any]:
    """Return records whose field is empty, or those whose field is not."""
    if field.is_custom:
        empty = ~Q(custom_fields__has_key=field.api_name)
    else:
        empty = Q(**{f"{field.attribute}__isnull": True})
        if kind_of(field).empty == "":
            empty |= Q(**{field.attribute: ""})
    return records.filter(empty if is_empty else ~empty)


def _build_bound(*, field: ObjectField, day: dt.date) -> Any:
    kind = kind_of(field)
    bound = timezone.make_aware(dt.datetime.combine(day, dt.time.min)) if kind.is_moment else day
    return kind.to_query(value=bound, field=field) if field.is_custom else bound
