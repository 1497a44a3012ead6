"""`TYPEOF field WHEN Type THEN fields ELSE fields END`: fields that depend on the object to which a reference leads.

Source: "TYPEOF" in the SOQL and SOSL Reference. The messages of its refusals are our reading, except for those of
unknown objects and fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.grammar import place_error
from crm_sync.sandbox.soql.name_entity import list_targets
from crm_sync.sandbox.soql.names import refuse_object
from crm_sync.sandbox.soql.shapes import Choice, Shape, add_column, find_nested_shape, place_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_sync.sandbox.data.fields import Field
    from crm_sync.sandbox.soql.names import Join, Scope


def check_alone(query: tree.Query, scope: Scope) -> None:
    """Raise ApiError if a query with TYPEOF has GROUP BY, HAVING or functions in its select list."""
    first = next((item for item in query.select if isinstance(item.expression, tree.TypeOf)), None)
    if first is None:
        return
    clause = "GROUP BY" if query.group_by else "HAVING" if query.having else ""
    if not clause and any(isinstance(item.expression, tree.Function) for item in query.select):
        clause = "functions in the SELECT clause"
    if clause:
        raise scope.refuse(
            position=first.position, code="MALFORMED_QUERY", message=f"TYPEOF is not allowed in queries with {clause}"
        )


def refuse_in_semi_join(query: tree.Query, text: str) -> None:
    """Raise ApiError if the query of `IN (SELECT …)` has a TYPEOF."""
    for item in query.select:
        if isinstance(item.expression, tree.TypeOf):
            raise place_error(
                text,
                position=item.position,
                code="MALFORMED_QUERY",
                message="TYPEOF is not allowed in semi join sub-selects",
            )


def select_type_of(expression: tree.TypeOf, scope: Scope, columns: list[str], shape: Shape) -> None:
    """Add a TYPEOF to `columns` and `shape`. Raises ApiError for references and objects that do not fit."""
    *parents, name = scope.strip_alias(expression.path)
    place = scope.follow(parents, expression.path)
    reference = place.sobject.by_relationship.get(name.lower())
    if reference is None:
        raise scope.refuse_relationship(name, expression.path)
    if not reference.also_refers_to:
        raise scope.refuse(
            position=expression.path.position,
            code="INVALID_FIELD",
            message=f"TYPEOF is not allowed on the relationship '{reference.relationship}', which is not polymorphic",
        )
    holder = find_nested_shape(columns, shape, scope, place.chain)
    if holder is None or reference.relationship in holder.values:
        raise scope.refuse(
            position=expression.path.position,
            code="INVALID_FIELD",
            message=f"duplicate field selected: {reference.relationship}",
        )
    choice = Choice()
    for branch in expression.branches:
        join = join_branch(branch, reference, scope, alias=place.alias, chain=place.chain)
        choice.shapes.append(select_branch(branch.fields, join, scope, columns))
    if expression.otherwise:
        others = scope.follow([*parents, name], expression.path)
        choice.shapes.append(select_branch(expression.otherwise, scope.joins[others.chain], scope, columns))
    holder.values[reference.relationship] = choice


def join_branch(branch: tree.TypeBranch, reference: Field, scope: Scope, *, alias: str, chain: tuple[str, ...]) -> Join:
    """Return the join over a reference to one of its objects. Raises ApiError `INVALID_TYPE` for any other object."""
    schema = scope.sobject.schema
    found = schema.find(branch.type_name)
    if found is None:
        raise refuse_object(scope.query_text, branch.type_name, position=branch.position)
    if found not in list_targets(reference, schema):
        raise scope.refuse(
            position=branch.position,
            code="INVALID_TYPE",
            message=f"The relationship '{reference.relationship}' does not refer to '{found.name}'",
        )
    key = (*chain, f"{reference.relationship}:{found.name}")
    if key in scope.joins:
        raise scope.refuse(
            position=branch.position, code="MALFORMED_QUERY", message=f"duplicate WHEN clause: {found.name}"
        )
    return scope.add_join(key, found, f'"{found.name}"', on=f'{alias}."{reference.name}"')


def select_branch(fields: Sequence[tree.Path], join: Join, scope: Scope, columns: list[str]) -> Shape:
    """Return the shape of one branch, whose paths begin at the record that the reference leads to."""
    inner = scope.open_below(join)
    shape = Shape(join.sobject, id_column=add_column(columns, f'{join.alias}."Id"'))
    shape.read_type(columns, join.alias)
    for path in fields:
        if not place_value(columns, shape, inner, inner.resolve(path)):
            raise scope.refuse(
                position=path.position, code="INVALID_FIELD", message=f"duplicate field selected: {path.parts[-1]}"
            )
    return shape
