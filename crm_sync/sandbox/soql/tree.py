"""What a SOQL query says, as plain data. ``position`` is the offset in the query text, for error messages."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Path:
    """A field path: ``Account_vod__r.Name``."""

    parts: tuple[str, ...]
    position: int

    @property
    def text(self) -> str:
        """The path as written."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of at most one field: ``COUNT()``, ``MAX(SystemModstamp)``, ``FIELDS(ALL)``."""

    name: str
    argument: Path | None
    position: int


Operand = Path | Function


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. ``kind`` tells how it was written; ``text`` is unescaped for strings."""

    kind: Literal["string", "number", "date", "datetime", "boolean", "null", "date_literal", "currency"]
    text: str
    position: int
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``operand operator value``; operators ``= != < <= > >= like``."""

    operand: Operand
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """``operand [NOT] IN (values)`` or ``IN (SELECT …)``."""

    operand: Operand
    negated: bool
    values: "tuple[Value, ...] | Query"


@dataclass(frozen=True, slots=True)
class Negation:
    """``NOT condition``."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by ``AND`` or by ``OR``, never by both."""

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
    """One ``ORDER BY`` term; ``nulls_last`` None means the default, nulls first."""

    operand: Operand
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; ``source`` is the object or, in a child query, the child relationship."""

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
