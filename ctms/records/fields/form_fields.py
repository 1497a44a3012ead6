"""Form fields for each field kind. They read what people type in a page, a file or a bulk edit.

`clean()` returns the value that `services.write_values` takes: references as records, empty as None or "".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.kept_lengths import KeptTextField
from ctms.records.fields.limits import BEYOND, EARLIEST, LATEST, MOST_DIGITS
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.values import format_value, to_zone
from ctms.records.fields.yes_no_words import read_yes_no

# Seldom seen, since most browsers have a date picker.
_NO_DATE = {"invalid": "This is no date. Write it as 2026-03-31 or 31 Mar 2026."}
_NO_TIME = {"invalid": "This is no time. Write it as 2026-03-31 14:05."}
_NO_NUMBER = {"invalid": "This is no number. Write it as 1234.5."}
_NO_WHOLE_NUMBER = {"invalid": "This is no whole number. Write it as 1234."}


class TypedDateInput(forms.DateInput):
    """The browser's date picker; a plain text input if the value is not a date, which a picker would not show."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        try:
            dt.date.fromisoformat(context["widget"]["value"] or "2000-01-01")
        except ValueError:
            context["widget"]["type"] = "text"
        return context


class SegmentedInput(forms.RadioSelect):
    """Radio buttons side by side as one control, with icons."""

    template_name = "records/widgets/segments.html"

    def __init__(self, *, choices: Any, icons: Mapping[str, str]) -> None:
        super().__init__(choices=choices)
        self.icons = icons

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        return option | {"icon": self.icons.get(str(option["value"]), "")}


class TextField(KeptTextField):
    """Text with its line ends normalised to line feeds."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class PicklistField(forms.ChoiceField):
    """One of the choices, given by value, or by label in any case."""

    def list_choices(self) -> list[tuple[str, str]]:
        """Return the choices without the empty one."""
        return [(str(key), str(label)) for key, label in self.choices if key]  # type: ignore[union-attr,misc]

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value)).strip()
        values = {label.casefold(): key for key, label in self.list_choices()}
        return values.get(text.casefold(), text)

    def validate(self, value: Any) -> None:
        if value and not self.valid_value(value):
            labels = ", ".join(label for _, label in self.list_choices())
            raise ValidationError(f"“{value}” is none of the choices: {labels}.")
        forms.Field.validate(self, value)


class YesNoField(forms.BooleanField):
    """Yes or no, in any of the words that people and files use, such as “true” or “n”."""

    def to_python(self, value: Any) -> bool:
        text = str(value or "").strip()
        if not text or text.casefold() == "none":
            return False
        meant = read_yes_no(text)
        if meant is not None:
            return meant
        raise ValidationError(f"“{value}” is neither Yes nor No.")


class MomentField(forms.DateTimeField):
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


def build_form_field(
    *,
    access: ObjectAccess,
    field: ObjectField,
    object_type: str = "",
    chosen: Mapping[str, Any] | None = None,
    present: Any = None,
) -> forms.Field:
    """Build the form field of an object's field.

    `chosen` maps other references to uids, which limit the choices. `present` is the record's value from `read_value`,
    which may stay even if it could not be chosen now.
    """
    shape = access.shape.get_type(object_type)
    required = field.is_required or field.api_name in shape.required
    common: dict[str, Any] = {
        "label": field.label,
        "help_text": field.help_text,
        "required": required,
    }
    if field.kind == FieldKind.REFERENCE:
        return ReferenceField(access=access, field=field, chosen=chosen, present=present, **common)
    if field.kind == FieldKind.PICKLIST:
        return PicklistField(choices=_list_picklist(access=access, field=field, present=present), **common)
    if field.kind == FieldKind.NUMBER:
        return _build_number_field(field=field, common=common)
    if field.kind == FieldKind.DATETIME:
        entry = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        return MomentField(present=present, widget=entry, error_messages=_NO_TIME, **common)
    if field.kind in _PLAIN:
        return _PLAIN[field.kind](common)
    widget = forms.Textarea(attrs={"rows": 5}) if field.kind == FieldKind.LONG_TEXT else forms.TextInput()
    return TextField(max_length=field.max_length, widget=widget, **common)


_PLAIN: Mapping[FieldKind, Callable[[dict[str, Any]], forms.Field]] = {
    FieldKind.YES_NO: lambda common: YesNoField(**common | {"required": False}),
    FieldKind.DATE: lambda common: forms.DateField(
        widget=TypedDateInput(attrs={"type": "date"}, format="%Y-%m-%d"), error_messages=_NO_DATE, **common
    ),
}


def _build_number_field(*, field: ObjectField, common: dict[str, Any]) -> forms.Field:
    if field.is_whole:
        return forms.IntegerField(error_messages=_NO_WHOLE_NUMBER, **common)
    widget = forms.NumberInput(attrs={"step": "any"})
    most_digits = MOST_DIGITS if field.is_custom else None
    return forms.DecimalField(max_digits=most_digits, widget=widget, error_messages=_NO_NUMBER, **common)


def _list_picklist(*, access: ObjectAccess, field: ObjectField, present: Any) -> list[tuple[str, str]]:
    choices = list(field.choices)
    if field.api_name == OBJECT_TYPE:
        choices = [(each.api_name, each.label) for each in access.list_creatable_types()]
    if present and str(present) not in dict(choices):
        choices.append((str(present), format_value(value=present, field=field, shape=access.shape)))
    return [("", "–"), *choices]
