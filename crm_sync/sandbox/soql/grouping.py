"""GROUP BY with its subtotals: `ROLLUP (a, b)` and `CUBE (a, b)`, and `GROUPING (a)`, which tells them apart.

Source: "GROUP BY ROLLUP", "GROUP BY CUBE" and "GROUPING(fieldName)" in the SOQL and SOSL Reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.functions import (
    DATE_FUNCTIONS,
    NUMBER,
    is_aggregate,
    refuse_function,
    write_operand,
)
from crm_sync.sandbox.soql.names import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_sync.sandbox.soql.names import Scope

MAX_SUBTOTAL_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Grouping:
    """What a query is grouped by: the SQL of each field, and the sets of fields of which there is a total each.

    Without subtotals there is one set, of all fields. The last is the smallest.
    """

    fields: tuple[str, ...] = ()
    sets: tuple[tuple[str, ...], ...] = ((),)

    @property
    def has_subtotals(self) -> bool:
        """Whether there is more than one set."""
        return len(self.sets) > 1

    def mark(self, column: Column) -> Column:
        """Return the SQL of `GROUPING` for one of the fields; `fill` turns it into 1 in rows that sum over it."""
        return Column(f"GROUPING[{column.sql}]", NUMBER)

    def fill(self, sql: str, *, kept: Sequence[str]) -> str:
        """Return the SQL of a selected column, or of HAVING, for the totals of the set `kept`."""
        for name in self.fields:
            sql = sql.replace(f"GROUPING[{name}]", "0" if name in kept else "1")
        return "NULL" if sql in self.fields and sql not in kept else sql


def read_grouping(operands: tuple[tree.Operand, ...], scope: Scope) -> Grouping:
    """Return what a query is grouped by. Raises ApiError for fields that cannot be, and for wrong subtotals."""
    if not operands:
        return Grouping()
    first = operands[0]
    kind = first.name.lower() if isinstance(first, tree.Function) else ""
    if kind not in {"rollup", "cube"}:
        fields = tuple(_write_field(operand, scope) for operand in operands)
        return Grouping(fields, (fields,))
    if len(operands) > 1 or not isinstance(first, tree.Function):
        position = operands[1].position
        raise scope.refuse(position=position, code="MALFORMED_QUERY", message="unexpected token: ','")
    if not 1 <= len(first.arguments) <= MAX_SUBTOTAL_FIELDS:
        raise scope.refuse(
            position=first.position,
            code="MALFORMED_QUERY",
            message=f"GROUP BY {kind.upper()} takes 1 to {MAX_SUBTOTAL_FIELDS} fields",
        )
    fields = tuple(_write_field(operand, scope) for operand in first.operands)
    sizes = range(len(fields), -1, -1)
    if kind == "rollup":
        return Grouping(fields, tuple(fields[:size] for size in sizes))
    return Grouping(fields, tuple(chosen for size in sizes for chosen in combinations(fields, size)))


def _write_field(operand: tree.Operand, scope: Scope) -> str:
    """Return the SQL of one field of GROUP BY."""
    if isinstance(operand, tree.Function) and (is_aggregate(operand) or operand.name.lower() not in DATE_FUNCTIONS):
        raise refuse_function(operand, scope)
    column = write_operand(operand, scope)
    if isinstance(operand, tree.Path) and not column.field.groupable:
        raise scope.refuse(
            position=operand.position,
            code="MALFORMED_QUERY",
            message=f"field '{operand.text}' can not be grouped in a query call",
        )
    return column.sql


def write_mark(function: tree.Function, grouping: Grouping, scope: Scope) -> Column:
    """Return the SQL of `GROUPING(field)`. Raises ApiError unless the field is one of ROLLUP or CUBE."""
    if function.argument is None:
        raise refuse_function(function, scope)
    column = write_operand(function.argument, scope)
    if not grouping.has_subtotals or column.sql not in grouping.fields:
        raise scope.refuse(
            position=function.position,
            code="MALFORMED_QUERY",
            message="GROUPING takes a field of GROUP BY ROLLUP or GROUP BY CUBE",
        )
    return grouping.mark(column)
