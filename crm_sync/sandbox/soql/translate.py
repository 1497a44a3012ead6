"""Translates a query's tree into SQL and a shape, which says where each column of a row goes in the record."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from dataclasses import dataclass
from datetime import datetime

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.conditions import ConditionWriter, Parameters
from crm_sync.sandbox.soql.distances import DISTANCE
from crm_sync.sandbox.soql.functions import (
    DATE_FUNCTIONS,
    is_aggregate,
    name_function,
    write_aggregate,
    write_operand,
)
from crm_sync.sandbox.soql.grouping import Grouping, read_grouping, write_mark
from crm_sync.sandbox.soql.names import Column, Place, Scope, open_scope
from crm_sync.sandbox.soql.shapes import ChildQuery, QueryPlan, Shape, add_column, place_value
from crm_sync.sandbox.soql.typeof import check_alone, refuse_in_semi_join, select_type_of

MAX_OFFSET = 2_000
MAX_FIELDS_LIMIT = 200


@dataclass(slots=True)
class Translator:
    """Translates one query text and the queries nested in it. `depth` counts them for their SQL aliases.

    `include_hidden`: whether records are found that are hidden from the users of the API. `user_id`: whose records are
    those of `USING SCOPE mine` and `mru`.
    """

    text: str
    schema: Schema
    now: datetime
    include_deleted: bool
    include_hidden: bool = False
    user_id: str = ""
    depth: int = 0

    def translate(
        self, query: tree.Query, *, sobject: SObject | None = None, parent_reference: Field | None = None
    ) -> QueryPlan:
        """Return the plan of a query. Raises ApiError for names, types and clauses that the CRM refuses.

        A child query gives its `sobject`, and the `parent_reference` whose value becomes the last column.
        """
        base = f"t{self.depth}"
        self.depth += 1
        scope = open_scope(
            query,
            text=self.text,
            base=base,
            schema=self.schema,
            sobject=sobject,
            include_hidden=self.include_hidden,
        )
        check_alone(query, scope)
        columns: list[str] = []
        shape = Shape(scope.sobject)
        aggregate = is_aggregate_query(query)
        count_only = is_bare_count(query)
        grouping = read_grouping(query.group_by, scope)
        aliases: dict[str, Column] = {}
        if aggregate:
            shape.sobject = None
            self.select_aggregates(query, scope, grouping=grouping, columns=columns, shape=shape, aliases=aliases)
        elif not count_only:
            self.select_fields(query, scope, columns, shape)
        where_parameters: Parameters = []
        writer = ConditionWriter(
            scope,
            self.now,
            where_parameters,
            self.write_semi_join,
            lambda function: write_operand(function, scope),
        )
        conditions = [writer.write(query.where)] if query.where else []
        conditions += self.write_scope(query, scope, where_parameters)
        if scope.sobject.find_field("IsDeleted") and not (self.include_deleted or query.all_rows):
            conditions.append(f'{base}."IsDeleted" = 0')
        if not self.include_hidden:
            conditions.append(f'{base}."Id" {NOT_HIDDEN}')
        writer.write_function = lambda function: write_grouped(function, grouping, scope)
        having = f"HAVING {writer.write(query.having)}" if query.having else ""
        if not aggregate:
            writer.write_function = lambda function: write_operand(function, scope)
        order = tuple(self.write_order(item, writer, aliases) for item in query.order_by)
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
            having=having,
            order=order,
            parameters=where_parameters,
            shape=shape,
            limit=query.limit,
            offset=query.offset or 0,
            aggregate=aggregate,
            count_only=count_only,
        )

    # -- selection ------------------------------------------------------------------------------------

    def select_fields(self, query: tree.Query, scope: Scope, columns: list[str], shape: Shape) -> None:
        """Fill `columns` and `shape` for a query of records."""
        shape.id_column = add_column(columns, f'{scope.base}."Id"')
        for item in query.select:
            expression = item.expression
            if isinstance(expression, tree.Query):
                self.select_children(expression, scope, shape)
            elif isinstance(expression, tree.TypeOf):
                select_type_of(expression, scope, columns, shape)
            elif isinstance(expression, tree.Function) and expression.name.upper() != "FIELDS":
                self.select_function(expression, item.alias, scope, columns, shape)
            elif isinstance(expression, tree.Function):
                for entry in self.list_fields_of(expression, query, scope):
                    place_value(columns, shape, scope, Place(scope.sobject, scope.base, ()).read(entry))
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

    def select_function(
        self, function: tree.Function, alias: str | None, scope: Scope, columns: list[str], shape: Shape
    ) -> None:
        """Add `toLabel(X)` or `FORMAT(X)` to the shape, under its alias or in the place of its field."""
        if function.name.lower() in DATE_FUNCTIONS:
            raise scope.refuse(
                position=function.position,
                code="MALFORMED_QUERY",
                message=f"Field must be grouped or aggregated: {name_function(function)}",
            )
        column = write_operand(function, scope)
        if alias is None and column.field is DISTANCE:
            alias = f"expr{sum(key.startswith('expr') for key in shape.values)}"
        if alias:
            shape.values[alias] = add_column(columns, column.sql)
            return
        shown = Field(name_function(function), column.field.label, column.field.type)
        if not place_value(columns, shape, scope, Column(column.sql, shown, column.relationships)):
            raise scope.refuse(
                position=function.position,
                code="INVALID_FIELD",
                message=f"duplicate field selected: {shown.name}",
            )

    def list_fields_of(self, function: tree.Function, query: tree.Query, scope: Scope) -> list[Field]:
        """Return the fields of `FIELDS(ALL | STANDARD | CUSTOM)`."""
        which = function.argument.text.upper() if isinstance(function.argument, tree.Path) else ""
        if which not in {"ALL", "STANDARD", "CUSTOM"}:
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
        return [
            entry for entry in scope.sobject.readable_fields if which == "ALL" or entry.custom == (which == "CUSTOM")
        ]

    def select_children(self, query: tree.Query, scope: Scope, shape: Shape) -> None:
        """Add a child query to the shape. Raises ApiError if the object has no such child relationship."""
        for child, reference in scope.sobject.schema.list_references_to(scope.sobject):
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
        self,
        query: tree.Query,
        scope: Scope,
        *,
        grouping: Grouping,
        columns: list[str],
        shape: Shape,
        aliases: dict[str, Column],
    ) -> None:
        """Fill `columns`, `shape` and `aliases` for an aggregate query. Functions without alias become `expr0` etc."""
        unnamed = 0
        for item in query.select:
            expression = item.expression
            if isinstance(expression, tree.Query | tree.TypeOf):
                raise scope.refuse(
                    position=item.position, code="MALFORMED_QUERY", message="nested queries may not be grouped"
                )
            if isinstance(expression, tree.Function):
                column = write_grouped(expression, grouping, scope)
                name = item.alias or f"expr{unnamed}"
                unnamed += item.alias is None
            else:
                column = scope.resolve(expression)
                name = item.alias or column.field.name
                if column.sql not in grouping.fields:
                    raise scope.refuse(
                        position=item.position,
                        code="MALFORMED_QUERY",
                        message=f"Field must be grouped or aggregated: {expression.text}",
                    )
            aliases[name.lower()] = column
            shape.values[name] = add_column(columns, column.sql)
            if column.field.type == "boolean":
                shape.booleans.add(name)

    # -- clauses --------------------------------------------------------------------------------------

    def write_scope(self, query: tree.Query, scope: Scope, parameters: Parameters) -> list[str]:
        """Return the SQL of USING SCOPE, if it leaves some records out. Raises ApiError for other scopes."""
        name = query.scope.lower()
        if name in {"", "everything"}:
            return []
        if name not in {"mine", "mru"} or (name == "mine" and scope.sobject.find_field("OwnerId") is None):
            raise scope.refuse(
                position=query.source_position,
                code="MALFORMED_QUERY",
                message=f"the scope '{query.scope}' is not supported for {scope.sobject.name}",
            )
        parameters.append(self.user_id)
        if name == "mine":
            return [f'{scope.base}."OwnerId" = ?']
        return [f'{scope.base}."Id" IN (SELECT record_id FROM sandbox_recent WHERE user_id = ?)']

    def write_semi_join(self, query: tree.Query, field: Field, parameters: Parameters) -> str:
        """Return the SQL of the query inside `IN (SELECT …)`: one id or reference field of another object."""
        refuse_in_semi_join(query, self.text)
        plan = self.translate(query)
        [*rest, last] = plan.columns
        if len(rest) > 1 or field.type not in {"id", "reference"}:
            raise ApiError("MALFORMED_QUERY", "Semi join sub-selects must select exactly one id or reference field")
        parameters += plan.parameters
        return f"SELECT {last} FROM {plan.source} WHERE {plan.where}"

    def write_order(self, item: tree.OrderItem, writer: ConditionWriter, aliases: dict[str, Column]) -> tuple[str, str]:
        """Return one term of ORDER BY and its direction. Empty values come first unless the query says NULLS LAST."""
        column = None
        if isinstance(item.operand, tree.Path):
            column = aliases.get(item.operand.text.lower())
        column = column or writer.resolve(item.operand, use="sorted")
        sql = column.sql
        direction = "DESC" if item.descending else "ASC"
        return sql, f"{direction} NULLS {'LAST' if item.nulls_last else 'FIRST'}"


def is_aggregate_query(query: tree.Query) -> bool:
    """Whether the query has GROUP BY, or an aggregate function with a field or an alias."""
    return bool(query.group_by) or any(
        isinstance(item.expression, tree.Function)
        and is_aggregate(item.expression)
        and (item.expression.argument is not None or item.alias is not None)
        for item in query.select
    )


def write_grouped(function: tree.Function, grouping: Grouping, scope: Scope) -> Column:
    """Return the SQL of a function of a group: an aggregate, `GROUPING`, or what the query is grouped by."""
    if is_aggregate(function):
        return write_aggregate(function, scope)
    if function.name.lower() == "grouping":
        return write_mark(function, grouping, scope)
    column = write_operand(function, scope)
    inner = function.argument
    if column.sql not in grouping.fields and not (
        function.name.lower() in {"format", "tolabel"}
        and inner is not None
        and (is_aggregate(inner) or write_operand(inner, scope).sql in grouping.fields)
    ):
        raise scope.refuse(
            position=function.position,
            code="MALFORMED_QUERY",
            message=f"Field must be grouped or aggregated: {name_function(function)}",
        )
    return column


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
