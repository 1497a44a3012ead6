"""Turns the conditions of WHERE and HAVING into SQL with parameters.

In SOQL a comparison is true or false, never NULL as in SQL: `!=` and `NOT IN` are true for an empty field, and so is
`NOT` of a comparison with one. Text comparison ignores case unless the field is case-sensitive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from crm_sync.sandbox.data.fields import Field
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.timestamps import format_datetime, parse_date, parse_datetime
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.distances import DISTANCE
from crm_sync.sandbox.soql.names import Column, Scope
from crm_sync.sandbox.soql.periods import resolve_period

TYPE_NAMES = {"datetime": "dateTime", "date": "date", "boolean": "boolean", "id": "ID", "reference": "reference"}
Parameters = list[object]
SubqueryWriter = Callable[[tree.Query, Field, Parameters], str]
OperandWriter = Callable[[tree.Function], Column]


@dataclass(slots=True)
class ConditionWriter:
    """Writes the SQL of one query's conditions. `now` is the organisation's time, for date literals."""

    scope: Scope
    now: datetime
    parameters: Parameters
    write_subquery: SubqueryWriter
    write_function: OperandWriter

    def write(self, condition: tree.Condition) -> str:
        """Return the SQL of a condition and append its parameters in order."""
        if isinstance(condition, tree.Junction):
            return "(" + f" {condition.operator} ".join(self.write(part) for part in condition.conditions) + ")"
        if isinstance(condition, tree.Negation):
            return f"NOT coalesce({self.write(condition.condition)}, 0)"
        if isinstance(condition, tree.Membership):
            return self.write_membership(condition)
        if isinstance(condition, tree.Inclusion):
            return self.write_inclusion(condition)
        return self.write_comparison(condition)

    def resolve(self, operand: tree.Operand, *, use: str = "filtered") -> Column:
        """Return the column of an operand. Raises ApiError for addresses and locations; `use` says for what."""
        column = self.write_function(operand) if isinstance(operand, tree.Function) else self.scope.resolve(operand)
        if column.field.components:
            raise self.scope.refuse(
                position=operand.position,
                code="INVALID_FIELD",
                message=f"field '{column.field.name}' can not be {use} in a query call",
            )
        return column

    def check_distance(self, column: Column, condition: tree.Comparison | tree.Membership) -> None:
        """Raise ApiError if a distance is not compared by `<` or `>` with a number."""
        if column.field is not DISTANCE:
            return
        if not isinstance(condition, tree.Comparison) or condition.operator not in {"<", ">"}:
            raise self.scope.refuse(
                position=condition.operand.position,
                code="INVALID_QUERY_FILTER_OPERATOR",
                message="DISTANCE is only supported with the operators < and >",
            )
        if condition.value.kind != "number":
            raise self.refuse_type(column.field, condition.value)

    # -- literals -------------------------------------------------------------------------------------

    def refuse_type(self, field: Field, value: tree.Value) -> Exception:
        """Return the error for a literal of the wrong type."""
        expected = "string" if field.is_text else TYPE_NAMES.get(field.type, field.type)
        quotes = "should be" if field.is_text or field.type in {"id", "reference"} else "should not be"
        return self.scope.refuse(
            position=value.position,
            code="INVALID_FIELD",
            message=f"value of filter criterion for field '{field.name}' must be of type {expected} and {quotes} "
            "enclosed in quotes",
        )

    def read_literal(self, field: Field, value: tree.Value) -> object:  # noqa: PLR0911  one return per type
        """Return the stored form of a literal. Raises ApiError when its type does not fit the field."""
        if value.kind == "null" or (value.kind == "string" and value.text == ""):
            return None
        if field.is_text and value.kind == "string":
            return value.text.replace("\\_", "_").replace("\\%", "%")
        if field.type in {"id", "reference"} and value.kind == "string":
            identifier = normalise_id(value.text)
            if identifier is None:
                raise self.scope.refuse(
                    position=value.position,
                    code="INVALID_QUERY_FILTER_OPERATOR",
                    message=f"invalid ID field: {value.text}",
                )
            return identifier
        if field.type == "boolean" and value.kind == "boolean":
            return int(value.text.lower() == "true")
        if field.type == "datetime" and value.kind == "datetime" and (moment := parse_datetime(value.text)):
            return format_datetime(moment)
        if field.type == "date" and value.kind == "date" and (day := parse_date(value.text)):
            return day
        if field.is_number and value.kind == "number":
            return float(value.text) if "." in value.text else int(value.text)
        raise self.refuse_type(field, value)

    # -- comparisons ----------------------------------------------------------------------------------

    def write_comparison(self, comparison: tree.Comparison) -> str:
        """Return the SQL of `operand operator value`."""
        column = self.resolve(comparison.operand)
        self.check_distance(column, comparison)
        value = comparison.value
        if comparison.operator == "like":
            return self.write_like(column, value)
        if value.kind == "date_literal":
            return self.write_period(column, comparison.operator, value)
        literal = self.read_literal(column.field, value)
        if comparison.operator in {"=", "!="}:
            if literal is None:
                return f"{column.sql} IS {'NOT ' if comparison.operator == '!=' else ''}NULL"
            sql = self.fold(column, literal)
            return f"{sql} {'=' if comparison.operator == '=' else 'IS NOT'} ?"
        if column.field.type == "boolean":
            raise self.scope.refuse(
                position=comparison.operand.position,
                code="INVALID_QUERY_FILTER_OPERATOR",
                message="invalid operator on boolean field",
            )
        if literal is None:
            return compare_with_nothing(column, comparison)
        sql = self.fold(column, literal)
        return f"{sql} {comparison.operator} ?"

    def fold(self, column: Column, literal: object) -> str:
        """Append the literal and return the column's SQL, both without case where NOCASE does not suffice."""
        if column.field.is_text and not column.field.case_sensitive and not str(literal).isascii():
            self.parameters.append(str(literal).casefold())
            return f"casefold_text({column.sql})"
        self.parameters.append(literal)
        return column.sql

    def write_like(self, column: Column, value: tree.Value) -> str:
        r"""Return the SQL of LIKE, which ignores case. `\_` and `\%` match the characters themselves."""
        if not column.field.is_text or value.kind != "string":
            raise self.scope.refuse(
                position=value.position,
                code="INVALID_QUERY_FILTER_OPERATOR" if not column.field.is_text else "INVALID_FIELD",
                message="invalid operator on id field"
                if not column.field.is_text
                else f"value of filter criterion for field '{column.field.name}' must be of type string and should be "
                "enclosed in quotes",
            )
        pattern = escape_backslashes(value.text)
        if pattern.isascii():
            self.parameters.append(pattern)
            return f"{column.sql} LIKE ? ESCAPE '\\'"
        self.parameters.append(pattern.casefold())
        return f"casefold_text({column.sql}) LIKE ? ESCAPE '\\'"

    def write_period(self, column: Column, operator: str, value: tree.Value) -> str:
        """Return the SQL of a comparison with a date literal, which is a range of days."""
        try:
            period = resolve_period(value.text, today=self.now.date())
        except (ValueError, OverflowError):
            period = None
        if period is None:
            raise self.scope.refuse(
                position=value.position, code="MALFORMED_QUERY", message=f"unexpected token: '{value.text}'"
            )
        if column.field.type not in {"date", "datetime"}:
            raise self.refuse_type(column.field, value)
        suffix = "T00:00:00.000+0000" if column.field.type == "datetime" else ""
        first, end = (f"{day.isoformat()}{suffix}" for day in period)
        if operator in {"=", "!="}:
            self.parameters += [first, end]
            inside = f"({column.sql} >= ? AND {column.sql} < ?)"
            return inside if operator == "=" else f"NOT coalesce({inside}, 0)"
        self.parameters.append(first if operator in {"<", ">="} else end)
        return f"{column.sql} {'<' if operator in {'<', '<='} else '>='} ?"

    def write_inclusion(self, inclusion: tree.Inclusion) -> str:
        """Return the SQL of INCLUDES and EXCLUDES. Raises ApiError for fields that are no multi-select picklists."""
        column = self.resolve(inclusion.operand)
        if column.field.type != "multipicklist":
            raise self.scope.refuse(
                position=inclusion.operand.position,
                code="INVALID_QUERY_FILTER_OPERATOR",
                message="includes and excludes operators can only be used on multi-select picklist fields",
            )
        alternatives = []
        for value in inclusion.values:
            if value.kind != "string":
                raise self.refuse_type(column.field, value)
            chosen = [each.strip() for each in value.text.split(";") if each.strip()]
            self.parameters += [f";{each};" for each in chosen]
            parts = [f"instr(';' || {column.sql} || ';', ?) > 0" for _ in chosen] or [f"{column.sql} IS NULL"]
            alternatives.append(f"({' AND '.join(parts)})")
        joined = " OR ".join(alternatives)
        return f"NOT coalesce(({joined}), 0)" if inclusion.negated else f"({joined})"

    def write_membership(self, membership: tree.Membership) -> str:
        """Return the SQL of IN and NOT IN."""
        column = self.resolve(membership.operand)
        self.check_distance(column, membership)
        if isinstance(membership.values, tree.Query):
            inner = self.write_subquery(membership.values, column.field, self.parameters)
            if membership.negated:
                return f"NOT coalesce({column.sql} IN ({inner}), 0)"
            return f"{column.sql} IN ({inner})"
        literals = []
        periods = []
        for value in membership.values:
            if value.kind == "date_literal":
                periods.append(value)
            else:
                literals.append(self.read_literal(column.field, value))
        parts = [self.write_period(column, "=", value) for value in periods]
        texts = [literal for literal in literals if literal is not None]
        if texts:
            folded = column.field.is_text and not column.field.case_sensitive and not "".join(map(str, texts)).isascii()
            self.parameters += [str(text).casefold() for text in texts] if folded else texts
            sql = f"casefold_text({column.sql})" if folded else column.sql
            parts.append(f"{sql} IN ({', '.join('?' * len(texts))})")
        if None in literals:
            parts.append(f"{column.sql} IS NULL")
        joined = " OR ".join(parts) or "0"
        return f"NOT coalesce(({joined}), 0)" if membership.negated else f"({joined})"


def compare_with_nothing(column: Column, comparison: tree.Comparison) -> str:
    """Return the SQL of `< <= > >=` with an empty text, which is before any other, or null, which is false."""
    if not column.field.is_text or comparison.value.kind != "string":
        return "0"
    results = {">": f"{column.sql} IS NOT NULL", "<=": f"{column.sql} IS NULL", ">=": "1"}
    return results.get(comparison.operator, "0")


def escape_backslashes(pattern: str) -> str:
    """Return a LIKE pattern with every backslash doubled that is not before `_` or `%`, where it is an escape."""
    result = ""
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\" and pattern[position + 1 : position + 2] in {"_", "%"}:
            result += pattern[position : position + 2]
            position += 2
            continue
        result += "\\\\" if character == "\\" else character
        position += 1
    return result
