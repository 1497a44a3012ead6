"""Keyset pagination of any rows of a statement, groups too: a page begins behind the values of a row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.core import signing
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import OrderBy

from ctms.core.errors import VaultError

_SALT = "ctms.reports.place"
_READERS = {
    "date": dt.date.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "time": dt.time.fromisoformat,
    "Decimal": Decimal,
    "UUID": UUID,
}


class InvalidPlaceError(VaultError):
    """The place in the address cannot be read, or is of another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """A value that rows are sorted by, under its name in the statement. Rows without one come last."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins: behind the row of these values, or before it; at the beginning without values.

    `before` is the number of rows before the page.
    """

    values: tuple[Any, ...] | None = None
    backwards: bool = False
    before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The rows of a page, as the statement answers them, and the places of the pages beside it; empty for none."""

    rows: list[tuple[Any, ...]]
    before: int
    next: str
    previous: str


def cut_page(
    *,
    records: QuerySet[Any],
    keys: Sequence[OrderKey],
    names: Sequence[str],
    size: int,
    place: str,
    scope: str,
    limit: int | None,
) -> Cut:
    """Return a page of what the statement answers under these names.

    `place` comes from another page of the same `scope`, the report's order; it is empty for the first. No page goes
    beyond the first `limit` rows. Raises InvalidPlaceError.
    """
    at = _read(place, scope=scope, count=len(keys))
    if limit is not None and not at.backwards:
        size = max(0, min(size, limit - at.before))
    if at.values is not None:
        records = records.filter(_build_beyond(keys=keys, values=at.values, backwards=at.backwards))
    ordered = records.order_by(*(_build_order(key, backwards=at.backwards) for key in keys))
    sort_names = [key.name for key in keys]
    # Each once: Django counts places in the statement, and groups by a wrong one where names are repeated.
    asked = list(dict.fromkeys([*sort_names, *names]))
    found = [tuple(row) for row in ordered.values_list(*asked)[: size + 1]]
    more, found = len(found) > size, found[:size]
    if at.backwards:
        found.reverse()
    before = max(0, at.before - len(found)) if at.backwards else at.before
    after = before + len(found)
    has_next = at.backwards or (more and (limit is None or after < limit))
    has_previous = more if at.backwards else at.values is not None
    count = len(keys)
    places = [asked.index(name) for name in names]
    return Cut(
        rows=[tuple(row[place] for place in places) for row in found],
        before=before if has_previous else 0,
        next=_write(found[-1][:count], scope=scope, backwards=False, before=after) if found and has_next else "",
        previous=_write(found[0][:count], scope=scope, backwards=True, before=before) if found and has_previous else "",
    )


def order_all(*, records: QuerySet[Any], keys: Sequence[OrderKey]) -> QuerySet[Any]:
    """Return all rows in the order of the pages."""
    return records.order_by(*(_build_order(key, backwards=False) for key in keys))


def _build_order(key: OrderKey, *, backwards: bool) -> OrderBy:
    nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
    return F(key.name).desc(**nulls) if key.descending != backwards else F(key.name).asc(**nulls)


def _build_beyond(*, keys: Sequence[OrderKey], values: Sequence[Any], backwards: bool) -> Q:
    """Return the condition that a row comes behind the one with these values, or before it.

    It is flat: one for each key, with all keys before it as they are there. SQLite refuses deep conditions.
    """
    found: list[Q] = []
    same = Q()
    for key, value in zip(keys, values, strict=True):
        beyond = _come_beyond(key=key, value=value, backwards=backwards)
        if beyond is not None:
            found.append(same & beyond)
        same &= Q(**{f"{key.name}__isnull": True}) if value is None else Q(**{key.name: value})
    return reduce(or_, found) if found else Q(pk__in=[])


def _come_beyond(*, key: OrderKey, value: Any, backwards: bool) -> Q | None:
    """Return the condition that the value of a row comes behind this one; None if none does."""
    if value is None:
        return Q(**{f"{key.name}__isnull": False}) if backwards else None
    condition = Q(**{f"{key.name}__{'lt' if key.descending != backwards else 'gt'}": value})
    return condition if backwards else condition | Q(**{f"{key.name}__isnull": True})


def _write(values: Sequence[Any], *, scope: str, backwards: bool, before: int) -> str:
    written = [
        value if isinstance(value, bool | int | float | str | None) else [type(value).__name__, _show(value)]
        for value in values
    ]
    return signing.dumps([scope, backwards, before, written], salt=_SALT, compress=True)


def _show(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _read(place: str, *, scope: str, count: int) -> Place:
    if not place:
        return Place()
    try:
        of_scope, backwards, before, written = signing.loads(place, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise InvalidPlaceError("This place in the report cannot be read. Go to its first page.") from error
    if of_scope != scope or len(written) != count:
        raise InvalidPlaceError("The report was changed since. Go to its first page.")
    values = tuple(_READERS[each[0]](each[1]) if isinstance(each, list) else each for each in written)
    return Place(values=values, backwards=backwards, before=before)
