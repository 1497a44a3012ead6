"""Translates a query's tree into SQL and a shape, which says where each column of a row goes in the record."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from dataclasses import dataclass, field
from datetime import datetime

from crm_sync.sandbox.data.schema import Field, SObject, list_references_to
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.conditions import ConditionWriter, Parameters
from crm_sync.sandbox.soql.names import Column, Scope, open_scope

AGGREGATES = {
    "count": "count({})",
    "count_distinct": "count(DISTINCT {})",
    "min": "min({})",
    "max": "max({})",
    "sum": "sum({})",
    "avg": "avg({})",
}
NUMBER = Field("expression", "Expression", "double")
MAX_OFFSET = 2_000
MAX_FIELDS_LIMIT = 200


@dataclass(slots=True)
class Shape:
    """The shape of a record. `sobject` is None for the results of an aggregate query.

    `values` maps each key, in the order of the query, to a column index, to the shape of a nested record, or to -1 for
    the key of a child query, which is then in `children`.
    """

    sobject: SObject | None
    id_column: int = -1
    values: "dict[str, int | Shape]" = field(default_factory=dict)
    booleans: set[str] = field(default_factory=set)
    children: dict[str, "ChildQuery"] = field(default_factory=dict)


@dataclass(slots=True)
class ChildQuery:
    """A query for the children of each record, such as `(SELECT Id FROM Call2_vod__r)`."""

    plan: "QueryPlan"
    reference: Field


@dataclass(slots=True)
class QueryPlan:
    """The parts of one query's SQL. `source` holds the table and its joins; `parameters` are those of `where`."""

    sobject: SObject
    columns: list[str]
    source: str
    where: str
    grouping: str
    order: str
    parameters: Parameters
    shape: Shape
    limit: int | None
    offset: int
    aggregate: bool
    count_only: bool


@dataclass(slots=True)
class Translator:
    """Translates one query text and the queries nested in it. `depth` counts them for their SQL aliases.

    `include_hidden`: whether records are found that are hidden from the users of the API.
    """

    text: str
    now: datetime
    include_deleted: bool
    include_hidden: bool = False
    depth: int = 0

    def translate(
        self, query: tree.Query, *, sobject: SObject | None = None, parent_reference: Field | None = None
    ) -> QueryPlan:
        """Return the plan of a query. Raises ApiError for names, types and clauses that the CRM refuses.

        A child query gives its `sobject`, and the `parent_reference` whose value becomes the last column.
        """
        base = f"t{self.depth}"
        self.depth += 1
        scope = open_scope(query, text=self.text, base=base, sobject=sobject, include_hidden=self.include_hidden)
        columns: list[str] = []
        shape = Shape(scope.sobject)
        aggregate = self.is_aggregate(query)
        count_only = is_bare_count(query)
        aliases: dict[str, Column] = {}
        if aggregate:
            shape.sobject = None
            self.select_aggregates(query, scope, columns, shape, aliases)
        elif not count_only:
            self.select_fields(query, scope, columns, shape)
        where_parameters: Parameters = []
        writer = ConditionWriter(
            scope,
            self.now,
            where_parameters,
            self.write_semi_join,
            lambda function: self.write_aggregate(function, scope),
        )
        conditions = [writer.write(query.where)] if query.where else []
        if scope.sobject.find_field("IsDeleted") and not (self.include_deleted or query.all_rows):
            conditions.append(f'{base}."IsDeleted" = 0')
        if not self.include_hidden:
            conditions.append(f'{base}."Id" {NOT_HIDDEN}')
        grouping = self.write_grouping(query, scope, writer)
        order = ", ".join(self.write_order(item, writer, aliases) for item in query.order_by)
        if parent_reference is not None:
            columns.append(f'{base}."{parent_reference.name}"')
        if query.offset is not None and query.offset > MAX_OFFSET:
            raise ApiError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        return QueryPlan(
            sobject=scope.sobject,
            columns=columns,
            source=" ".join([f'"{scope.sobject.name}" {base}', *scope.join_sql]),
            where=" AND ".join(conditions) or "1",
            grouping=grouping,
            order=order,
            parameters=where_parameters,
            shape=shape,
            limit=query.limit,
            offset=query.offset or 0,
            aggregate=aggregate,
            count_only=count_only,
        )

    # -- selection ------------------------------------------------------------------------------------

    @staticmethod
    def is_aggregate(query: tree.Query) -> bool:
        """Whether the query has GROUP BY, or an aggregate function with a field or an alias."""
        return bool(query.group_by) or any(
            isinstance(item.expression, tree.Function)
            and item.expression.name.lower() in AGGREGATES
            and (item.expression.argument is not None or item.alias is not None)
            for item in query.select
        )

    def select_fields(self, query: tree.Query, scope: Scope, columns: list[str], shape: Shape) -> None:
        """Fill `columns` and `shape` for a query of records."""
        shape.id_column = add_column(columns, f'{scope.base}."Id"')
        for item in query.select:
            expression = item.expression
            if isinstance(expression, tree.Query):
                self.select_children(expression, scope, shape)
            elif isinstance(expression, tree.Function):
                for entry in self.list_fields_of(expression, query, scope):
                    place_value(columns, shape, scope, Column(f'{scope.base}."{entry.name}"', entry))
            else:
                column = scope.resolve(expression)
                if item.alias:
                    raise scope.refuse(
                        position=expression.position,
                        code="MALFORMED_QUERY",
                        message="only aggregate expressions use field aliasing",
                    )
                if not place_value(columns, shape, scope, column):
                    raise scope.refuse(
                        position=expression.position,
                        code="INVALID_FIELD",
                        message=f"duplicate field selected: {expression.parts[-1]}",
                    )

    def list_fields_of(self, function: tree.Function, query: tree.Query, scope: Scope) -> list[Field]:
        """Return the fields of `FIELDS(ALL | STANDARD | CUSTOM)`."""
        which = function.argument.text.upper() if function.argument else ""
        if function.name.upper() != "FIELDS" or which not in {"ALL", "STANDARD", "CUSTOM"}:
            raise scope.refuse(
                position=function.position,
                code="MALFORMED_QUERY",
                message=f"unexpected token: '{function.name}'",
            )
        if which != "STANDARD" and (query.limit is None or query.limit > MAX_FIELDS_LIMIT):
            raise ApiError(
                "MALFORMED_QUERY",
                "The SOQL FIELDS function must have a LIMIT of at most 200",
            )
        return [entry for entry in scope.sobject.fields if which == "ALL" or entry.custom == (which == "CUSTOM")]

    def select_children(self, query: tree.Query, scope: Scope, shape: Shape) -> None:
        """Add a child query to the shape. Raises ApiError if the object has no such child relationship."""
        for child, reference in list_references_to(scope.sobject):
            if reference.child_relationship.lower() == query.source.lower():
                plan = self.translate(query, sobject=child, parent_reference=reference)
                shape.children[reference.child_relationship] = ChildQuery(plan, reference)
                shape.values[reference.child_relationship] = -1
                return
        raise scope.refuse(
            position=query.source_position,
            code="INVALID_TYPE",
            message=f"Didn't understand relationship '{query.source}' in FROM part of query call. If you are "
            "attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. "
            "Please reference your WSDL or the describe call for the appropriate names.",
        )

    def select_aggregates(
        self, query: tree.Query, scope: Scope, columns: list[str], shape: Shape, aliases: dict[str, Column]
    ) -> None:
        """Fill `columns`, `shape` and `aliases` for an aggregate query. Functions without alias become `expr0` etc."""
        grouped = {scope.resolve(operand).sql for operand in query.group_by if isinstance(operand, tree.Path)}
        unnamed = 0
        for item in query.select:
            expression = item.expression
            if isinstance(expression, tree.Query):
                raise scope.refuse(
                    position=item.position, code="MALFORMED_QUERY", message="nested queries may not be grouped"
                )
            if isinstance(expression, tree.Function):
                column = self.write_aggregate(expression, scope)
                name = item.alias or f"expr{unnamed}"
                unnamed += item.alias is None
            else:
                column = scope.resolve(expression)
                name = item.alias or column.field.name
                if column.sql not in grouped:
                    raise scope.refuse(
                        position=item.position,
                        code="MALFORMED_QUERY",
                        message=f"Field must be grouped or aggregated: {expression.text}",
                    )
            aliases[name.lower()] = column
            shape.values[name] = add_column(columns, column.sql)
            if column.field.type == "boolean":
                shape.booleans.add(name)

    def write_aggregate(self, function: tree.Function, scope: Scope) -> Column:
        """Return the SQL of an aggregate function."""
        template = AGGREGATES.get(function.name.lower())
        if template is None:
            raise scope.refuse(
                position=function.position, code="MALFORMED_QUERY", message=f"unexpected token: '{function.name}'"
            )
        if function.argument is None:
            return Column("count(*)", NUMBER)
        column = scope.resolve(function.argument)
        keeps_type = function.name.lower() in {"min", "max"}
        return Column(template.format(column.sql), column.field if keeps_type else NUMBER, column.relationships)

    # -- clauses --------------------------------------------------------------------------------------

    def write_semi_join(self, query: tree.Query, field: Field, parameters: Parameters) -> str:
        """Return the SQL of the query inside `IN (SELECT …)`: one id or reference field of another object."""
        plan = self.translate(query)
        [*rest, last] = plan.columns
        if len(rest) > 1 or field.type not in {"id", "reference"}:
            raise ApiError("MALFORMED_QUERY", "Semi join sub-selects must select exactly one id or reference field")
        parameters += plan.parameters
        return f"SELECT {last} FROM {plan.source} WHERE {plan.where}"

    def write_grouping(self, query: tree.Query, scope: Scope, writer: ConditionWriter) -> str:
        """Return the GROUP BY and HAVING clauses."""
        parts = []
        if query.group_by:
            names = [scope.resolve(operand).sql for operand in query.group_by if isinstance(operand, tree.Path)]
            parts.append(f"GROUP BY {', '.join(names)}")
        if query.having:
            parts.append(f"HAVING {writer.write(query.having)}")
        return " ".join(parts)

    def write_order(self, item: tree.OrderItem, writer: ConditionWriter, aliases: dict[str, Column]) -> str:
        """Return one term of ORDER BY. Empty values come first unless the query says NULLS LAST."""
        column = None
        if isinstance(item.operand, tree.Path):
            column = aliases.get(item.operand.text.lower())
        sql = (column or writer.resolve(item.operand)).sql
        direction = "DESC" if item.descending else "ASC"
        return f"{sql} {direction} NULLS {'LAST' if item.nulls_last else 'FIRST'}"


def is_bare_count(query: tree.Query) -> bool:
    """Whether the query is `SELECT COUNT() FROM …`, whose answer has a `totalSize` and no records."""
    [first, *rest] = query.select
    expression = first.expression
    return (
        not rest
        and isinstance(expression, tree.Function)
        and expression.name.lower() == "count"
        and expression.argument is None
        and not query.group_by
    )


def add_column(columns: list[str], sql: str) -> int:
    """Add a column and return its index."""
    columns.append(sql)
    return len(columns) - 1


def place_value(columns: list[str], shape: Shape, scope: Scope, column: Column) -> bool:
    """Add a selected field to the shape, in nested records by relationship. Returns False when it is there already."""
    target = shape
    chain: tuple[str, ...] = ()
    for relationship in column.relationships:
        chain = (*chain, relationship)
        nested = target.values.get(relationship)
        if not isinstance(nested, Shape):
            join = scope.joins[chain]
            nested = Shape(join.sobject, id_column=add_column(columns, f'{join.alias}."Id"'))
            target.values[relationship] = nested
        target = nested
    name = column.field.name
    if name in target.values:
        return False
    target.values[name] = add_column(columns, column.sql)
    if column.field.type == "boolean":
        target.booleans.add(name)
    return True
