"""Keyset pagination: a page begins after (or before) the values of a row, so that the last is as fast as the first."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet

from ctms.configuration.fields import ObjectField
from ctms.core.errors import VaultError
from ctms.records.lists.order.found import ManyFound, select_keys
from ctms.records.lists.order.grouping import Grouping
from ctms.records.lists.order.sort_keys import SortKey, begin_beyond, build_key, name_key, order_by_key

COUNT_CAP = 1000
# Addresses of pages that are not named by a row.
FIRST, LAST = "first", "last"
_FORWARDS, _BACKWARDS = "f", "b"
# Cursors are signed, so that the values read from one are those that the Vault wrote. Addresses hold them: this stays.
_SALT = "ctms.records.lists.keyset_pagination"
_UNREADABLE = "This place in the list cannot be read. Go to the first page."


# What a row is sorted by, before its primary key.
Values = tuple[Any, ...]


class InvalidCursorError(VaultError):
    """The cursor in the address cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """The order of a list: by a field, ascending or descending, then by primary key. Its groups come first.

    `further` are orders among records with the same value of the field; the primary key comes last.
    """

    field: ObjectField | None
    descending: bool = False
    grouping: Grouping | None = None
    further: tuple[Sort, ...] = ()

    @property
    def name(self) -> str:
        """Return the value of the `sort` parameter, such as `-date__v`, or `-date__v,name__v`."""
        own = ("-" if self.descending else "") + (self.field.api_name if self.field else "")
        return ",".join((own, *(each.name for each in self.further)))

    @property
    def full_name(self) -> str:
        """Return what tells this order from others of the same list."""
        return f"{self.grouping.name} {self.name}" if self.grouping else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one page, and cursors of the pages beside it; None if there is none.

    `before` is the number of rows before this page when its cursor was made; None if they were not counted. `values`
    are what each row is sorted by, and `values_before` that of the row before the page; None if there is none.
    """

    rows: list[Any]
    values: list[Values]
    values_before: Values | None
    next_cursor: str | None
    previous_cursor: str | None
    is_first: bool
    is_last: bool
    before: int | None


def count_capped(records: QuerySet[Any]) -> int:
    """Count the records, but stop at `COUNT_CAP` + 1, which pages show as "1,000+"."""
    return records.order_by()[: COUNT_CAP + 1].count()


def look_around(records: QuerySet[Any]) -> tuple[QuerySet[Any], int]:
    """Return the records and their number, at most `COUNT_CAP` + 1, in one statement.

    If they are few, the records returned are selected by primary key. Otherwise a database that estimates many of them
    would scan the whole table in the order of the list to find them.
    """
    found = list(records.order_by().values_list("pk", flat=True)[: COUNT_CAP + 1])
    number = len(found)
    return (records if number > COUNT_CAP else select_keys(records=records, keys=found)), number


def order_records(*, records: QuerySet[Any], sort: Sort) -> QuerySet[Any]:
    """Return all the records in the order in which pages show them."""
    return _order(records=records, keys=_list_keys(sort=sort, model=records.model), sort=sort, backwards=False)


def cut_page(*, records: QuerySet[Any], sort: Sort, size: int, cursor: str = "", many: ManyFound | None = None) -> Page:
    """Return one page of the records. `cursor` comes from another page; `last` means the last page, empty the first.

    With `many`, the page has only those of the records that a search found. Raises InvalidCursorError.
    """
    keys = _list_keys(sort=sort, model=records.model)
    place = _read_cursor(cursor=cursor, sort=sort, scope=_name_scope(model=records.model, sort=sort), keys=keys)
    ordered = _order(records=records, keys=keys, sort=sort, backwards=place.backwards)
    if place.pk is not None:
        downwards = sort.descending != place.backwards
        ordered = ordered.filter(
            begin_beyond(keys=keys, values=place.values, pk=place.pk, downwards=downwards, backwards=place.backwards)
        )
    found = _read_places(ordered=ordered, keys=keys, most=size + 1, many=many)
    more = len(found) > size
    places = found[:size]
    if place.backwards:
        places.reverse()
    has_previous = more if place.backwards else place.pk is not None
    return _build_page(
        records=records,
        sort=sort,
        places=places,
        has_next=place.pk is not None if place.backwards else more,
        has_previous=has_previous,
        before=_count_before(place=place, rows=len(places), has_previous=has_previous),
        # A page that goes on behind a row begins with the next one.
        row_before=(found[size] if place.backwards else place) if has_previous else None,
    )


def cut_page_around(
    *, records: QuerySet[Any], sort: Sort, size: int, boundary: Any, lead: int, many: ManyFound | None = None
) -> Page:
    """Return the page with the place where the sort's values reach `boundary`, after `lead` rows before it.

    Downwards, the rows before the place have the boundary itself and what is greater; upwards, what is less. The page
    is as full as there are rows: near the end of the list, more of them come before the place. `many` is that of
    `cut_page`.
    """
    keys = _list_keys(sort=sort, model=records.model)
    name = name_key(len(keys) - 1)
    is_behind = Q(**{f"{name}__{'lt' if sort.descending else 'gte'}": boundary})
    if keys[-1].may_be_empty:
        is_behind |= Q(**{f"{name}__isnull": True})
    is_before = Q(**{f"{name}__{'gte' if sort.descending else 'lt'}": boundary})
    before, behind = (
        _read_places(
            ordered=_order(records=records, keys=keys, sort=sort, backwards=backwards).filter(condition),
            keys=keys,
            most=size + 1,
            many=many,
        )
        for condition, backwards in ((is_before, True), (is_behind, False))
    )
    taken = min(len(before), size, max(lead, size - len(behind)))
    has_previous = len(before) > taken
    is_counted = len(before) <= size
    return _build_page(
        records=records,
        sort=sort,
        places=[*reversed(before[:taken]), *behind[: size - taken]],
        has_next=len(behind) > size - taken,
        has_previous=has_previous,
        before=len(before) - taken if is_counted else None,
        row_before=before[taken] if has_previous else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a page begins: beyond the row of this primary key and values, or at an end of the list if `pk` is None."""

    backwards: bool = False
    values: Values = ()
    pk: int | None = None
    before: int | None = None


def _list_keys(*, sort: Sort, model: type[Model]) -> list[SortKey]:
    if sort.grouping is not None:
        return sort.grouping.list_keys(model=model, sort_field=sort.field, descending=sort.descending)
    return [
        build_key(field=each.field, model=model, descending=each.descending)
        for each in (sort, *sort.further)
        if each.field is not None
    ]


def _order(*, records: QuerySet[Any], keys: list[SortKey], sort: Sort, backwards: bool) -> QuerySet[Any]:
    names = {name_key(index): key for index, key in enumerate(keys)}
    if names:
        records = records.annotate(**{name: key.value for name, key in names.items()})
    number = F("pk").desc() if sort.descending != backwards else F("pk").asc()
    orders = [order_by_key(key=key, name=name, backwards=backwards) for name, key in names.items()]
    return records.order_by(*orders, number)


def _read_places(*, ordered: QuerySet[Any], keys: list[SortKey], most: int, many: ManyFound | None) -> list[_Place]:
    # The primary keys first, then the rows with what they refer to, so that the database sorts only keys and values.
    names = [name_key(index) for index in range(len(keys))]
    if many is None:
        rows = list(ordered.values_list("pk", *names)[:most])
    else:
        rows = many.read_first(ordered=ordered, names=names, most=most)
    return [_Place(pk=pk, values=tuple(values)) for pk, *values in rows]


def _build_page(
    *,
    records: QuerySet[Any],
    sort: Sort,
    places: list[_Place],
    has_next: bool,
    has_previous: bool,
    before: int | None,
    row_before: _Place | None,
) -> Page:
    by_pk = {row.pk: row for row in records.order_by().filter(pk__in=[each.pk for each in places])}
    left = [each for each in places if each.pk in by_pk]
    scope = _name_scope(model=records.model, sort=sort)
    after = None if before is None else before + len(places)
    return Page(
        rows=[by_pk[each.pk] for each in left],
        values=[each.values for each in left],
        values_before=row_before.values if row_before is not None else None,
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


def _count_before(*, place: _Place, rows: int, has_previous: bool) -> int | None:
    if not has_previous:
        return 0
    if place.before is None or not place.backwards:
        return place.before
    return max(1, place.before - rows)


def _name_scope(*, model: type[Model], sort: Sort) -> str:
    """Return what a cursor is valid for: a model and a field's kind, because a field can be recreated with another."""
    fields = [sort.field, *(each.field for each in sort.further), *([sort.grouping.field] if sort.grouping else [])]
    return ":".join([model._meta.label_lower, *(field.kind if field else "" for field in fields)])


def _write_cursor(*, place: _Place, sort: Sort, scope: str, direction: str, before: int | None) -> str:
    written = [
        value if value is None or isinstance(value, (bool, float)) else _write_text(value) for value in place.values
    ]
    return signing.Signer(salt=_SALT).sign_object([scope, direction, sort.full_name, written, place.pk, before])


def _read_cursor(*, cursor: str, sort: Sort, scope: str, keys: list[SortKey]) -> _Place:
    if not cursor:
        return _Place(before=0)
    if cursor == LAST:
        return _Place(backwards=True)
    try:
        of_list, direction, name, written, pk, before = signing.Signer(salt=_SALT).unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidCursorError(_UNREADABLE) from error
    if name == sort.full_name and of_list != scope:
        raise InvalidCursorError("This place belongs to another list. Go to the first page.")
    if name != sort.full_name:
        raise InvalidCursorError("This place belongs to a list sorted in another way. Go to the first page.")
    # Before lists were grouped, a cursor held one value.
    texts = written if isinstance(written, list) else [written] if keys else []
    if len(texts) != len(keys):
        raise InvalidCursorError(_UNREADABLE)
    try:
        values = tuple(
            None if text is None else key.output_field.to_python(text) for key, text in zip(keys, texts, strict=True)
        )
    except ValidationError as error:
        raise InvalidCursorError(_UNREADABLE) from error
    return _Place(backwards=direction == _BACKWARDS, values=values, pk=pk, before=before)


def _write_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)
