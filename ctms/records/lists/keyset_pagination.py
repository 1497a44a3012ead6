"""Keyset pagination: a page begins after (or before) the values of a row, so that the last is as fast as the first."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThan, LessThan

from ctms.configuration.fields import ObjectField
from ctms.core.errors import VaultError
from ctms.core.lookups import AmongManyKeys
from ctms.core.text.expressions import collate, is_text
from ctms.records.fields.expressions import build_value
from ctms.records.fields.kinds.base import kind_of

COUNT_CAP = 1000
# Of so many matches of a search all keys are read.
_MOST_FOUND = 10_000
LAST = "last"
_FORWARDS, _BACKWARDS = "f", "b"
_SORT_VALUE = "sort_value"
_ROW = "(%(expressions)s)"
# Cursors are signed, so that the values read from one are those that the Vault wrote.
_SALT = "ctms.records.lists.keyset_pagination"
_UNREADABLE = "This place in the list cannot be read. Go to the first page."


class InvalidCursorError(VaultError):
    """The cursor in the address cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """The order of a list: by a field, ascending or descending, then by primary key."""

    field: ObjectField | None
    descending: bool = False

    @property
    def name(self) -> str:
        """Return the value of the `sort` parameter, such as `-date__v`."""
        return ("-" if self.descending else "") + (self.field.api_name if self.field else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one page, and cursors of the pages beside it; None if there is none.

    `before` is the number of rows before this page when its cursor was made; None if they were not counted.
    """

    rows: list[Any]
    next_cursor: str | None
    previous_cursor: str | None
    is_first: bool
    is_last: bool
    before: int | None


def count_capped(records: QuerySet[Any]) -> int:
    """Count the records, but stop at `COUNT_CAP` + 1, which pages show as "1,000+"."""
    return records.order_by()[: COUNT_CAP + 1].count()


def look_around(records: QuerySet[Any], *, is_searched: bool = False) -> tuple[QuerySet[Any], int]:
    """Return the records and their number, at most `COUNT_CAP` + 1, in one statement, or two if many were searched for.

    If they are few, the records returned are selected by primary key. Otherwise a database that estimates many of them
    would scan the whole table in the order of the list to find them, and fold the texts of all that it meets.
    """
    keys = records.order_by().values_list("pk", flat=True)
    found = list(keys[: COUNT_CAP + 1])
    number = len(found)
    if number > COUNT_CAP and is_searched:
        found = list(keys[: _MOST_FOUND + 1])
    if len(found) > (_MOST_FOUND if is_searched else COUNT_CAP):
        return records, number
    return records.model._default_manager.filter(**{f"pk__{AmongManyKeys.lookup_name}": found}), number


def order_records(*, records: QuerySet[Any], sort: Sort) -> QuerySet[Any]:
    """Return all the records in the order in which pages show them."""
    return _order(records=records, key=_build_key(sort=sort, model=records.model), sort=sort, backwards=False)


def cut_page(*, records: QuerySet[Any], sort: Sort, size: int, cursor: str = "") -> Page:
    """Return one page of the records. `cursor` comes from another page; `last` means the last page, empty the first.

    Raises InvalidCursorError.
    """
    key = _build_key(sort=sort, model=records.model)
    scope = _name_scope(model=records.model, sort=sort)
    place = _read_cursor(cursor=cursor, sort=sort, scope=scope, key=key)
    ordered = _order(records=records, key=key, sort=sort, backwards=place.backwards)
    if place.pk is not None:
        ordered = _begin_beyond(records=ordered, key=key, sort=sort, place=place)
    # The primary keys first, then the rows with what they refer to, so that the database sorts only keys and values.
    found = list(ordered.values_list("pk", _SORT_VALUE if key is not None else "pk")[: size + 1])
    more = len(found) > size
    places = [_Place(pk=pk, value=value) for pk, value in found[:size]]
    if place.backwards:
        places.reverse()
    has_previous = more if place.backwards else place.pk is not None
    has_next = place.pk is not None if place.backwards else more
    before = _count_before(place=place, rows=len(places), has_previous=has_previous)
    after = None if before is None else before + len(places)
    by_pk = {row.pk: row for row in records.order_by().filter(pk__in=[each.pk for each in places])}
    return Page(
        rows=[by_pk[each.pk] for each in places if each.pk in by_pk],
        next_cursor=_write_cursor(place=places[-1], sort=sort, scope=scope, direction=_FORWARDS, before=after)
        if places and has_next
        else None,
        previous_cursor=_write_cursor(place=places[0], sort=sort, scope=scope, direction=_BACKWARDS, before=before)
        if places and has_previous
        else None,
        is_first=not has_previous,
        is_last=not has_next,
        before=before,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The expression that a list is sorted by, before the primary key."""

    value: Combinable
    may_be_empty: bool
    output_field: Field[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a page begins: beyond the row of this primary key and value, or at an end of the list if `pk` is None."""

    backwards: bool = False
    value: Any = None
    pk: int | None = None
    before: int | None = None


def _order(*, records: QuerySet[Any], key: _Key | None, sort: Sort, backwards: bool) -> QuerySet[Any]:
    downwards = sort.descending != backwards
    number = F("pk").desc() if downwards else F("pk").asc()
    if key is None:
        return records.order_by(number)
    records = records.annotate(**{_SORT_VALUE: key.value})
    value = F(_SORT_VALUE)
    if not key.may_be_empty:
        # Without NULLS FIRST or LAST, so that an ordinary index can serve the order.
        return records.order_by(value.desc() if downwards else value.asc(), number)
    # Empty values come last in both directions.
    nulls: dict[str, bool] = {"nulls_first": True} if backwards else {"nulls_last": True}
    return records.order_by(value.desc(**nulls) if downwards else value.asc(**nulls), number)


def _begin_beyond(*, records: QuerySet[Any], key: _Key | None, sort: Sort, place: _Place) -> QuerySet[Any]:
    downwards = sort.descending != place.backwards
    same_side = {"pk__lt" if downwards else "pk__gt": place.pk}
    if key is None:
        return records.filter(**same_side)
    if place.value is None:
        among_empty = Q(**{f"{_SORT_VALUE}__isnull": True}, **same_side)
        return records.filter(among_empty | Q(**{f"{_SORT_VALUE}__isnull": False}) if place.backwards else among_empty)
    # A row comparison, which a database answers from a single place in its index.
    row = Func(F(_SORT_VALUE), F("pk"), template=_ROW, output_field=key.output_field)
    value = Value(place.value, output_field=key.output_field)
    boundary = Func(value, Value(place.pk), template=_ROW, output_field=key.output_field)
    beyond = Q(LessThan(row, boundary) if downwards else GreaterThan(row, boundary))
    if key.may_be_empty and not place.backwards:
        beyond |= Q(**{f"{_SORT_VALUE}__isnull": True})
    return records.filter(beyond)


def _build_key(*, sort: Sort, model: type[Model]) -> _Key | None:
    field = sort.field
    if field is None:
        return None
    if field.is_custom:
        column = kind_of(field).custom_column()
        stored = build_value(field)
        return _Key(value=collate(stored) if is_text(column) else stored, may_be_empty=True, output_field=column)
    # References are sorted by name, which is what the list shows.
    path = field.attribute if field.reference is None else f"{field.attribute}__name"
    owner = model if field.reference is None else field.reference
    found = owner._meta.get_field(path.rpartition("__")[2])
    if not isinstance(found, Field):
        raise TypeError(f"{field.api_name} is no field of one value.")
    value = collate(path) if is_text(found) else F(path)
    return _Key(value=value, may_be_empty=field.may_be_empty, output_field=found)


def _count_before(*, place: _Place, rows: int, has_previous: bool) -> int | None:
    if not has_previous:
        return 0
    if place.before is None or not place.backwards:
        return place.before
    return max(1, place.before - rows)


def _name_scope(*, model: type[Model], sort: Sort) -> str:
    """Return what a cursor is valid for: a model and a field's kind, because a field can be recreated with another."""
    return f"{model._meta.label_lower}:{sort.field.kind if sort.field else ''}"


def _write_cursor(*, place: _Place, sort: Sort, scope: str, direction: str, before: int | None) -> str:
    value = place.value
    written = value if value is None or isinstance(value, (bool, float)) else _write_text(value)
    return signing.Signer(salt=_SALT).sign_object([scope, direction, sort.name, written, place.pk, before])


def _read_cursor(*, cursor: str, sort: Sort, scope: str, key: _Key | None) -> _Place:
    if not cursor:
        return _Place(before=0)
    if cursor == LAST:
        return _Place(backwards=True)
    try:
        of_list, direction, name, written, pk, before = signing.Signer(salt=_SALT).unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidCursorError(_UNREADABLE) from error
    if name == sort.name and of_list != scope:
        raise InvalidCursorError("This place belongs to another list. Go to the first page.")
    if name != sort.name:
        raise InvalidCursorError("This place belongs to a list sorted in another way. Go to the first page.")
    try:
        value = None if key is None or written is None else key.output_field.to_python(written)
    except ValidationError as error:
        raise InvalidCursorError(_UNREADABLE) from error
    return _Place(backwards=direction == _BACKWARDS, value=value, pk=pk, before=before)


def _write_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)
