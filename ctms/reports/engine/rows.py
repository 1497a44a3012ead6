"""The rows of a report: a page of them, those behind a figure, and all of them for files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Coalesce

from ctms.core.errors import VaultError
from ctms.reports.engine.columns import ColumnReader, ReportCell, build_sort
from ctms.reports.engine.keyset import OrderKey, cut_page, order_all
from ctms.reports.engine.limits import limit_time
from ctms.reports.engine.opening import OpenReport, Start

_CHUNK = 500
_ROW = "pk"


class UnknownGroupError(VaultError):
    """An address names a group that no row of the report can be in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsPage:
    """A page of rows, each with a cell for every column. `before` rows come before it; `next` is empty at the end."""

    rows: list[tuple[ReportCell, ...]]
    before: int
    next: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    records: QuerySet[Any]
    readers: tuple[ColumnReader, ...]
    names: tuple[tuple[str, ...], ...]  # of each column
    keys: tuple[OrderKey, ...]

    @property
    def all_names(self) -> list[str]:
        return [name for names in self.names for name in names]

    def read(self, values: Sequence[Any]) -> tuple[ReportCell, ...]:
        cells, begin = [], 0
        for reader, names in zip(self.readers, self.names, strict=True):
            cells.append(reader.read(values[begin : begin + len(names)]))
            begin += len(names)
        return tuple(cells)


def read_rows(opened: OpenReport, *, size: int, place: str = "", at: Sequence[str | None] = ()) -> RowsPage:
    """Return a page of rows; with `at`, those behind a figure.

    `at` has an identity for each group of the report, and for what goes across; None, or none at all, for any.

    Raises InvalidReportError, InvalidPlaceError, UnknownGroupError and ReportTooSlowError.
    """
    statement = _build(opened, at=at)
    with limit_time():
        cut = cut_page(
            records=statement.records,
            keys=statement.keys,
            names=statement.all_names,
            size=size,
            place=place,
            scope=f"{opened.scope}:{json.dumps(at)}",
            limit=None if at else opened.definition.row_limit,
        )
    return RowsPage(
        rows=[statement.read(row) for row in cut.rows], before=cut.before, next=cut.next, previous=cut.previous
    )


def iterate_rows(opened: OpenReport, *, at: Sequence[str | None] = ()) -> Iterator[tuple[ReportCell, ...]]:
    """Yield all rows, read in chunks, for files. Raises InvalidReportError and UnknownGroupError."""
    statement = _build(opened, at=at)
    ordered = order_all(records=statement.records, keys=statement.keys)
    if opened.definition.row_limit is not None and not at:
        ordered = ordered[: opened.definition.row_limit]
    for row in ordered.values_list(*statement.all_names).iterator(chunk_size=_CHUNK):
        yield statement.read(row)


def count_rows(opened: OpenReport, *, at: Sequence[str | None] = (), most: int | None = None) -> int:
    """Return the number of rows, at most the report's limit; with `most`, no more than that are counted."""
    statement = _build(opened, at=at)
    limits = [each for each in (most, None if at else opened.definition.row_limit) if each is not None]
    with limit_time():
        if limits:
            return len(statement.records.order_by().values_list(_ROW)[: min(limits)])
        # What counts a row must be of the related records, too, for Django leaves out joins that nothing names.
        counted = Coalesce(F("related_pk"), F("pk")) if opened.related is not None else F("pk")
        found: int = statement.records.order_by().aggregate(rows=Count(counted))["rows"]
        return found


def _build(opened: OpenReport, *, at: Sequence[str | None]) -> _Statement:
    opened.require_valid()
    start = opened.start()
    readers = tuple(each.build_reader(joins=start.joins, start=start.lead(each)) for each in opened.columns)
    names = tuple(
        tuple(f"column_{number}_{index}" for index in range(len(reader.expressions)))
        for number, reader in enumerate(readers)
    )
    expressions = {
        name: expression
        for reader, own in zip(readers, names, strict=True)
        for name, expression in zip(own, reader.expressions, strict=True)
    }
    keys, sorts = _build_keys(opened, start=start)
    conditions, groups = _build_conditions(opened, start=start, at=at)
    records = opened.finish(start).annotate(**expressions, **sorts, **groups)
    for condition in conditions:
        records = records.filter(condition)
    return _Statement(records=records, readers=readers, names=names, keys=keys)


def _build_keys(opened: OpenReport, *, start: Start) -> tuple[tuple[OrderKey, ...], dict[str, Any]]:
    keys, expressions = [], {}
    for number, (column, descending) in enumerate(opened.sort):
        lead = column.lead(joins=start.joins, start=start.lead(column))
        reader = column.build_reader(joins=start.joins, start=start.lead(column))
        found = build_sort(reader=reader, lead=lead)
        if found is not None:
            expressions[f"sort_{number}"] = found[0]
            keys.append(OrderKey(name=f"sort_{number}", descending=descending))
    keys.append(OrderKey(name=_ROW))
    if opened.related is not None:
        keys.append(OrderKey(name="related_pk"))
    return tuple(keys), expressions


def _build_conditions(opened: OpenReport, *, start: Start, at: Sequence[str | None]) -> tuple[list[Q], dict[str, Any]]:
    dimensions = [*opened.groups, *([opened.across] if opened.across else [])]
    if len(at) > len(dimensions):
        raise UnknownGroupError(f"The report has {len(dimensions)} groups, and the address names {len(at)}.")
    conditions: list[Q] = []
    expressions: dict[str, Any] = {}
    for number, (group, identity) in enumerate(zip(dimensions, at, strict=False)):
        if identity is None:
            continue
        reader = group.open(joins=start.joins, start=start.lead(group.column), number=number)
        expressions |= reader.expressions
        try:
            conditions.append(reader.match(identity))
        except (ValueError, KeyError) as error:
            raise UnknownGroupError(f"There is no group {identity!r} of {group.label}.") from error
    return conditions, expressions
