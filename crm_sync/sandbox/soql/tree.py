"""The syntax tree of a SOQL query, as dataclasses. `position` is an offset in the query text, for error messages."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Path:
    """A field path, such as `Account_vod__r.Name`."""

    parts: tuple[str, ...]
    position: int

    @property
    def text(self) -> str:
        """The path as written."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Function:
    """A function with at most one argument: `COUNT()`, `MAX(SystemModstamp)`, `FIELDS(ALL)`."""

    name: str
    argument: Path | None
    position: int


Operand = Path | Function


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. `kind` is the form in which it was written; the `text` of a string is unescaped, `raw` is not."""

    kind: Literal["string", "number", "date", "datetime", "boolean", "null", "date_literal", "currency"]
    text: str
    position: int
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison, `operand operator value`. The operators are `= != < <= > >= like`."""

    operand: Operand
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """A condition `operand [NOT] IN (values)` or `operand [NOT] IN (SELECT …)`."""

    operand: Operand
    negated: bool
    values: "tuple[Value, ...] | Query"


@dataclass(frozen=True, slots=True)
class Negation:
    """A negated condition, `NOT condition`."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions that are all joined by `AND`, or all by `OR`."""

    operator: Literal["AND", "OR"]
    conditions: "tuple[Condition, ...]"


Condition = Comparison | Membership | Negation | Junction


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One selected field, function or child query, with its alias (aggregate queries only)."""

    expression: "Operand | Query"
    alias: str | None
    position: int


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One term of ORDER BY. Nulls come first unless `nulls_last`."""

    operand: Operand
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. `source` names the object or, in a child query, the child relationship."""

    select: tuple[SelectItem, ...]
    source: str
    source_position: int
    alias: str | None = None
    where: Condition | None = None
    group_by: tuple[Operand, ...] = ()
    having: Condition | None = None
    order_by: tuple[OrderItem, ...] = ()
    limit: int | None = None
    offset: int | None = None
    all_rows: bool = False
