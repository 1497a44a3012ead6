"""The plan of a query: the parts of its SQL, and the shape that says where each column of a row goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_sync.sandbox.data.fields import Field, SObject
    from crm_sync.sandbox.soql.conditions import Parameters
    from crm_sync.sandbox.soql.grouping import Grouping
    from crm_sync.sandbox.soql.names import Column, Scope


@dataclass(slots=True)
class ChildQuery:
    """A query for the children of each record, such as `(SELECT Id FROM Call2_vod__r)`."""

    plan: QueryPlan
    reference: Field


@dataclass(slots=True)
class Shape:
    """The shape of a record. `sobject` is None for the results of an aggregate query.

    `values` maps each key, in the order of the query, to a column index, to the shape of a nested record, to the
    choice of a TYPEOF, or to -1 for the key of a child query, which is then in `children`.
    """

    sobject: SObject | None
    id_column: int = -1
    # The column with the object of a record of Name, whose address is that of its own object.
    type_column: int = -1
    values: dict[str, int | Shape | Choice] = field(default_factory=dict)
    booleans: set[str] = field(default_factory=set)
    compounds: set[str] = field(default_factory=set)
    children: dict[str, ChildQuery] = field(default_factory=dict)

    def read_type(self, columns: list[str], alias: str) -> None:
        """Add the column that tells the object of a record, if this is the shape of a Name."""
        if self.sobject is not None and self.sobject.name == "Name":
            self.type_column = add_column(columns, f'{alias}."Type"')


@dataclass(slots=True)
class Choice:
    """The shapes of a TYPEOF, of which a record has the first whose id is not null, or null if there is none."""

    shapes: list[Shape] = field(default_factory=list)


@dataclass(slots=True)
class QueryPlan:
    """The parts of one query's SQL. `source` holds the table and its joins; `parameters` are those of `where`."""

    sobject: SObject
    columns: list[str]
    source: str
    where: str
    grouping: Grouping
    having: str
    order: tuple[tuple[str, str], ...]  # the SQL of each term, and its direction
    parameters: Parameters
    shape: Shape
    limit: int | None
    offset: int
    aggregate: bool
    count_only: bool
    # Whether the records of the answer are noted as recently used.
    noted: bool = False


def add_column(columns: list[str], sql: str) -> int:
    """Add a column and return its index."""
    columns.append(sql)
    return len(columns) - 1


def find_nested_shape(columns: list[str], shape: Shape, scope: Scope, chain: tuple[str, ...]) -> Shape | None:
    """Return the shape at the end of a chain of relationships. Adds those that are missing.

    Returns None when one of them is taken by a TYPEOF, beside which its fields may not be selected.
    """
    target = shape
    for length, relationship in enumerate(chain, start=1):
        nested = target.values.get(relationship)
        if nested is None:
            join = scope.joins[chain[:length]]
            nested = Shape(join.sobject, id_column=add_column(columns, f'{join.alias}."Id"'))
            nested.read_type(columns, join.alias)
            target.values[relationship] = nested
        if not isinstance(nested, Shape):
            return None
        target = nested
    return target


def place_value(columns: list[str], shape: Shape, scope: Scope, column: Column) -> bool:
    """Add a selected field to the shape, in nested records by relationship. Returns False when it is there already."""
    target = find_nested_shape(columns, shape, scope, column.relationships)
    name = column.field.name
    if target is None or name in target.values:
        return False
    target.values[name] = add_column(columns, column.sql)
    if column.field.type == "boolean":
        target.booleans.add(name)
    if column.field.components:
        target.compounds.add(name)
    return True
