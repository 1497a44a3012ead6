"""Filters of any object's fields, for lists, exports, bulk edits and the API.

A parameter is the field's API name (`study__v=<uid>`, several times for any of several; `channel__v=phone__v`), for
text `…__contains`, for dates and numbers `…__from` and `…__to` (inclusive), for dates also `…__within` (`today`,
`last_7`, `next_30`, `this_week`, `past` …), and for every field `…__empty=true|false`. Users are given by user name,
or as `me`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.access import ObjectAccess
from ctms.records.fields.conditions import (
    FIRST_DAY,
    LARGEST,
    LAST_DAY,
    compare,
    limit_days,
    limit_number,
    limit_to_empty,
)
from ctms.records.fields.date_ranges import PERIOD_CHOICES, describe_period, list_days
from ctms.records.fields.kinds.base import Comparison, kind_of
from ctms.records.fields.references import get_target, list_visible
from ctms.records.fields.values import format_value

YES_NO_CHOICES = [("true", "Yes"), ("false", "No")]
ME = "me"
CONTAINS, FROM, TO, WITHIN, EMPTY = "contains", "from", "to", "within", "empty"

_MOST_DECIMALS = 20  # a number such as 1e-1000000 would be written out as a megabyte of zeros

_Method = Callable[[QuerySet[Any], str, Any], QuerySet[Any]]
_Filters = Iterator[tuple[str, django_filters.Filter]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFilter:
    """An active filter. `text` describes it; removing `parameter` from the address removes the filter."""

    field: ObjectField
    text: str
    parameter: str

    @property
    def label(self) -> str:
        return self.field.label


def list_filterable_fields(shape: ObjectShape) -> list[ObjectField]:
    """Return every field that is stored in the database, except the uid."""
    return [each for each in shape.fields.values() if not each.is_computed and each.api_name != "uid__sys"]


def split_parameter(*, shape: ObjectShape, name: str) -> tuple[ObjectField, str] | None:
    """Return the field and the suffix of a parameter's name (empty for equality); None if it is not a filter."""
    for suffix in ("", CONTAINS, FROM, TO, WITHIN, EMPTY):
        field = shape.fields.get(name.removesuffix(f"__{suffix}") if suffix else name)
        if field is not None and (not suffix or name.endswith(f"__{suffix}")):
            return field, suffix
    return None


def build_filter_set(
    *, access: ObjectAccess, records: QuerySet[Any], parameters: QueryDict
) -> django_filters.FilterSet:
    """Build the filter set of an object for the parameters of an address; other parameters are ignored.

    Its `is_valid()` and `errors` tell which parameters are not valid.
    """
    filterable = {each.api_name for each in list_filterable_fields(access.shape)}
    filters: dict[str, django_filters.Filter] = {}
    for name in parameters:
        # Only filters in the address, because each filter of a reference runs a statement for its choices.
        found = split_parameter(shape=access.shape, name=name)
        if found is not None and found[0].api_name in filterable:
            filters |= {other: made for other, made in _build_filters(access=access, field=found[0]) if other == name}
    filter_class = type(f"{access.vault_object.model.__name__}FilterSet", (django_filters.FilterSet,), filters)
    made: django_filters.FilterSet = filter_class(data=parameters, queryset=records)
    return made


def list_filter_names(*, access: ObjectAccess) -> list[tuple[str, ObjectField]]:
    """Return every parameter by which the object's lists can be filtered, with its field."""
    return [
        (name, each)
        for each in list_filterable_fields(access.shape)
        for name, _ in _build_filters(access=access, field=each)
    ]


def list_active_filters(*, filter_set: django_filters.FilterSet, access: ObjectAccess) -> list[ActiveFilter]:
    """Return the active filters, each with a text that describes it."""
    active = []
    filter_set.is_valid()
    for name in filter_set.filters:
        value = filter_set.form.cleaned_data.get(name)
        found = split_parameter(shape=access.shape, name=name)
        if value in (None, "", []) or found is None:
            continue
        field, suffix = found
        text = _describe(field=field, suffix=suffix, value=value, access=access)
        active.append(ActiveFilter(field=field, text=text, parameter=name))
    return active


def _build_filters(*, access: ObjectAccess, field: ObjectField) -> _Filters:
    name, label = field.api_name, field.label
    comparison = kind_of(field).comparison
    if comparison == Comparison.RECORD:
        yield from _build_reference_filters(access=access, field=field)
    elif comparison == Comparison.CHOICE:
        choices = access.shape.list_choices(field)
        yield name, django_filters.MultipleChoiceFilter(method=_compare(field, "in"), choices=choices, label=label)
    elif comparison == Comparison.YES_NO:
        yield name, _build_yes_no(label=label, method=_compare(field, "exact", _read_yes_no(field)))
    elif comparison == Comparison.DAY:
        yield from _build_date_filters(field)
    elif comparison == Comparison.NUMBER:
        yield from _build_number_filters(field)
    else:
        yield name, django_filters.CharFilter(method=_compare(field, "exact"), label=label)
        yield (
            f"{name}__{CONTAINS}",
            django_filters.CharFilter(method=_compare(field, "folded_contains"), label=f"{label} contains"),
        )
    yield f"{name}__{EMPTY}", _build_yes_no(label=f"{label} is empty", method=_filter_empty(field))


def _build_yes_no(*, label: str, method: _Method) -> django_filters.Filter:
    return django_filters.TypedChoiceFilter(
        method=method, choices=YES_NO_CHOICES, coerce=lambda text: text == "true", label=label
    )


def _build_reference_filters(*, access: ObjectAccess, field: ObjectField) -> _Filters:
    visible = list_visible(access=access, field=field)
    target = get_target(field)
    if visible is not None and target is not None:
        gone = f"There is no {target.label} of this uid that you can see. Choose another, or leave it out."
        convert = _list_uids if field.is_custom else list
        yield (
            field.api_name,
            django_filters.ModelMultipleChoiceFilter(
                method=_compare(field, "in", convert),
                queryset=visible,
                to_field_name="uid",
                label=field.label,
                error_messages={"invalid_choice": gone, "invalid_pk_value": gone},
            ),
        )
    elif field.reference is User:
        yield (
            field.api_name,
            django_filters.ModelChoiceFilter(
                method=_filter_user(field, me=access.user),
                queryset=User._default_manager.all(),
                to_field_name="username",
                null_label="me",
                null_value=ME,
                label=field.label,
                error_messages={"invalid_choice": "There is no user of this name."},
            ),
        )


def _build_date_filters(field: ObjectField) -> _Filters:
    name, label = field.api_name, field.label
    bounds = {"validators": [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]}
    for suffix, sides in (("", (FROM, TO)), (FROM, (FROM,)), (TO, (TO,))):
        yield (
            "__".join(filter(None, (name, suffix))),
            django_filters.DateFilter(
                method=_filter_days(field, sides), label=" ".join(filter(None, (label, suffix))), **bounds
            ),
        )
    yield (
        f"{name}__{WITHIN}",
        django_filters.ChoiceFilter(method=_filter_period(field), choices=PERIOD_CHOICES, label=f"{label} is"),
    )


class _NumberFilter(django_filters.NumberFilter):  # type: ignore[misc]
    def get_max_validator(self) -> MaxValueValidator:
        return MaxValueValidator(LARGEST)


def _build_number_filters(field: ObjectField) -> _Filters:
    name, label = field.api_name, field.label
    for suffix, sides in (("", (FROM, TO)), (FROM, (FROM,)), (TO, (TO,))):
        yield (
            "__".join(filter(None, (name, suffix))),
            _NumberFilter(
                method=_filter_number(field, sides),
                label=" ".join(filter(None, (label, suffix))),
                min_value=-LARGEST,
                decimal_places=_MOST_DECIMALS,
            ),
        )


def _compare(field: ObjectField, lookup: str, convert: Callable[[Any], Any] = lambda value: value) -> _Method:
    def apply(records: QuerySet[Any], _name: str, value: Any) -> QuerySet[Any]:
        return compare(records=records, field=field, lookup=lookup, value=convert(value))

    return apply


def _read_yes_no(field: ObjectField) -> Callable[[bool], Any]:
    return (lambda value: kind_of(field).to_query(value=value, field=field)) if field.is_custom else bool


def _list_uids(records: QuerySet[Any]) -> list[str]:
    return [str(each.uid) for each in records]


def _filter_number(field: ObjectField, sides: tuple[str, ...]) -> _Method:
    def apply(records: QuerySet[Any], _name: str, value: Decimal) -> QuerySet[Any]:
        return limit_number(
            records=records,
            field=field,
            first=value if FROM in sides else None,
            last=value if TO in sides else None,
        )

    return apply


def _filter_days(field: ObjectField, sides: tuple[str, ...]) -> _Method:
    def apply(records: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return limit_days(
            records=records,
            field=field,
            first=value if FROM in sides else None,
            last=value if TO in sides else None,
        )

    return apply


def _filter_period(field: ObjectField) -> _Method:
    def apply(records: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        first, last = list_days(period=value, today=timezone.localdate())
        return limit_days(records=records, field=field, first=first, last=last)

    return apply


def _filter_user(field: ObjectField, *, me: User) -> _Method:
    def apply(records: QuerySet[Any], _name: str, value: Any) -> QuerySet[Any]:
        return records.filter(**{field.attribute: me if value == ME else value})

    return apply


def _filter_empty(field: ObjectField) -> _Method:
    def apply(records: QuerySet[Any], _name: str, value: bool) -> QuerySet[Any]:  # noqa: FBT001  django-filter's signature
        return limit_to_empty(records=records, field=field, is_empty=value)

    return apply


def _describe(*, field: ObjectField, suffix: str, value: Any, access: ObjectAccess) -> str:
    if suffix == WITHIN:
        return describe_period(value)
    if suffix == EMPTY:
        return "is empty" if value else "is not empty"
    if isinstance(value, (list, QuerySet)):
        return " or ".join(format_value(value=each, field=field, shape=access.shape) for each in value)
    shown = format_value(value=value, field=field, shape=access.shape)
    return f"{_WORDS[suffix]}{shown}"


_WORDS = {"": "", CONTAINS: "contains ", FROM: "from ", TO: "until "}
