"""What conditions ask of the kind of a field: its comparison, or that of references, which need who asks."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.conditions.referred import ReferenceConditions
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.comparisons import Comparison
from ctms.records.fields.comparing.operators import EMPTINESS, PERIODS, Operator
from ctms.records.fields.comparing.periods import read_period
from ctms.records.fields.kinds.base import kind_of

_REFERENCES = ReferenceConditions()


def get_kind(field: ObjectField) -> Comparison:
    """Return what conditions ask of fields of this kind."""
    return _REFERENCES if field.reference is not None else kind_of(field).comparison


def list_operators(*, asker: Asker, field: ObjectField) -> list[Operator]:
    """Return the operators that forms offer for a field."""
    can_be_empty = field.may_be_empty or field.is_custom or get_kind(field).is_text
    return [*_list_with_values(asker=asker, field=field), *(EMPTINESS if can_be_empty else ())]


def list_accepted_operators(*, asker: Asker, field: ObjectField) -> list[Operator]:
    """Return the operators that addresses and stored conditions may use: whether it is empty may be asked of any."""
    return [*_list_with_values(asker=asker, field=field), *EMPTINESS]


def read_value(*, shape: ObjectShape, field: ObjectField, operator: Operator, value: str) -> str:
    """Return the normal form of a value. Raises ValueError with a message for the user."""
    if operator in PERIODS:
        return read_period(value)
    return get_kind(field).read(shape=shape, field=field, value=value)


def _list_with_values(*, asker: Asker, field: ObjectField) -> Sequence[Operator]:
    kind = get_kind(field)
    if isinstance(kind, ReferenceConditions) and not kind.is_open(asker=asker, field=field):
        return ()
    return kind.operators


def is_empty(*, field: ObjectField, name: str) -> Q:
    """Return the condition that the field holds no value."""
    empty = Q(**{f"{name}__isnull": True})
    return empty | Q(**{name: ""}) if get_kind(field).is_text else empty
