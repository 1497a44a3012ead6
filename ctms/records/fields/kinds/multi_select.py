"""Several of the values of a list. They are kept as CRMs keep them, with semicolons between: `red;blue`."""

from __future__ import annotations

import datetime as dt
import functools
import operator as operators
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import ChoiceComparison
from ctms.records.fields.comparing.operators import Operator
from ctms.records.fields.kinds.base import API_MESSAGES, Aggregate, ApiField, Asked, Cell, Kind, register_kind
from ctms.records.fields.kinds.picklist import list_retired

_BETWEEN = ";"


class TicksInput(forms.CheckboxSelectMultiple):
    """Check-boxes. Their values come in as one text; a hidden input tells that none is ticked from not being asked."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        ticks = super().render(name, value, attrs, renderer)
        return format_html('<input type="hidden" name="{}" value="" />{}', name, ticks)

    def format_value(self, value: Any) -> str:  # type: ignore[override]
        return _join(_split(value))

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, list(_split(value)), attrs)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:  # noqa: ARG002  Django's signature
        return _join(data.getlist(name) if hasattr(data, "getlist") else _split(data.get(name)))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:  # noqa: ARG002  Django's signature
        return name not in data


class MultiSelectField(forms.MultipleChoiceField):
    """Several of the choices, given by value or label with semicolons between; in the order of the list.

    `retired` are values that are not offered and that records keep; where one is new, the service refuses it.
    """

    widget = TicksInput

    def __init__(self, *, retired: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.retired = dict(retired or {})

    def to_python(self, value: Any) -> tuple[str, ...]:  # type: ignore[override]
        offered = [(str(key), str(label)) for key, label in self.choices]  # type: ignore[union-attr,misc]
        choices = [*offered, *(each for each in self.retired.items() if each not in offered)]
        by_label = {label.casefold(): key for key, label in choices}
        given = {by_label.get(each.casefold(), each) for each in _split(value)}
        known = [key for key, _ in choices]
        if unknown := sorted(given.difference(known)):
            labels = ", ".join(label for _, label in offered)
            raise ValidationError(f"“{unknown[0]}” is none of the choices: {labels}.")
        return tuple(key for key in known if key in given)

    def validate(self, value: Any) -> None:
        forms.Field.validate(self, value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return set(_split(initial)) != set(_split(data))


class MultiSelectInput(serializers.Field[Any, Any, Any, Any]):
    """Reads a list of values of a picklist, by API name."""

    default_error_messages = {
        **API_MESSAGES,
        "invalid": "Send a list of texts.",
        "invalid_choice": "Choose among {known}.",
    }

    def __init__(self, *, choices: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.known = [value for value, _ in choices]
        schema = {"type": "array", "items": {"type": "string", "enum": self.known}}
        set_override(self, "field", schema | ({"minItems": 1} if self.required else {}))

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
            self.fail("invalid")
        if not set(data) <= set(self.known):
            self.fail("invalid_choice", known=", ".join(self.known))
        if self.required and not data:
            self.fail("required")
        return tuple(value for value in self.known if value in data)

    def to_representation(self, value: Any) -> list[str]:
        return list(value)


class PartedTextField(models.TextField):  # type: ignore[type-arg]  # Django allows none when it runs
    """Texts with semicolons between them, as a type of the database's expressions."""


@PartedTextField.register_lookup
class HoldsPart(models.Lookup):
    """Whether one of the parts is a text, letter by letter: the two databases differ in how LIKE treats case."""

    lookup_name = "holds"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, column_parameters = self.process_lhs(compiler, connection)
        text, text_parameters = self.process_rhs(compiler, connection)
        function = "STRPOS" if connection.vendor == "postgresql" else "INSTR"
        whole, part = (f"('{_BETWEEN}' || {each} || '{_BETWEEN}')" for each in (column, text))
        return f"{function}({whole}, {part}) > 0", [*column_parameters, *text_parameters]


class PartsComparison(ChoiceComparison):
    """Conditions on several values: whether they are any of some, all of them, or none."""

    operators = (Operator.IS, Operator.HAS_ALL, Operator.IS_NOT)

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:
        del field
        parts = [Q(**{f"{name}__holds": value}) for value in meaning]
        return functools.reduce(operators.and_ if operator == Operator.HAS_ALL else operators.or_, parts)


@register_kind
class MultiSelectKind(Kind):
    """Several values of a list. Values that left the list stay in the records that have them."""

    name = "multi_select"
    label = "Multi-select picklist"
    custom_names = {"multi_select": "Multi-select picklist"}
    has_choices = True
    is_sortable = False
    aggregates = (Aggregate.COUNT,)
    custom_column = PartedTextField
    comparison = PartsComparison()
    json_schema = {"type": "array", "items": {"type": "string"}}

    def find_choices_problem(self, values: list[str]) -> str:
        if odd := [value for value in values if _BETWEEN in value]:
            return f"“{odd[0]}” has a semicolon, which stands between the values that are chosen. Leave it out."
        return super().find_choices_problem(values)

    def tell(self, *, stored: Any, labels: Mapping[str, str]) -> str:
        return ", ".join(labels.get(value, value) for value in _split(stored))

    def holds_choice(self, *, stored: Any, choice: str) -> bool:
        return choice in _split(stored)

    def swap_choice(self, *, stored: Any, old: str, new: str) -> str:
        return _join(dict.fromkeys(new if each == old else each for each in _split(stored)))

    def list_chosen(self, value: Any) -> tuple[str, ...]:
        return tuple(value or ())

    def show_default(self, *, stored: Any, field: ObjectField) -> str:
        return f"{_BETWEEN} ".join(field.choice_labels.get(each, each) for each in _split(stored))

    def read(self, stored: Any) -> tuple[str, ...]:
        return _split(stored)

    def store(self, value: Any) -> str:
        return _join(value)

    def explain(self, *, value: Any, field: ObjectField) -> str:
        if not isinstance(value, (tuple, list)) or not all(isinstance(each, str) for each in value):
            return "Choose among the choices."
        unknown = [each for each in value if each not in field.choice_labels]
        return f"“{unknown[0]}” is none of the choices: {', '.join(field.choice_labels)}." if unknown else ""

    def get_key(self, value: Any, *, field: ObjectField) -> frozenset[str]:
        del field
        return frozenset(value or ())

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        del shape
        return ", ".join(field.choice_labels.get(each, each) for each in value)

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        offered, labels = asked.field.offered, asked.field.choice_labels
        kept = [(each, labels.get(each, each)) for each in asked.present or () if each not in dict(offered)]
        return MultiSelectField(choices=[*offered, *kept], retired=list_retired(asked.field), **common)

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del shape, zone
        return f"{_BETWEEN} ".join(field.choice_labels.get(each, each) for each in value)

    def advise(self, field: ObjectField) -> str:
        return f"One or more of: {', '.join(label for _, label in field.offered)}. Put semicolons between them."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del model_field
        return MultiSelectInput(choices=shape.list_choices(field), **common)

    def describe_json(self, choices: Sequence[str]) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"} | ({"enum": list(choices)} if choices else {})}

    def to_json(self, value: Any) -> list[str]:
        return list(value)

    def is_same_json(self, *, value: Any, shown: Any) -> bool:
        if not isinstance(value, list) or not isinstance(shown, list):
            return value is None and shown is None
        return all(isinstance(each, str) for each in value) and set(value) == set(shown)

    def split_for_crm(self, stored: Any) -> Sequence[Any]:
        return _split(stored)

    def join_for_crm(self, mapped: Sequence[Any]) -> Any:
        return _join(str(each) for each in mapped if each not in (None, "")) or None


def _split(value: Any) -> tuple[str, ...]:
    parts = value.split(_BETWEEN) if isinstance(value, str) else value or ()
    return tuple(part for each in parts if (part := str(each).strip()))


def _join(values: Iterable[str]) -> str:
    return _BETWEEN.join(value for value in values if value)
