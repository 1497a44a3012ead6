"""One of the values of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import ChoiceComparison
from ctms.records.fields.kinds.base import API_MESSAGES, ApiField, Asked, Kind, register_kind

_MOST_NAMED = 8  # choices that a message lists


class SegmentedInput(forms.RadioSelect):
    """Radio buttons side by side as one control, with icons."""

    template_name = "records/widgets/segments.html"

    def __init__(self, *, choices: Any, icons: Mapping[str, str]) -> None:
        super().__init__(choices=choices)
        self.icons = icons

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        return option | {"icon": self.icons.get(str(option["value"]), "")}


class PicklistField(forms.ChoiceField):
    """One of the choices, given by value, or by label in any case.

    `retired` are values that cannot be chosen any more. Records keep them, and so do files that say what a record has;
    where one is new, the service refuses it.
    """

    def __init__(self, *, retired: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.retired = dict(retired or {})

    def list_choices(self) -> list[tuple[str, str]]:
        """Return the choices without the empty one."""
        return [(str(key), str(label)) for key, label in self.choices if key]  # type: ignore[union-attr,misc]

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value)).strip()
        known = [*self.retired.items(), *self.list_choices()]
        values = {label.casefold(): key for key, label in known}
        return values.get(text.casefold(), text)

    def validate(self, value: Any) -> None:
        if value and value not in self.retired and not self.valid_value(value):
            labels = ", ".join(label for _, label in self.list_choices())
            raise ValidationError(f"“{value}” is none of the choices: {labels}.")
        forms.Field.validate(self, value)


class PicklistInput(serializers.ChoiceField):
    """Reads one value of a picklist, by API name."""

    default_error_messages = {**API_MESSAGES, "invalid_choice": "Choose one of {known}."}

    def __init__(self, *, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        set_override(self, "field", {"type": "string", "enum": [str(value) for value, _ in choices]})

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", known=", ".join(map(str, self.choices)))
        return data


@register_kind
class PicklistKind(Kind):
    """One of the values of a list. A value that left the list stays in the records that have it."""

    name = "picklist"
    label = "Picklist"
    model_fields = (models.Field,)
    custom_names = {"picklist": "Picklist"}
    has_choices = True
    is_groupable = True
    empty = ""
    comparison = ChoiceComparison()

    def explain(self, *, value: Any, field: ObjectField) -> str:
        if not isinstance(value, str):
            return "Choose one of the choices."
        return "" if value in field.choice_labels else explain_choice(value=value, field=field)

    def list_chosen(self, value: Any) -> tuple[str, ...]:
        return (str(value),) if value else ()

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        if field.api_name == OBJECT_TYPE:
            return shape.get_type(str(value)).label
        return field.choice_labels.get(str(value), str(value))

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        choices = list_offered(asked)
        present = asked.present
        if present and str(present) not in dict(choices):
            shown = self.format(value=present, field=asked.field, shape=asked.access.shape)
            choices.append((str(present), shown))
        return PicklistField(choices=[("", "–"), *choices], retired=list_retired(asked.field), **common)

    def explain_missing(self, made: forms.Field) -> str:
        labels = [label for _, label in made.list_choices()] if isinstance(made, PicklistField) else []
        if not labels or len(labels) > _MOST_NAMED:
            return "Choose one from the list."
        return f"Choose one of {', '.join(labels)}."

    def advise(self, field: ObjectField) -> str:
        return f"One of: {', '.join(label for _, label in field.offered)}."

    def show_default(self, *, stored: Any, field: ObjectField) -> str:
        return field.choice_labels.get(str(stored), str(stored))

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del model_field
        return PicklistInput(choices=shape.list_choices(field), **common)

    def describe_json(self, choices: Sequence[str]) -> dict[str, Any]:
        return {"type": "string"} | ({"enum": list(choices)} if choices else {})


def list_offered(asked: Asked) -> list[tuple[str, str]]:
    """Return the values that can be chosen now, with their labels."""
    if asked.field.api_name == OBJECT_TYPE:
        return [(each.api_name, each.label) for each in asked.access.list_creatable_types()]
    return asked.field.offered


def list_retired(field: ObjectField) -> dict[str, str]:
    """Return the values that nobody can choose any more, with their labels."""
    return {value: label for value, label in field.choices if value in field.retired}


def explain_choice(*, value: str, field: ObjectField) -> str:
    """Return what to say of a value that is not in the list."""
    offered = ", ".join(label for _, label in field.offered)
    return f"“{value}” is none of the choices: {offered}."
