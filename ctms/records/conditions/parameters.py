"""The parameters by which the lists of an object can be filtered, for the API's catalogue and its document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.conditions.addresses import SUFFIXES, join_name
from ctms.records.conditions.kinds import get_kind, list_accepted_operators
from ctms.records.conditions.mine import MINE
from ctms.records.conditions.referred import ReferenceConditions
from ctms.records.conditions.subjects import Subject
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.operators import EMPTINESS, PERIODS, Operator, takes_several
from ctms.records.fields.comparing.periods import PERIOD_CHOICES, SIDES, UNITS

_OF_SEVERAL = {
    Operator.IS_NOT: " none of these",
    Operator.NOT_CONTAINS: " none of these",
    Operator.HAS_ALL: " these",
}
_API_NAME = "[a-z0-9_]+__(?:v|c|sys)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a list's address: what it is about, in words, and the JSON schema of a value."""

    name: str
    subject: Subject
    text: str
    schema: Mapping[str, Any]
    takes_several: bool


def list_parameters(*, asker: Asker, object_name: str) -> list[Parameter]:
    """Return the parameters about fields of the object itself; those about records referred to are built alike."""
    shape = asker.configuration.get(object_name)
    return [
        _build_parameter(asker=asker, subject=Subject(shape=shape, field=field), operator=operator)
        for field in shape.fields.values()
        if asker.may_ask(field)
        for operator in list_accepted_operators(asker=asker, field=field)
        if operator not in (Operator.BETWEEN, Operator.NOT_EMPTY)  # written with the suffixes of others
    ]


def build_name_pattern() -> str:
    """Return a regular expression for the names of all filters, with paths and groups."""
    suffixes = "|".join(SUFFIXES)
    return rf"^(?:(?:any|all)[1-9][0-9]?\.)*{_API_NAME}(?:\.{_API_NAME})*(?:__(?:{suffixes}))?$"


def _build_parameter(*, asker: Asker, subject: Subject, operator: Operator) -> Parameter:
    several = takes_several(operator) and operator not in EMPTINESS
    return Parameter(
        name=join_name(path=subject.path, operator=operator),
        subject=subject,
        text=_describe(asker=asker, field=subject.field, operator=operator),
        schema=_build_schema(asker=asker, shape=subject.shape, field=subject.field, operator=operator),
        takes_several=several,
    )


def _describe(*, asker: Asker, field: ObjectField, operator: Operator) -> str:
    if operator == Operator.EMPTY:
        return f"{field.label}: whether it is empty"
    text = f"{field.label} {operator.label}"
    if takes_several(operator):
        text += _OF_SEVERAL.get(operator, " any of these")
    kind = get_kind(field)
    if isinstance(kind, ReferenceConditions):
        if field.reference is User:
            return f"{text}: a user name, or `me`"
        words = kind.list_words(asker=asker, field=field)
        return f"{text}: a uid{''.join(f', or `{value}` for {label}' for value, label in words)}"
    return text


def _build_schema(*, asker: Asker, shape: ObjectShape, field: ObjectField, operator: Operator) -> Mapping[str, Any]:
    if operator == Operator.EMPTY:
        return {"type": "boolean"}
    if operator in PERIODS:
        counted = f"(?:{'|'.join(SIDES)})_[1-9][0-9]{{0,2}}_(?:{'|'.join(UNITS)})"
        return {"type": "string", "pattern": f"^(?:{'|'.join(name for name, _ in PERIOD_CHOICES)}|{counted})$"}
    kind = get_kind(field)
    if isinstance(kind, ReferenceConditions) and field.reference is not User:
        uid = {"type": "string", "format": "uuid"}
        words = [value for value, _ in kind.list_words(asker=asker, field=field)]
        return {"anyOf": [uid, {"type": "string", "enum": words}]} if MINE in words else uid
    return kind.build_schema(shape.list_choices(field))
