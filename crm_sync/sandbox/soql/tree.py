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
    """A function: `COUNT()`, `MAX(SystemModstamp)`, `FIELDS(ALL)`, `CALENDAR_YEAR(convertTimezone(CreatedDate))`.

    Only `ROLLUP`, `CUBE`, `DISTANCE` and `GEOLOCATION` have more than one argument; only the last two have literals.
    """

    name: str
    arguments: "tuple[Argument, ...]"
    position: int

    @property
    def operands(self) -> "tuple[Operand, ...]":
        """The arguments without literals."""
        return tuple(each for each in self.arguments if not isinstance(each, Value))

    @property
    def argument(self) -> "Operand | None":
        """The first argument, if there is one and it is no literal."""
        return self.operands[0] if self.operands and self.operands[0] is self.arguments[0] else None


Operand = Path | Function


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. `kind` is the form in which it was written; the `text` of a string is unescaped, `raw` is not."""

    kind: Literal["string", "number", "date", "datetime", "boolean", "null", "date_literal", "currency"]
    text: str
    position: int
    raw: str = ""


Argument = Operand | Value


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
class Inclusion:
    """A condition `operand INCLUDES (values)`, or `EXCLUDES`, on a multi-select picklist.

    Each value may name several choices with semicolons between them, all of which must be there.
    """

    operand: Operand
    negated: bool
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """A negated condition, `NOT condition`."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions that are all joined by `AND`, or all by `OR`."""

    operator: Literal["AND", "OR"]
    conditions: "tuple[Condition, ...]"


Condition = Comparison | Membership | Inclusion | Negation | Junction


@dataclass(frozen=True, slots=True)
class TypeBranch:
    """`WHEN type_name THEN fields`; the paths begin at the record that the reference leads to."""

    type_name: str
    fields: tuple[Path, ...]
    position: int


@dataclass(frozen=True, slots=True)
class TypeOf:
    """`TYPEOF path WHEN … THEN … ELSE otherwise END`. `otherwise` is empty without ELSE."""

    path: Path
    branches: tuple[TypeBranch, ...]
    otherwise: tuple[Path, ...]

    @property
    def position(self) -> int:
        """Where the path of the reference is."""
        return self.path.position


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One selected field, function, TYPEOF or child query, with its alias (aggregate queries only)."""

    expression: "Operand | Query | TypeOf"
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
    # The word after USING SCOPE.
    scope: str = ""
    # Whether FOR VIEW or FOR REFERENCE asks to note the records as recently used.
    noted: bool = False
