"""The class of all kinds: what a kind says at each place where a value comes in, is kept, compared, or goes out.

A kind overrides what differs from a short text. The functions at the end find the kind of a field.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import formats
from django.utils.translation import get_language
from rest_framework import serializers

from ctms.accounts.models import User
from ctms.configuration import kinds as registry
from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import FieldKind
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import ObjectShape, load_configuration
from ctms.records.access import ObjectAccess
from ctms.records.fields.comparing.comparisons import Comparison, TextComparison
from ctms.records.fields.comparing.moments import to_zone

EMPTY = (None, "", ())
# What a cell of an exported file may be.
Cell = str | dt.date | dt.datetime | Decimal | int | float
ApiField = serializers.Field[Any, Any, Any, Any]
_REQUIRED = "This field is required."
API_MESSAGES = {"required": _REQUIRED, "null": _REQUIRED, "blank": _REQUIRED}


class Aggregate(StrEnum):
    """What reports may make of many values."""

    COUNT = "count"
    DISTINCT = "distinct"
    SUM = "sum"
    AVERAGE = "average"
    LEAST = "least"
    GREATEST = "greatest"


class CrmType(StrEnum):
    """What a value is in a CRM, which decides the fields that can take it."""

    TEXT = "Text"
    NUMBER = "Number"
    DATE = "Date"
    MOMENT = "Date and time"
    YES_NO = "Yes/No"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a form field is built for.

    `chosen` maps other references to uids, which limit the choices. `present` is the record's value, which may stay.
    """

    access: ObjectAccess
    field: ObjectField
    chosen: Mapping[str, Any] | None = None
    present: Any = None


class Kind(FieldKind):
    """A kind of field. What it does not say otherwise is so for a short text."""

    # -- What it can do ------------------------------------------------------------------------------------------
    empty: ClassVar[Any] = None  # what the column of a standard field holds where there is no value
    has_lines: ClassVar[bool] = False  # whether a text may have several lines, and tabs
    is_day: ClassVar[bool] = False  # a day, or a moment of a day
    is_moment: ClassVar[bool] = False
    holds_text: ClassVar[bool] = False  # whether the Vault may put any text of its own into it
    is_sortable: ClassVar[bool] = True
    is_groupable: ClassVar[bool] = False  # whether lists can be grouped by it: many records have the same value
    is_newest_first: ClassVar[bool] = False  # whether the first click on a heading sorts downwards
    is_number: ClassVar[bool] = False  # stands to the right in tables
    is_wide_inline: ClassVar[bool] = False  # needs more room to be edited in place than to be shown
    can_be_cleared: ClassVar[bool] = True
    cleared: ClassVar[Any] = None  # what an empty cell of a file makes of a value, if it may
    comparison: ClassVar[Comparison] = TextComparison()  # how conditions of lists and rules compare values
    aggregates: ClassVar[tuple[Aggregate, ...]] = (Aggregate.COUNT, Aggregate.DISTINCT)

    # -- Custom fields in JSON -----------------------------------------------------------------------------------
    # The type in which the database compares and sorts a custom field.
    custom_column: ClassVar[type[models.Field[Any, Any]]] = models.TextField

    def read(self, stored: Any) -> Any:
        """Return the value that JSON holds; of a reference, the uid."""
        return str(stored)

    def store(self, value: Any) -> Any:
        """Return what JSON holds of a value that is not empty."""
        return value

    def explain(self, *, value: Any, field: ObjectField) -> str:
        """Return what is wrong with a value of a custom field that is not empty; empty if nothing."""
        if not isinstance(value, str):
            return "Enter a text."
        if field.max_length is not None and len(value) > field.max_length:
            return f"Enter at most {field.max_length:,} characters; these are {len(value):,}."
        return ""

    def build_value(self, field: ObjectField, lead: str = "") -> Combinable:
        """Return the expression by which the database sorts and compares a custom field.

        `lead` is the look-up to the record that has it, such as `site__`; empty for the row itself.
        """
        # Not a look-up path: Django would read the two underscores of the API name as a step into the JSON. A cast, so
        # that it does not apply its JSON look-ups.
        return Cast(KeyTextTransform(field.api_name, f"{lead}custom_fields"), self.custom_column())

    # -- Comparing -----------------------------------------------------------------------------------------------
    def is_same(self, *, present: Any, value: Any, field: ObjectField) -> bool:
        """Whether a record's value and a new one are the same."""
        return bool(self.get_key(present, field=field) == self.get_key(value, field=field))

    def get_key(self, value: Any, *, field: ObjectField) -> Any:
        """Return what two values are compared by."""
        del field
        return None if value in EMPTY else value

    def trim(self, value: Any) -> Any:
        """Return a value to the precision that its input has, in which it comes back from an untouched form."""
        return value

    # -- People --------------------------------------------------------------------------------------------------
    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        """Return a value that is not empty in words, in the active time zone."""
        del field, shape
        return describe_plainly(value)

    def find_link(self, value: Any) -> str:
        """Return the address outside the Vault that a value is; empty if it is none."""
        del value
        return ""

    # -- Forms ---------------------------------------------------------------------------------------------------
    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        """Return the form field, which reads one text: what people type, or what the widget makes of its inputs.

        `common` is its label, help text and whether it is required.
        """
        raise NotImplementedError

    def build_edit_field(self, asked: Asked, **common: Any) -> forms.Field:
        """Return the form field of a bulk edit, which has to tell a new value from none."""
        return self.build_form_field(asked, **common)

    def explain_missing(self, made: forms.Field) -> str:
        """Return what to do in a form field of this kind that is empty and must not be."""
        return f"Fill in {made.label}."

    # -- Values of a list ----------------------------------------------------------------------------------------
    def list_chosen(self, value: Any) -> tuple[str, ...]:
        """Return which values of the field's list a value is or contains."""
        del value
        return ()

    def explain_retired(self, *, value: Any, present: Any, field: ObjectField) -> str:
        """Return why a value cannot be chosen because it is retired and not present before; empty if it can."""
        new = [each for each in self.list_chosen(value) if each not in self.list_chosen(present)]
        retired = next((each for each in new if each in field.retired), None)
        if retired is None:
            return ""
        offered = ", ".join(label for _, label in field.offered)
        return f"“{field.choice_labels[retired]}” is retired. Choose one of: {offered}."

    # -- Defaults of custom fields -------------------------------------------------------------------------------
    def read_default(self, *, text: str, field: ObjectField, user: User) -> Any:
        if not text.strip():
            return None
        value = self._build_default_field(field=field, user=user).clean(text)
        if value in EMPTY:
            return None
        problem = self.explain(value=value, field=field)
        if problem := problem or self.explain_retired(value=value, present=None, field=field):
            raise ValidationError(problem)
        return self.store(value)

    def show_default(self, *, stored: Any, field: ObjectField) -> str:
        made = self._build_default_field(field=field, user=User())
        return str(made.widget.format_value(made.prepare_value(self.read(stored))))

    def _build_default_field(self, *, field: ObjectField, user: User) -> forms.Field:
        configuration = load_configuration()
        # Only references ask what the user sees; of which object the field is makes no difference to them.
        shape = configuration.get(list_record_objects()[0].api_name)
        asked = Asked(access=ObjectAccess(user=user, shape=shape, configuration=configuration), field=field)
        return self.build_form_field(asked, label=field.label, required=False)

    # -- Imported and exported files -----------------------------------------------------------------------------
    export_width: ClassVar[int] = 24  # characters of a column of a workbook

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        """Return the cell of a value that is not empty."""
        del zone
        return self.format(value=value, field=field, shape=shape)

    def advise(self, field: ObjectField) -> str:
        """Return what to write into a cell."""
        return f"At most {field.max_length:,} characters." if field.max_length else "Any text."

    def find_remedy(self, text: str) -> str:
        """Return what to write instead of a text that cannot be read; empty if the form field says it."""
        del text
        return ""

    def split_unit(self, text: str) -> tuple[str, str]:
        """Return the number in a cell, and its unit, such as a currency; the unit is empty if there is none."""
        return text, ""

    def fits_unit(self, *, number: Decimal, unit: str) -> bool:
        """Whether a number as written can be one of the unit: none in euros has three decimals."""
        del number, unit
        return True

    def adapt_import_field(self, made: forms.Field) -> None:
        """Let a form field read what exported files have."""

    def says_present(self, *, text: str, present: Any, shown: str) -> bool:
        """Whether a cell is what an export shows of the record's value, of which it leaves something out."""
        del text, present, shown
        return False

    # -- The API -------------------------------------------------------------------------------------------------
    json_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}
    json_component: ClassVar[str] = ""  # name under which the OpenAPI document keeps the schema

    def build_api_field(
        self,
        *,
        field: ObjectField,
        shape: ObjectShape,
        model_field: models.Field[Any, Any] | None,
        **common: Any,
    ) -> ApiField:
        """Return the serializer field that reads values; `common` says whether they are required, and what they are."""
        raise NotImplementedError

    def describe_json(self, choices: Sequence[str]) -> dict[str, Any]:
        """Return the JSON schema of a value as the API shows it; `choices` are those of its list, if it has one."""
        del choices
        return dict(self.json_schema)

    def to_json(self, value: Any) -> Any:
        """Return a value as the API shows it; null for an empty one."""
        return show_plainly(value)

    def is_same_json(self, *, value: Any, shown: Any) -> bool:
        """Whether what a client sends is what the API showed."""
        return type(value) is type(shown) and bool(value == shown)

    # -- CRMs ----------------------------------------------------------------------------------------------------
    crm_type: ClassVar[CrmType] = CrmType.TEXT

    def to_crm(self, stored: Any) -> Any:
        """Return what a field rule copies of what a record holds: of a custom field, its JSON."""
        return stored

    def split_for_crm(self, stored: Any) -> Sequence[Any]:
        """Return the values of which a field rule maps each by itself."""
        return (stored,)

    def join_for_crm(self, mapped: Sequence[Any]) -> Any:
        """Return what is sent of the values that were mapped."""
        return mapped[0] if mapped else None


AnyKind = TypeVar("AnyKind", bound=type[Kind])


def register_kind(kind: AnyKind) -> AnyKind:
    """Register the kind: the decorator of its class."""
    registry.register_kind(kind())
    return kind


def kind_of(field: ObjectField) -> Kind:
    """Return the kind of a field."""
    kind = registry.get_kind(field.kind)
    if not isinstance(kind, Kind):
        raise TypeError(f"{field.kind} is no kind of ctms.records.")
    return kind


@lru_cache(maxsize=4096)
def _describe_day(day: dt.date, _language: str) -> str:
    """Return a day in words. Days repeat from row to row and page to page, and Django takes its time with each."""
    return formats.date_format(day, "DATE_FORMAT")


def describe_plainly(value: Any) -> str:
    """Return a value in words by its Python type, in the active time zone."""
    if isinstance(value, dt.datetime):
        return formats.date_format(to_zone(value), "DATETIME_FORMAT")
    if isinstance(value, dt.date):
        return _describe_day(value, get_language() or "")
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def show_plainly(value: Any) -> Any:
    """Return a value in JSON by its Python type: times in UTC, empty text as null."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, UUID):
        return str(value)
    return None if value == "" else value
