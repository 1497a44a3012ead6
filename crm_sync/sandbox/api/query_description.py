"""What a query would answer and how it would be run, without its rows: `?q=…&columns=true` and `?explain=…`."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from typing import Any

from crm_sync.sandbox.data.fields import Field
from crm_sync.sandbox.service import ApiRequest
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.functions import is_aggregate, write_aggregate, write_operand
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.names import Scope, open_scope
from crm_sync.sandbox.soql.shapes import QueryPlan
from crm_sync.sandbox.soql.translate import Translator

INDEXED_TYPES = frozenset({"id", "reference"})
INDEXED_NAMES = frozenset({"Name", "CreatedDate", "SystemModstamp"})


def plan_query(request: ApiRequest, text: str) -> tuple[tree.Query, QueryPlan]:
    """Return the tree and the plan of a query. Raises ApiError as running it would."""
    query = parse_query(text)
    organisation = request.organisation
    translator = Translator(
        text, organisation.schema, organisation.read_clock(), include_deleted=False, user_id=request.user_id
    )
    plan = translator.translate(query)
    return query, plan


def describe_columns(request: ApiRequest, text: str) -> dict[str, Any]:
    """Return the columns of a query's answer."""
    query, plan = plan_query(request, text)
    scope = open_scope(query, text=text, base="t0", schema=request.organisation.schema)
    columns: list[dict[str, Any]] = []
    for item in query.select:
        if isinstance(item.expression, tree.Query):
            child = item.expression
            inner = [
                describe_column(entry.expression.parts[-1], alias=None, field=None, aggregate=False)
                for entry in child.select
                if isinstance(entry.expression, tree.Path)
            ]
            described = describe_column(child.source, alias=None, field=None, aggregate=False)
            columns.append({**described, "joinColumns": inner})
        elif isinstance(item.expression, tree.TypeOf):
            columns.append(describe_type_of(item.expression))
        else:
            place_column(columns, item.expression, alias=item.alias, scope=scope)
    return {
        "columnMetadata": columns,
        "entityName": plan.sobject.name,
        "groupBy": bool(query.group_by),
        "idSelected": any(column["columnName"] == "Id" for column in columns),
        "keyPrefix": plan.sobject.key_prefix,
    }


def describe_type_of(expression: tree.TypeOf) -> dict[str, Any]:
    """Return the column of a TYPEOF, below which are those of all its branches."""
    paths = [path for branch in expression.branches for path in branch.fields] + list(expression.otherwise)
    inner = [
        describe_column(name, alias=None, field=None, aggregate=False)
        for name in dict.fromkeys(path.text for path in paths)
    ]
    described = describe_column(expression.path.text, alias=None, field=None, aggregate=False)
    return {**described, "joinColumns": inner}


def place_column(columns: list[dict[str, Any]], operand: tree.Operand, *, alias: str | None, scope: Scope) -> None:
    """Add a selected field or function, below the columns of its relationships."""
    if isinstance(operand, tree.Function):
        aggregate = is_aggregate(operand)
        if operand.name.upper() == "FIELDS" or operand.name.lower() == "grouping":
            columns.append(describe_column(name_operand(operand), alias=alias, field=None, aggregate=False))
            return
        field = (write_aggregate if aggregate else write_operand)(operand, scope).field
        columns.append(describe_column(name_operand(operand), alias=alias, field=field, aggregate=aggregate))
        return
    column = scope.resolve(operand)
    target = columns
    for name in column.relationships:
        join = next((entry for entry in target if entry["columnName"] == name), None)
        if join is None:
            join = describe_column(name, alias=None, field=None, aggregate=False)
            target.append(join)
        target = join["joinColumns"]
    target.append(describe_column(column.field.name, alias=alias, field=column.field, aggregate=False))


def name_operand(operand: tree.Argument) -> str:
    """Return an operand, or a literal in a function, as it is written."""
    if isinstance(operand, tree.Value):
        return operand.raw
    if isinstance(operand, tree.Path):
        return operand.text
    return f"{operand.name}({', '.join(name_operand(argument) for argument in operand.arguments)})"


def describe_column(name: str, *, alias: str | None, field: Field | None, aggregate: bool) -> dict[str, Any]:
    """Return the description of one column."""
    writable = field is not None and not aggregate and not field.read_only and field.type != "id"
    return {
        "aggregate": aggregate,
        "apexType": field.type.title() if field is not None else None,
        "booleanType": field is not None and field.type == "boolean",
        "columnName": name,
        "custom": field is not None and field.custom,
        "displayName": alias or name,
        "foreignKeyName": field.relationship or None if field is not None else None,
        "insertable": writable,
        "joinColumns": [],
        "numberType": field is not None and field.is_number,
        "textType": field is not None and field.is_text,
        "updatable": writable,
    }


# -- plans ------------------------------------------------------------------------------------------------


def explain_query(request: ApiRequest, text: str) -> dict[str, Any]:
    """Return how a query would be run: by the index of each field that is compared exactly, or by a scan."""
    query, plan = plan_query(request, text)
    database = request.organisation.database
    found = database.fetch_one(f"SELECT count(*) FROM {plan.source} WHERE {plan.where}", plan.parameters)
    everything = database.fetch_one(f'SELECT count(*) FROM "{plan.sobject.name}"')
    matched, total = int(found[0]) if found else 0, int(everything[0]) if everything else 0
    scope = open_scope(query, text=text, base="t0", schema=request.organisation.schema)
    shared = {"sobjectCardinality": total, "sobjectType": plan.sobject.name}
    plans: list[dict[str, Any]] = [
        {
            "cardinality": matched,
            "fields": [name],
            "leadingOperationType": "Index",
            "notes": [],
            "relativeCost": round(matched / max(total, 1), 3),
            **shared,
        }
        for name in list_indexed(query.where, scope)
    ]
    scan = {
        "cardinality": matched,
        "fields": [],
        "leadingOperationType": "TableScan",
        "notes": [],
        "relativeCost": 1.0,
        **shared,
    }
    return {"plans": [*plans, *([] if plans else [scan])], "sourceQuery": text}


def list_indexed(condition: tree.Condition | None, scope: Scope) -> list[str]:
    """Return the indexed fields that every row must match exactly, in the order of the query."""
    if isinstance(condition, tree.Junction):
        parts = condition.conditions if condition.operator == "AND" else ()
        return [name for part in parts for name in list_indexed(part, scope)]
    if not isinstance(condition, tree.Comparison | tree.Membership) or not isinstance(condition.operand, tree.Path):
        return []
    is_exact = condition.operator == "=" if isinstance(condition, tree.Comparison) else not condition.negated
    if not is_exact:
        return []
    column = scope.resolve(condition.operand)
    field = column.field
    has_index = field.type in INDEXED_TYPES or field.external_id or field.unique or field.name in INDEXED_NAMES
    return [field.name] if has_index and not column.relationships else []
