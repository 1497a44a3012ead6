"""The grammar of SOQL, and the parser that turns a query text into its tree.

Source: the chapter "SOQL SELECT Syntax" of the SOQL and SOSL Reference. As in the real CRM, `AND` and `OR` may not be
mixed without parentheses, and a keyword may be used as a name where a name is expected.
"""

import re
from functools import lru_cache
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken

from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql import tree

GRAMMAR = r"""
query: "SELECT"i select_list "FROM"i NAME _from_alias

// A clause may be left out in each of these. As optional parts of one rule they would be multiplied out to 1,024 rules.
_from_alias: alias _from_scope | _from_scope
_from_scope: scope _from_where | _from_where
_from_where: where _from_security | _from_security
_from_security: security _from_group | _from_group
_from_group: group _from_having | _from_having
_from_having: having _from_order | _from_order
_from_order: order _from_limit | _from_limit
_from_limit: limit _from_offset | _from_offset
_from_offset: offset? tail*

select_list: select_item ("," select_item)*
select_item: operand NAME? | type_of | "(" query ")"
type_of: "TYPEOF"i path type_branch+ otherwise? "END"i
type_branch: "WHEN"i NAME "THEN"i path ("," path)*
otherwise: "ELSE"i path ("," path)*
operand: path | NAME "(" (argument ("," argument)*)? ")"
argument: operand | STRING | NUMBER | INTEGER
path: NAME ("." NAME)*
alias: "AS"i? NAME
scope: "USING"i "SCOPE"i NAME
where: "WHERE"i _condition
security: "WITH"i NAME
group: "GROUP"i "BY"i operand ("," operand)*
having: "HAVING"i _condition
order: "ORDER"i "BY"i order_item ("," order_item)*
order_item: operand (ASC | DESC)? ("NULLS"i (FIRST | LAST))?
limit: "LIMIT"i INTEGER
offset: "OFFSET"i INTEGER
tail: ALL "ROWS"i | "FOR"i NAME | "UPDATE"i NAME

_condition: conjunction | disjunction | _term
conjunction: _term ("AND"i _term)+
disjunction: _term ("OR"i _term)+
_term: negation | _simple
negation: "NOT"i _term
_simple: "(" _condition ")" | comparison | membership | inclusion
comparison: operand OPERATOR value | operand LIKE value
membership: operand NOT? "IN"i "(" value ("," value)* ")" -> membership
          | operand NOT? "IN"i "(" query ")" -> semi_join
inclusion: operand (INCLUDES | EXCLUDES) "(" value ("," value)* ")"
value: STRING | DATETIME | DATE | NUMBER | INTEGER | TRUE | FALSE | NULL | PERIOD | NAME

ASC: "ASC"i
DESC: "DESC"i
FIRST: "FIRST"i
LAST: "LAST"i
ALL: "ALL"i
NOT: "NOT"i
LIKE: "LIKE"i
INCLUDES: "INCLUDES"i
EXCLUDES: "EXCLUDES"i
TRUE: "TRUE"i
FALSE: "FALSE"i
NULL: "NULL"i
OPERATOR: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
DATETIME.4: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)/i
DATE.3: /\d{4}-\d\d-\d\d/
NUMBER.2: /[+-]?\d+\.\d+|[+-]\d+/
INTEGER: /\d+/
PERIOD.2: /[a-z_]+:\d+/i
STRING: /'(?:[^'\\]|\\.)*'/s
NAME: /[a-z_]\w*/i

%import common.WS
%ignore WS
"""

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
# The functions that take literals; any other takes fields and functions alone.
TAKING_LITERALS = frozenset({"distance", "geolocation"})
VALUE_KINDS = {
    "STRING": "string",
    "DATETIME": "datetime",
    "DATE": "date",
    "NUMBER": "number",
    "INTEGER": "number",
    "TRUE": "boolean",
    "FALSE": "boolean",
    "NULL": "null",
    "PERIOD": "date_literal",
    "NAME": "date_literal",
}


def place_error(query: str, *, position: int, code: str, message: str) -> ApiError:
    """Return an error that shows its place in the query as the CRM does: excerpt, caret, row and column, message."""
    start = max(position - 45, 0)
    excerpt = query[start : position + 40].replace("\n", " ")
    row = query.count("\n", 0, position) + 1
    column = position - (query.rfind("\n", 0, position) + 1) + 1
    return ApiError(
        code,
        f"\n{excerpt}\n{' ' * (position - start)}^\nERROR at Row:{row}:Column:{column}\n{message}",
    )


def unescape_string(raw: str) -> str:
    r"""Return the text of a quoted string. `\_` and `\%` keep their backslash, which LIKE needs. Raises ApiError."""

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if code in "_%":
            return match.group(0)
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in ESCAPES:
            raise ApiError("MALFORMED_QUERY", f"Invalid string literal {raw}. Illegal character sequence '\\{code}'")
        return ESCAPES[code]

    return ESCAPE.sub(replace, raw[1:-1])


class UnexpectedLiteralError(Exception):
    """A literal stands in a function that takes none."""

    def __init__(self, literal: tree.Value) -> None:
        """Keep the literal for the message."""
        super().__init__(literal.raw)
        self.literal = literal


class TreeBuilder(Transformer[Token, Any]):
    """Builds the tree. The parser calls the method with the name of each grammar rule that it recognises."""

    def path(self, parts: list[Token]) -> tree.Path:
        """Return a field path."""
        return tree.Path(tuple(map(str, parts)), parts[0].start_pos or 0)

    def operand(self, children: list[Any]) -> tree.Operand:
        """Return a path, or a function when the operand begins with a name."""
        first = children[0]
        if isinstance(first, tree.Path):
            return first
        literal = next((each for each in children[1:] if isinstance(each, tree.Value)), None)
        if literal is not None and first.lower() not in TAKING_LITERALS:
            raise UnexpectedLiteralError(literal)
        return tree.Function(str(first), tuple(children[1:]), first.start_pos)

    def argument(self, children: list[Any]) -> tree.Argument:
        """Return an argument of a function."""
        [argument] = children
        return self.value([argument]) if isinstance(argument, Token) else cast("tree.Operand", argument)

    def value(self, children: list[Token]) -> tree.Value:
        """Return a literal."""
        token = children[0]
        text = unescape_string(token) if token.type == "STRING" else str(token)
        return tree.Value(cast("Any", VALUE_KINDS[token.type]), text, token.start_pos or 0, str(token))

    def comparison(self, children: list[Any]) -> tree.Comparison:
        """Return a comparison with its operator in lower case."""
        operand, operator, value = children
        return tree.Comparison(operand, "!=" if operator == "<>" else str(operator).lower(), value)

    def membership(self, children: list[Any]) -> tree.Membership:
        """Return `IN` with a list of literals."""
        negated = isinstance(children[1], Token)
        return tree.Membership(children[0], negated, tuple(children[2 if negated else 1 :]))

    def inclusion(self, children: list[Any]) -> tree.Inclusion:
        """Return `INCLUDES` or `EXCLUDES`."""
        return tree.Inclusion(children[0], children[1].type == "EXCLUDES", tuple(children[2:]))

    def semi_join(self, children: list[Any]) -> tree.Membership:
        """Return `IN` with a query."""
        return tree.Membership(children[0], isinstance(children[1], Token), children[-1])

    def negation(self, children: list[Any]) -> tree.Negation:
        """Return a negated condition."""
        return tree.Negation(children[0])

    def conjunction(self, children: list[Any]) -> tree.Junction:
        """Return conditions joined by AND."""
        return tree.Junction("AND", tuple(children))

    def disjunction(self, children: list[Any]) -> tree.Junction:
        """Return conditions joined by OR."""
        return tree.Junction("OR", tuple(children))

    def select_item(self, children: list[Any]) -> tree.SelectItem:
        """Return a selected expression."""
        expression = children[0]
        alias = str(children[1]) if len(children) > 1 else None
        position = expression.source_position if isinstance(expression, tree.Query) else expression.position
        return tree.SelectItem(expression, alias, position)

    def type_branch(self, children: list[Any]) -> tree.TypeBranch:
        """Return one WHEN of a TYPEOF."""
        name, *paths = children
        return tree.TypeBranch(str(name), tuple(paths), name.start_pos or 0)

    def otherwise(self, children: list[Any]) -> tuple[tree.Path, ...]:
        """Return the fields after ELSE."""
        return tuple(children)

    def type_of(self, children: list[Any]) -> tree.TypeOf:
        """Return a TYPEOF; what follows its branches is its ELSE."""
        path, *rest = children
        branches = tuple(each for each in rest if isinstance(each, tree.TypeBranch))
        return tree.TypeOf(path, branches, rest[-1] if len(rest) > len(branches) else ())

    def order_item(self, children: list[Any]) -> tree.OrderItem:
        """Return a term of ORDER BY."""
        words = {token.type for token in children[1:]}
        return tree.OrderItem(children[0], "DESC" in words, "LAST" in words)

    def query(self, children: list[Any]) -> tree.Query:
        """Return the whole query; each clause arrives as a (name, content) pair."""
        select, source, *clauses = children
        return tree.Query(
            select=select[1],
            source=str(source),
            source_position=source.start_pos,
            **{name: content for name, content in clauses if name},
        )

    def select_list(self, children: list[Any]) -> tuple[str, Any]:
        """Return the selected items."""
        return "select", tuple(children)

    def alias(self, children: list[Any]) -> tuple[str, Any]:
        """Return the alias of the object."""
        return "alias", str(children[0])

    def scope(self, children: list[Any]) -> tuple[str, Any]:
        """Return which records USING SCOPE leaves."""
        return "scope", children[0]

    def security(self, _children: list[Any]) -> tuple[str, Any]:
        """Ignore WITH SECURITY_ENFORCED and the like, since an integration user sees everything."""
        return "", None

    def where(self, children: list[Any]) -> tuple[str, Any]:
        """Return the condition."""
        return "where", children[0]

    def group(self, children: list[Any]) -> tuple[str, Any]:
        """Return the grouping."""
        return "group_by", tuple(children)

    def having(self, children: list[Any]) -> tuple[str, Any]:
        """Return the condition on groups."""
        return "having", children[0]

    def order(self, children: list[Any]) -> tuple[str, Any]:
        """Return the order."""
        return "order_by", tuple(children)

    def limit(self, children: list[Any]) -> tuple[str, Any]:
        """Return the greatest number of rows."""
        return "limit", int(children[0])

    def offset(self, children: list[Any]) -> tuple[str, Any]:
        """Return the number of rows to skip."""
        return "offset", int(children[0])

    def tail(self, children: list[Any]) -> tuple[str, Any]:
        """Return ALL ROWS, or FOR VIEW and FOR REFERENCE, which note the records as recently used.

        UPDATE TRACKING and VIEWSTAT are ignored: nothing is counted that they would change.
        """
        word = children[0]
        if word.type == "ALL":
            return "all_rows", True
        return ("noted", True) if word.upper() in {"VIEW", "REFERENCE"} else ("", None)


PARSER = Lark(
    GRAMMAR, start="query", parser="lalr", lexer="contextual", transformer=TreeBuilder(), maybe_placeholders=False
)


@lru_cache(maxsize=256)
def parse_query(query: str) -> tree.Query:
    """Return the tree of a query. Raises ApiError `MALFORMED_QUERY` that shows what cannot be read."""
    try:
        return cast("tree.Query", PARSER.parse(query))
    except UnexpectedToken as error:
        shown = "<EOF>" if error.token.type == "$END" else str(error.token)
        position = len(query) if error.token.type == "$END" else error.token.start_pos or 0
        raise place_error(
            query, position=position, code="MALFORMED_QUERY", message=f"unexpected token: '{shown}'"
        ) from error
    except UnexpectedLiteralError as error:
        literal = error.literal
        raise place_error(
            query, position=literal.position, code="MALFORMED_QUERY", message=f"unexpected token: '{literal.raw}'"
        ) from error
    except UnexpectedCharacters as error:
        position = cast("int", error.pos_in_stream)
        character = query[position]
        message = "Bind variables only allowed in Apex code" if character == ":" else f"unexpected token: '{character}'"
        raise place_error(query, position=position, code="MALFORMED_QUERY", message=message) from error
