"""The groups of a report with their figures, subtotals and total: a page of them, or all for files and charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Func, Q, QuerySet, Window

from ctms.records.fields.kinds.base import Aggregate
from ctms.reports.engine.groups import GroupBy, GroupReader, GroupValue
from ctms.reports.engine.keyset import OrderKey, cut_page
from ctms.reports.engine.limits import limit_time
from ctms.reports.engine.measures import Figure, Measure, join_money
from ctms.reports.engine.opening import OpenReport

_CURRENCY, _AMOUNT = "measured_currency", "measured_amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """A group with its figures. `values` are those of the groups that it stands in, and its own; none of the total."""

    values: tuple[GroupValue, ...]
    figures: tuple[Figure, ...]

    @property
    def level(self) -> int:
        return len(self.values)

    @property
    def at(self) -> list[str]:
        """Return what addresses name the group by."""
        return [each.identity for each in self.values]


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPage:
    """Groups in their order, each behind those that it stands in, with the figures of all of their rows."""

    lines: list[GroupLine]
    total: GroupLine
    before: int
    next: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatement:
    """A statement whose rows are groups. `amounts` are the number of a measure and the currency, by name."""

    records: QuerySet[Any]
    readers: tuple[GroupReader, ...]
    measures: tuple[Measure, ...]
    amounts: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [name for reader in self.readers for name in reader.names]

    @property
    def figure_names(self) -> list[str]:
        return [name_figure(index) for index, each in enumerate(self.measures) if not each.is_money]

    def read_groups(self, values: Sequence[Any]) -> tuple[GroupValue, ...]:
        """Return the groups of a row."""
        found, begin = [], 0
        for reader in self.readers:
            found.append(reader.read(values[begin : begin + len(reader.names)]))
            begin += len(reader.names)
        return tuple(found)


def read_summary(opened: OpenReport, *, size: int, place: str = "") -> SummaryPage:
    """Return a page of `size` groups of the last level. The number of statements does not depend on the rows.

    Raises InvalidReportError, InvalidPlaceError and ReportTooSlowError.
    """
    opened.require_valid()
    statement = open_groups(opened, groups=opened.groups)
    # A page behind a place has a condition on its groups, which would narrow the sums, too.
    sums = Sums.add_to(statement) if not place else None
    with limit_time():
        cut = cut_page(
            records=sums.records if sums else statement.records,
            keys=list_keys(statement),
            names=[*statement.names, *statement.figure_names, *(sums.all_names if sums else ())],
            size=size,
            place=place,
            scope=opened.scope,
            limit=opened.definition.row_limit,
        )
        count = len(statement.names)
        leaves = [(statement.read_groups(row[:count]), row[count:]) for row in cut.rows]
        money = read_money(opened, groups=opened.groups, among=[values for values, _ in leaves])
        lines = [
            GroupLine(values=values, figures=read_figures(statement.measures, row, money=money, at=values))
            for values, row in leaves
        ]
        if sums and lines:
            count += len(statement.figure_names)
            found = [sums.read(line.values, row[count:]) for line, row in zip(lines, cut.rows, strict=True)]
            total = found[0][0]
            upper = {tuple(each.at): each for above in found for each in above[1:]}
        else:
            upper = _read_upper(opened, leaves=lines)
            total = read_total(opened)
    return SummaryPage(
        lines=_nest(lines, upper=upper), total=total, before=cut.before, next=cut.next, previous=cut.previous
    )


def open_groups(
    opened: OpenReport,
    *,
    groups: Sequence[GroupBy],
    among: Sequence[Sequence[GroupValue]] | None = None,
    currencies: Mapping[int, Iterable[str]] | None = None,
) -> GroupStatement:
    """Return the statement of the groups, each with its figures; with `among`, of those that begin with these alone.

    It has amounts of the `currencies` of each measure of amounts, which are given by its number.
    """
    start = opened.start()
    readers = tuple(
        group.open(joins=start.joins, start=start.lead(group.column), number=number)
        for number, group in enumerate(groups)
    )
    expressions = {name: each for reader in readers for name, each in reader.expressions.items()}
    figures = {
        name_figure(index): each.build(
            joins=start.joins, start=start.leads[each.column.part.mark if each.column else ""]
        )
        for index, each in enumerate(opened.measures)
        if not each.is_money
    }
    amounts = {
        f"amount_{index}_{number}": (index, code)
        for index, codes in (currencies or {}).items()
        for number, code in enumerate(codes)
    }
    for name, (index, code) in amounts.items():
        measure = opened.measures[index]
        lead = start.leads[measure.column.part.mark if measure.column else ""]
        figures[name] = measure.build(joins=start.joins, start=lead, currency=code)
    records = opened.finish(start).annotate(**expressions)
    if among is not None:
        records = records.filter(build_among(readers, among))
    records = records.values(*expressions).annotate(**figures)
    return GroupStatement(records=records, readers=readers, measures=opened.measures, amounts=amounts)


class SumOfFigures(Func):
    """The sum of figures. Django's own takes no figure that is an aggregate itself."""

    function = "SUM"
    window_compatible = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Subtotals and total of figures that can be added up: the statement of the groups answers them, too.

    They are sums over its rows, of which there are few, so that the records are read once. `names` are those of the
    total, and then of each upper level.
    """

    records: QuerySet[Any]
    measures: tuple[Measure, ...]
    names: tuple[tuple[str, ...], ...]

    @classmethod
    def add_to(cls, statement: GroupStatement) -> Sums | None:
        """Return the statement with its sums; None if some of its figures cannot be added up."""
        measures, readers = statement.measures, statement.readers
        if not all(each.can_be_summed for each in measures):
            return None
        names = tuple(tuple(f"sum_{level}_{index}" for index in range(len(measures))) for level in range(len(readers)))
        figures = {name: statement.records.query.annotations[name] for name in statement.figure_names}
        sums = {
            name: Window(
                SumOfFigures(F(figure), output_field=figures[figure].output_field),
                partition_by=[F(each) for reader in readers[:level] for each in reader.names] or None,
            )
            for level, own in enumerate(names)
            for name, figure in zip(own, statement.figure_names, strict=True)
        }
        return cls(records=statement.records.annotate(**sums), measures=measures, names=names)

    @property
    def all_names(self) -> list[str]:
        return [name for names in self.names for name in names]

    def read(self, values: Sequence[GroupValue], row: Sequence[Any]) -> list[GroupLine]:
        """Return the total and the upper groups of a row, of which these are the values under `all_names`."""
        lines = []
        for level, names in enumerate(self.names):
            own, row = row[: len(names)], row[len(names) :]
            figures = [_to_figure(measure, value) for measure, value in zip(self.measures, own, strict=True)]
            at = tuple(values[:level])
            lines.append(GroupLine(values=at, figures=read_figures(self.measures, figures, money={}, at=at)))
        return lines


def _to_figure(measure: Measure, value: Any) -> Any:
    # PostgreSQL adds whole numbers up to a decimal.
    return int(value) if measure.function == Aggregate.COUNT and value is not None else value


def list_keys(statement: GroupStatement) -> list[OrderKey]:
    """Return what the groups are sorted by."""
    keys: list[OrderKey] = []
    for reader in statement.readers:
        by_measure = reader.group.definition.by_measure
        if by_measure is not None and not statement.measures[by_measure].is_money:
            keys.append(OrderKey(name=name_figure(by_measure), descending=reader.group.definition.descending))
        keys += reader.order
    return keys


def build_among(readers: Sequence[GroupReader], among: Sequence[Sequence[GroupValue]]) -> Q:
    """Return the condition that a row belongs to one of the groups, each given by its first values."""
    distinct = {tuple(each.identity for each in values): None for values in among}
    found = [
        reduce(
            lambda one, other: one & other, (reader.match(name) for reader, name in zip(readers, names, strict=False))
        )
        for names in distinct
        if names
    ]
    return reduce(or_, found) if found else Q(pk__in=[])


def read_total(opened: OpenReport) -> GroupLine:
    """Return the figures of all rows."""
    start = opened.start()
    figures = {
        name_figure(index): each.build(
            joins=start.joins, start=start.leads[each.column.part.mark if each.column else ""]
        )
        for index, each in enumerate(opened.measures)
        if not each.is_money
    }
    records = opened.finish(start)
    # What counts a row is named always, so that a report of amounts alone has something to ask.
    answered = records.aggregate(**figures) if figures else {}
    money = read_money(opened, groups=())
    row = [answered[name] for name in figures]
    return GroupLine(values=(), figures=read_figures(opened.measures, row, money=money, at=()))


Money = Mapping[tuple[int, tuple[str, ...]], Any]


def read_money(
    opened: OpenReport, *, groups: Sequence[GroupBy], among: Sequence[Sequence[GroupValue]] | None = None
) -> Money:
    """Return the amounts of each measure of amounts by its number and the identities of the group."""
    found: dict[tuple[int, tuple[str, ...]], list[tuple[str, Any]]] = {}
    for index, measure in enumerate(opened.measures):
        if not measure.is_money or measure.column is None:
            continue
        start = opened.start()
        readers = [
            group.open(joins=start.joins, start=start.lead(group.column), number=number)
            for number, group in enumerate(groups)
        ]
        lead = start.leads[measure.column.part.mark]
        expressions = {name: each for reader in readers for name, each in reader.expressions.items()}
        expressions[_CURRENCY] = measure.build_currency(joins=start.joins, start=lead)
        amount = measure.build(joins=start.joins, start=lead)
        records = opened.finish(start).annotate(**expressions)
        if among is not None:
            records = records.filter(build_among(readers, among))
        statement = GroupStatement(records=records, readers=tuple(readers), measures=())
        names = statement.names
        rows = records.values(*expressions).annotate(**{_AMOUNT: amount})
        for row in rows.values_list(*names, _CURRENCY, _AMOUNT):
            at = tuple(each.identity for each in statement.read_groups(row[: len(names)]))
            found.setdefault((index, at), []).append((row[-2], row[-1]))
    return {key: join_money([each for each in pairs if each[1] is not None]) or None for key, pairs in found.items()}


def read_figures(
    measures: Sequence[Measure], row: Sequence[Any], *, money: Money, at: Sequence[GroupValue]
) -> tuple[Figure, ...]:
    plain = iter(row)
    names = tuple(each.identity for each in at)
    return tuple(
        each.read(money.get((index, names)) if each.is_money else next(plain)) for index, each in enumerate(measures)
    )


def _read_upper(opened: OpenReport, *, leaves: Sequence[GroupLine]) -> dict[tuple[str, ...], GroupLine]:
    """Return the groups in which those of the page stand, with the figures of all of their rows."""
    found: dict[tuple[str, ...], GroupLine] = {}
    for level in range(1, len(opened.groups)):
        groups = opened.groups[:level]
        among = [line.values[:level] for line in leaves]
        if not among:
            break
        statement = open_groups(opened, groups=groups, among=among)
        money = read_money(opened, groups=groups, among=among)
        names, count = [*statement.names, *statement.figure_names], len(statement.names)
        for row in statement.records.order_by().values_list(*names):
            values = statement.read_groups(row[:count])
            figures = read_figures(opened.measures, row[count:], money=money, at=values)
            found[tuple(each.identity for each in values)] = GroupLine(values=values, figures=figures)
    return found


def _nest(leaves: Sequence[GroupLine], *, upper: Mapping[tuple[str, ...], GroupLine]) -> list[GroupLine]:
    lines: list[GroupLine] = []
    before: list[str] = []
    for leaf in leaves:
        at = leaf.at
        begun = [at[:level] for level in range(1, leaf.level) if before[:level] != at[:level]]
        lines += [upper[tuple(each)] for each in begun if tuple(each) in upper]
        lines.append(leaf)
        before = at
    return lines


def name_figure(index: int) -> str:
    """Return under which name a statement answers a measure that is not of amounts."""
    return f"figure_{index}"
