"""Operators of conditions: their names in JSON, their suffixes in addresses, and their words."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import TextChoices


class Operator(TextChoices):
    """What a condition asks of a field."""

    IS = "is", "is"
    IS_NOT = "is_not", "is not"
    HAS_ALL = "has_all", "has all of"
    CONTAINS = "contains", "contains"
    NOT_CONTAINS = "not_contains", "does not contain"
    BEGINS = "begins", "begins with"
    FROM = "from", "is from"
    UNTIL = "until", "is until"
    BETWEEN = "between", "is between"
    WITHIN = "within", "is within"
    NOT_WITHIN = "not_within", "is not within"
    EMPTY = "empty", "is empty"
    NOT_EMPTY = "not_empty", "is not empty"


EMPTINESS = (Operator.EMPTY, Operator.NOT_EMPTY)
# They hold of a field without a value, and so of a record whose reference on the way to the field is empty.
HOLD_WITHOUT_VALUE = frozenset(
    {Operator.IS_NOT, Operator.NOT_CONTAINS, Operator.NOT_WITHIN, Operator.EMPTY},
)
PERIODS = frozenset({Operator.WITHIN, Operator.NOT_WITHIN})
# How many values an operator compares with, at least and at most; None for any number.
NUMBER_OF_VALUES: Mapping[Operator, tuple[int, int | None]] = {
    Operator.IS: (1, None),
    Operator.IS_NOT: (1, None),
    Operator.HAS_ALL: (1, None),
    Operator.CONTAINS: (1, None),
    Operator.NOT_CONTAINS: (1, None),
    Operator.BEGINS: (1, None),
    Operator.FROM: (1, 1),
    Operator.UNTIL: (1, 1),
    Operator.BETWEEN: (2, 2),
    Operator.WITHIN: (1, 1),
    Operator.NOT_WITHIN: (1, 1),
    Operator.EMPTY: (0, 0),
    Operator.NOT_EMPTY: (0, 0),
}


def takes_several(operator: Operator) -> bool:
    """Whether the operator compares with any number of values."""
    return NUMBER_OF_VALUES[operator][1] is None


def takes_values(operator: Operator) -> bool:
    """Whether the operator compares with values that the user enters."""
    return NUMBER_OF_VALUES[operator][1] != 0
