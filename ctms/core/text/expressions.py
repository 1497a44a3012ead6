"""Look-ups of folded texts, such as `name__folded_contains`, and the order of texts, in statements of the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db.models import CharField, F, Lookup, TextField
from django.db.models.functions import Collate

from ctms.core.text.folding import BEGINNING, FUNCTION, fold_text
from ctms.core.text.sorting import COLLATION

if TYPE_CHECKING:
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup


# SQLite refuses a longer pattern of LIKE (SQLITE_MAX_LIKE_PATTERN_LENGTH). No text that is searched is near it.
_LONGEST_PATTERN = 50_000  # bytes


def collate(expression: Any) -> Collate:
    """Return the expression in the order of lists; `expression` is an expression or the name of a field."""
    return Collate(F(expression) if isinstance(expression, str) else expression, COLLATION)


def is_text(field: Any) -> bool:
    """Whether a model's field holds text, which is sorted in the order of lists."""
    return isinstance(field, CharField | TextField)


class _FoldedLookup(_Lookup):
    """Compares folded texts. The value is folded here, and its wildcards are escaped."""

    pattern = "%{}%"

    def get_prep_lookup(self) -> str:
        return fold_text(str(self.rhs)) or ""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # as Django's own
        text, parameters = self.fold_left(compiler, connection)
        escaped = str(self.rhs).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        pattern = self.pattern.format(escaped)
        if len(pattern.encode()) > _LONGEST_PATTERN:
            raise EmptyResultSet
        return f"{text} LIKE %s ESCAPE '\\'", [*parameters, pattern]

    def fold_left(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, parameters = self.process_lhs(compiler, connection)
        # As the index is defined, which PostgreSQL would not recognise with a cast of another length.
        text = f"{FUNCTION}({column}::text)" if connection.vendor == "postgresql" else f"{FUNCTION}({column})"
        return text, list(parameters)


@CharField.register_lookup
@TextField.register_lookup
class FoldedContains(_FoldedLookup):
    lookup_name = "folded_contains"


@CharField.register_lookup
@TextField.register_lookup
class FoldedStartsWith(_FoldedLookup):
    lookup_name = "folded_startswith"
    pattern = "{}%"


@CharField.register_lookup
@TextField.register_lookup
class FoldedExact(_FoldedLookup):
    lookup_name = "folded_exact"
    pattern = "{}"


@CharField.register_lookup
@TextField.register_lookup
class FoldedBeginsWord(_FoldedLookup):
    """A word of the text begins with the value. PostgreSQL finds one letter and two so by the index of trigrams."""

    lookup_name = "folded_begins_word"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        text, parameters = self.fold_left(compiler, connection)
        operator = "~" if connection.vendor == "postgresql" else "REGEXP"
        return f"{text} {operator} %s", [*parameters, BEGINNING + re.escape(str(self.rhs))]
