"""A date and time: a moment, shown in the time zone of who looks at it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from rest_framework import serializers

from ctms.audit.words import DATETIME
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.comparisons import MomentComparison
from ctms.records.fields.comparing.moments import to_zone
from ctms.records.fields.kinds.base import (
    API_MESSAGES,
    Aggregate,
    ApiField,
    Asked,
    Cell,
    CrmType,
    Kind,
    register_kind,
)
from ctms.records.fields.limits import BEYOND, EARLIEST, LATEST
from ctms.records.fields.typed_dates import TypedDate

_NO_TIME = {"invalid": "This is no time. Write it as 2026-03-31 14:05."}
_SEND_TIME = "Send a date and time as YYYY-MM-DDThh:mm:ssZ, in quotes."
# The formats in which lists and exports show a time.
_SHOWN_TIMES = ("%d %b %Y, %H:%M", "%d %b %Y %H:%M", "%d/%m/%Y %H:%M")


class MomentField(TypedDate, forms.DateTimeField):
    """A date and time in the active time zone, shown to the minute; `clean()` returns it in UTC.

    `present` is the record's value: an unchanged text keeps it with its seconds. In the hour that is repeated when
    summer time ends, any other text means the first of the two moments.
    """

    def __init__(self, *, present: dt.datetime | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.present = present

    def prepare_value(self, value: Any) -> Any:
        return to_zone(value).replace(tzinfo=None) if isinstance(value, dt.datetime) else value

    def to_python(self, value: Any) -> dt.datetime | None:
        typed = self.read_typed(value) if isinstance(value, str) else None
        if typed is not None:
            value = typed.isoformat(" ")
        try:
            moment = super().to_python(value)
        except ValidationError as error:
            if all(each.code != "ambiguous_timezone" for each in error.error_list):
                raise
            moment = self._read_repeated(value)
            if moment is None:
                raise
        if moment is None:
            return None
        if self.present is not None and _tell_wall_time(moment) == _tell_wall_time(self.present, to_the_minute=True):
            return self.present
        if not EARLIEST <= moment <= LATEST:
            raise ValidationError(BEYOND, code="beyond")
        return moment.astimezone(dt.UTC)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            moment = self.to_python(data)
        except ValidationError:
            return True
        return moment not in (initial, self.present) if moment else initial is not None

    def _read_repeated(self, value: Any) -> dt.datetime | None:
        """Return the first of two moments with the same local time; None in the hour that summer time skips."""
        with timezone.override(dt.UTC):
            wall = super().to_python(value)
        moment = wall.replace(tzinfo=timezone.get_current_timezone()) if wall else None
        is_real = moment is not None and _tell_wall_time(to_zone(moment, dt.UTC)) == _tell_wall_time(moment)
        return moment if is_real else None


def _tell_wall_time(moment: dt.datetime, *, to_the_minute: bool = False) -> dt.datetime:
    wall = to_zone(moment).replace(tzinfo=None, fold=0)
    return wall.replace(second=0, microsecond=0) if to_the_minute else wall


class MomentInput(serializers.DateTimeField):
    """Reads a date and time in ISO 8601 format; in UTC unless it names an offset."""

    default_error_messages = {
        **API_MESSAGES,
        "invalid": _SEND_TIME,
        "date": _SEND_TIME,
        "beyond": f"Send a moment between {EARLIEST.date()} and {LATEST.date()}.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=dt.UTC, **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.fail("invalid", format="")
        moment = super().to_internal_value(value)
        if not EARLIEST <= moment <= LATEST:
            self.fail("beyond")
        return moment


@register_kind
class DatetimeKind(Kind):
    """A moment."""

    name = "datetime"
    label = "Date and time"
    model_fields = (models.DateTimeField,)
    custom_names = {"datetime": "Date and time"}
    audit_kind = DATETIME
    is_newest_first = True
    is_day = True
    is_groupable = True
    is_moment = True
    comparison = MomentComparison()
    aggregates = (Aggregate.COUNT, Aggregate.DISTINCT, Aggregate.LEAST, Aggregate.GREATEST)
    export_width = 19
    json_schema = {"type": "string", "format": "date-time"}
    crm_type = CrmType.MOMENT

    def read(self, stored: Any) -> dt.datetime:
        return dt.datetime.fromisoformat(stored)

    def store(self, value: Any) -> str:
        return str(value.astimezone(dt.UTC).isoformat())

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            return "Enter a date and time with its time zone."
        return "" if EARLIEST <= value <= LATEST else BEYOND

    def trim(self, value: Any) -> Any:
        # The input has no seconds; with them, the value would seem to have changed.
        return value.replace(second=0, microsecond=0) if isinstance(value, dt.datetime) else value

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        entry = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        return MomentField(present=asked.present, widget=entry, error_messages=_NO_TIME, **common)

    def explain_missing(self, made: forms.Field) -> str:
        del made
        return "Enter a date and time, such as 2026-03-31 14:05."

    def write_cell(self, *, value: Any, field: ObjectField, shape: ObjectShape, zone: dt.tzinfo) -> Cell:
        del field, shape
        return to_zone(value, zone).replace(tzinfo=None, microsecond=0)

    def advise(self, field: ObjectField) -> str:
        del field
        return "A time in your time zone, as 2026-03-31 14:05."

    def find_remedy(self, text: str) -> str:
        return f"“{text}” is no time. Write it as 2026-03-31 14:05."

    def adapt_import_field(self, made: forms.Field) -> None:
        if isinstance(made, MomentField):
            made.input_formats = [*(made.input_formats or ()), *_SHOWN_TIMES]

    def says_present(self, *, text: str, present: Any, shown: str) -> bool:
        if present is None:
            return False
        return text in (shown, to_zone(present).replace(tzinfo=None, microsecond=0).isoformat(" "))

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del field, shape, model_field
        return MomentInput(**common)

    def is_same_json(self, *, value: Any, shown: Any) -> bool:
        if shown is None:
            return value is None
        try:
            return isinstance(value, str) and dt.datetime.fromisoformat(value) == dt.datetime.fromisoformat(shown)
        except (ValueError, TypeError):
            return False
