"""Figures of a report: what the database makes of the values of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Aggregate as DatabaseAggregate
from django.db.models import Avg, Count, Field, FloatField, Max, Min, Q, Sum, TextField
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django.db.models.lookups import Exact

from ctms.records.fields.kinds.base import Aggregate, Cell, kind_of
from ctms.records.fields.kinds.currency import CurrencyKind, Money
from ctms.reports.engine.columns import Column, build_plain
from ctms.reports.engine.joins import Joins

FUNCTION_LABELS = {
    Aggregate.COUNT: "Number of",
    Aggregate.DISTINCT: "Distinct",
    Aggregate.SUM: "Sum of",
    Aggregate.AVERAGE: "Average of",
    Aggregate.LEAST: "Least",
    Aggregate.GREATEST: "Greatest",
}
_DATABASE = {Aggregate.SUM: Sum, Aggregate.AVERAGE: Avg, Aggregate.LEAST: Min, Aggregate.GREATEST: Max}
_OF_MONEY = (Aggregate.SUM, Aggregate.AVERAGE, Aggregate.LEAST, Aggregate.GREATEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure: its value, as files get it, and its words. Of amounts, there is one for each currency."""

    value: Cell | None
    text: str
    amounts: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure that a report has of each group. Without a column it counts records: of `counted`, by its look-up."""

    function: Aggregate
    label: str
    column: Column | None = None
    counted: str = "pk"
    is_multiplied: bool = False  # rows repeat the records that are counted

    @property
    def is_money(self) -> bool:
        """Whether the figure is an amount for each currency."""
        return self.column is not None and is_money(self.column) and self.function in _OF_MONEY

    @property
    def can_be_summed(self) -> bool:
        """Whether the figure of several groups is the sum of theirs."""
        is_count = self.function == Aggregate.COUNT and not self.is_multiplied
        return (is_count or self.function == Aggregate.SUM) and not self.is_money

    def build(self, *, joins: Joins, start: str, currency: str = "") -> DatabaseAggregate:
        """Return the database's aggregate; with a currency, that of the amounts in it."""
        if self.column is None:
            return Count(self.counted, distinct=self.is_multiplied)
        value, _ = self._build_value(joins=joins, start=start)
        if self.function in (Aggregate.COUNT, Aggregate.DISTINCT):
            return Count(value, distinct=self.function == Aggregate.DISTINCT)
        if not currency:
            return _DATABASE[self.function](value)
        code = Cast(self.build_currency(joins=joins, start=start), TextField())
        return _DATABASE[self.function](value, filter=Q(Exact(code, currency)))

    def build_currency(self, *, joins: Joins, start: str) -> Combinable:
        """Return the expression of the currency that amounts are in."""
        if self.column is None:
            raise TypeError(f"{self.label} is no amount.")
        lead = self.column.lead(joins=joins, start=start)
        return KeyTextTransform("currency", KeyTransform(self.column.field.api_name, f"{lead}custom_fields"))

    def read(self, value: Any) -> Figure:
        """Return the figure of what the database answered."""
        if value is None:
            return Figure(value=None, text="–")
        if self.column is None or self.function in (Aggregate.COUNT, Aggregate.DISTINCT):
            return Figure(value=value, text=f"{value:,}")
        if self.is_money:
            return Figure(
                value="; ".join(map(str, value)),
                text="; ".join(f"{each.write_amount(is_grouped=True)} {each.currency}" for each in value),
                amounts=tuple(value),
            )
        if kind_of(self.column.field).is_number:
            return Figure(value=value, text=_write_number(value))
        field, shape = self.column.field, self.column.subject.shape
        read = kind_of(field).read(value) if field.is_custom else value
        return Figure(value=read, text=kind_of(field).format(value=read, field=field, shape=shape))

    def _build_value(self, *, joins: Joins, start: str) -> tuple[Combinable, Field[Any, Any]]:
        column = self.column
        if column is None:
            raise TypeError(f"{self.label} is of no column.")
        if column.field.reference is not None:
            reader = column.build_reader(joins=joins, start=start)
            return reader.expressions[0], FloatField()
        lead = column.lead(joins=joins, start=start)
        return build_plain(field=column.field, lead=lead, model=column.subject.shape.vault_object.model)


def list_functions(column: Column) -> Sequence[Aggregate]:
    """Return what a report may make of the values of a column."""
    if column.field.reference is not None:
        return () if column.field.is_custom else (Aggregate.COUNT, Aggregate.DISTINCT)
    return (Aggregate.COUNT, *_OF_MONEY) if is_money(column) else kind_of(column.field).aggregates


def is_money(column: Column) -> bool:
    """Whether the column has amounts, each with its currency."""
    return isinstance(kind_of(column.field), CurrencyKind)


def join_money(found: Sequence[tuple[str, Any]]) -> list[Money]:
    """Return the amounts of each currency, by its code."""
    return [Money(amount=round(Decimal(str(amount)), 4), currency=code) for code, amount in sorted(found) if code]


def _write_number(value: Any) -> str:
    number = value if isinstance(value, int) else Decimal(str(value))
    if isinstance(number, Decimal):
        number = round(number, 2).normalize()
        return f"{number:,f}"
    return f"{number:,}"
