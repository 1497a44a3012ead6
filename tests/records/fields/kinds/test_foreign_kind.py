"""A kind that is defined here and nowhere else works at every door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError

from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import register_kind, remove_kind
from ctms.records.fields.kinds.base import ApiField, Asked, Kind
from ctms.records.fields.kinds.text import TextInput
from tests.records.fields.kinds.doors import NAME, EveryDoor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def read_dose(text: Any) -> int:
    """Read `3 mg`."""
    number, _, unit = str(text).strip().partition(" ")
    if not number.isdecimal() or unit != "mg":
        raise ValueError("Write it as 3 mg.")
    return int(number)


class DoseField(forms.CharField):
    def to_python(self, value: Any) -> Any:
        if isinstance(value, int) or not str(value or "").strip():
            return value or None
        try:
            return read_dose(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def prepare_value(self, value: Any) -> Any:
        return f"{value} mg" if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


class DoseInput(TextInput):
    def to_internal_value(self, data: Any) -> Any:
        try:
            return read_dose(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid")


class DoseKind(Kind):
    """A dose in milligrams, kept as `3mg`."""

    name = "dose"
    label = "Dose"
    custom_names = {"dose": "Dose"}

    def tell(self, *, stored: Any, labels: Any) -> str:
        del labels
        return f"{self.read(stored)} mg"

    def read(self, stored: Any) -> int:
        return int(stored.removesuffix("mg"))

    def store(self, value: Any) -> str:
        return f"{value}mg"

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        return "" if isinstance(value, int) else "Enter a dose."

    def format(self, *, value: Any, **_others: Any) -> str:
        return f"{value} mg"

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        del asked
        return DoseField(**common)

    def build_api_field(self, *, field: ObjectField, shape: Any, model_field: Any, **common: Any) -> ApiField:
        del field, shape, model_field
        return DoseInput(**common)

    def to_json(self, value: Any) -> str:
        return f"{value} mg"

    def to_crm(self, stored: Any) -> int:
        return self.read(stored)


@pytest.fixture(autouse=True)
def _dose() -> Iterator[None]:
    register_kind(DoseKind())
    yield
    remove_kind("dose")


class TestForeignKind(EveryDoor):
    kind = "dose"
    typed = {"": "3 mg"}
    text = "3 mg"
    stored = "3mg"
    shown = "3 mg"
    json = "3 mg"
    cell = "3 mg"
    sent = 3
    other_text = "40 mg"
    other_stored = "40mg"
    other_shown = "40 mg"
    wrong_text = "three"
    problem = "Write it as 3 mg."
    wrong_json = "three"
    filters = {f"{NAME}=3mg": (True, False), f"{NAME}__begins=40": (False, True)}
