"""The functions of SOQL: aggregates, parts of dates, labels of picklists, and values formatted for people.

Source: "Date Functions", "Aggregate Functions" and "Format" in the SOQL and SOSL Reference. The fiscal year is the
calendar year, and every user's time zone is UTC, so that `convertTimezone` changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.sandbox.data.fields import Field
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.distances import write_distance
from crm_sync.sandbox.soql.names import Column

if TYPE_CHECKING:
    from crm_sync.sandbox.soql.names import Scope

NUMBER = Field("expression", "Expression", "double")
DAY = Field("expression", "Expression", "date")
WORDS = Field("expression", "Expression", "string", 255)

AGGREGATES = {
    "count": "count({})",
    "count_distinct": "count(DISTINCT {})",
    "min": "min({})",
    "max": "max({})",
    "sum": "sum({})",
    "avg": "avg({})",
}
MOMENT_TYPES = frozenset({"date", "datetime"})

# Dates and datetimes are stored as ISO 8601, whose offset SQLite does not read; it is always that of UTC.
_PART = "CAST(strftime('{}', substr({{}}, 1, 19)) AS INTEGER)"
_MONTH, _DAY_OF_MONTH, _DAY_OF_YEAR = (_PART.format(code) for code in ("%m", "%d", "%j"))
_PARTS = {
    "month": _MONTH,
    "quarter": f"(({_MONTH} + 2) / 3)",
    "year": _PART.format("%Y"),
}
DATE_FUNCTIONS = {
    **{f"{kind}_{unit}": sql for kind in ("calendar", "fiscal") for unit, sql in _PARTS.items()},
    "day_in_month": _DAY_OF_MONTH,
    "day_in_week": f"({_PART.format('%w')} + 1)",
    "day_in_year": _DAY_OF_YEAR,
    "day_only": "substr({}, 1, 10)",
    "hour_in_day": _PART.format("%H"),
    "week_in_month": f"(({_DAY_OF_MONTH} + 6) / 7)",
    "week_in_year": f"(({_DAY_OF_YEAR} + 6) / 7)",
}
DATETIMES_ONLY = frozenset({"day_only", "hour_in_day"})


def is_aggregate(operand: tree.Operand) -> bool:
    """Whether an operand is an aggregate function."""
    return isinstance(operand, tree.Function) and operand.name.lower() in AGGREGATES


def refuse_function(function: tree.Function, scope: Scope) -> Exception:
    """Return the error for a function that does not exist, or not in this place."""
    return scope.refuse(
        position=function.position, code="MALFORMED_QUERY", message=f"unexpected token: '{function.name}'"
    )


def write_aggregate(function: tree.Function, scope: Scope) -> Column:
    """Return the SQL of an aggregate function. Raises ApiError for fields that do not support it."""
    name = function.name.lower()
    if len(function.arguments) > 1 or (function.argument is None and name != "count"):
        raise refuse_function(function, scope)
    if function.argument is None:
        return Column("count(*)", NUMBER)
    column = write_operand(function.argument, scope)
    field = column.field
    if not field.aggregatable or (name in {"sum", "avg"} and not field.is_number):
        raise scope.refuse(
            position=function.position,
            code="MALFORMED_QUERY",
            message=f"field {field.name} does not support aggregate operator {name.upper()}",
        )
    return Column(
        AGGREGATES[name].format(column.sql), field if name in {"min", "max"} else NUMBER, column.relationships
    )


def write_operand(operand: tree.Operand, scope: Scope) -> Column:
    """Return the SQL of a field, or of a function of a single record. Raises ApiError for any other function."""
    if isinstance(operand, tree.Path):
        return scope.resolve(operand)
    name, argument = operand.name.lower(), operand.argument
    if name == "distance":
        return write_distance(operand, scope)
    known = name in {*DATE_FUNCTIONS, "tolabel", "format", "converttimezone"}
    if not known or argument is None or len(operand.arguments) != 1:
        raise refuse_function(operand, scope)
    if name == "format" and isinstance(argument, tree.Function) and is_aggregate(argument):
        column = write_aggregate(argument, scope)
    else:
        column = write_operand(argument, scope)
    if name == "tolabel":
        return _write_label(operand, column, scope)
    if name == "format":
        return Column(f"format_value('{column.field.type}', {column.sql})", WORDS, column.relationships)
    is_moment = column.field.type == "datetime" if name in DATETIMES_ONLY else column.field.type in MOMENT_TYPES
    if name == "converttimezone":
        is_moment = column.field.type == "datetime"
    if not is_moment:
        raise scope.refuse(
            position=operand.position,
            code="INVALID_FIELD",
            message=f"field '{column.field.name}' of type {column.field.type} does not support {operand.name}",
        )
    if name == "converttimezone":
        return column
    sql = DATE_FUNCTIONS[name].replace("{}", column.sql)
    return Column(sql, DAY if name == "day_only" else NUMBER, column.relationships)


def _write_label(function: tree.Function, column: Column, scope: Scope) -> Column:
    """Return the SQL that turns the value of a picklist into its label. A value without label stays as it is."""
    field = column.field
    if field.type != "picklist":
        raise scope.refuse(
            position=function.position,
            code="INVALID_FIELD",
            message=f"toLabel() is not supported on the field '{field.name}' of type {field.type}",
        )
    if not field.picklist:
        return column
    cases = " ".join(f"WHEN {_quote(value)} THEN {_quote(label)}" for value, label in field.picklist)
    words = Field(field.name, field.label, "string", 255)
    sql = f"CASE {column.sql} {cases} ELSE {column.sql} END"
    return Column(f"({sql} COLLATE NOCASE)", words, column.relationships)


def _quote(text: str) -> str:
    """Return a text of the schema as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def name_function(function: tree.Function) -> str:
    """Return the field whose name a function of one record has in the answer, without its relationships."""
    argument = function.argument
    while isinstance(argument, tree.Function):
        argument = argument.argument
    return argument.parts[-1] if argument is not None else function.name
