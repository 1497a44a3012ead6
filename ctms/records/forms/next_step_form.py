"""The part of a new record's form that plans the next step: in a week, in two, in a month, or on a day.

The choices are sent as days, so that a form that is sent again, or after midnight, means what it showed.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.utils import formats, timezone

from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kinds.picklist import SegmentedInput
from ctms.records.forms.form_layout import FormLayout

TITLE = "What comes next"
_LABEL = "Next step"
WHEN, DAY, TEXT = "next_step", "next_step_day", "next_step_text"
_ON_A_DAY = "day"


class NextStepForm(forms.Form):
    """When the next step is, if there is one, and what it is. `layout` is that of the record's form."""

    def __init__(self, *, layout: FormLayout, auto_id: str, data: Any = None, kept: Any = None) -> None:
        super().__init__(data=data, auto_id=auto_id, label_suffix="")
        next_step = layout.next_step
        if next_step is None:
            raise TypeError(f"{layout.access.shape.api_name} has no next step.")
        self.layout, self.next_step = layout, next_step
        today = timezone.localdate()
        self.fields[WHEN] = forms.CharField(
            label=_LABEL, required=False, widget=SegmentedInput(choices=_list_choices(today), icons={})
        )
        self.fields[DAY] = self._build(next_step.day, label="On")
        self.fields[TEXT] = self._build(next_step.text, label="What is to be done")
        self.fields[TEXT].help_text = f"Left empty: {layout.access.shape.fields[next_step.text].label} as above."
        self.initial[WHEN] = ""
        if kept is not None:
            self.initial.update({name: kept[name] for name in self.fields if name in kept})

    def _build(self, name: str, *, label: str) -> forms.Field:
        access = self.layout.access
        made = build_form_field(access=access, field=access.shape.fields[name], object_type=self.layout.object_type)
        made.label, made.required = label, False
        return made

    def list_bound(self) -> Iterator[BoundField]:
        """Return the inputs in their order."""
        return iter(self)

    def clean(self) -> dict[str, Any]:
        super().clean()
        typed, day = self.cleaned_data.get(WHEN, ""), self.cleaned_data.get(DAY)
        if typed and typed != _ON_A_DAY:
            try:
                day = dt.date.fromisoformat(typed)
            except ValueError:
                self.add_error(WHEN, "Choose when the next step is, or that there is none.")
                return self.cleaned_data
        elif typed and day is None and DAY not in self.errors:
            self.add_error(DAY, ValidationError("Enter the day of the next step, such as 2026-03-31.", code="required"))
        if day is not None and day <= timezone.localdate():
            self.add_error(
                DAY if typed in ("", _ON_A_DAY) else WHEN, "The next step is to come: choose a day after today."
            )
        self.cleaned_data[DAY] = day
        return self.cleaned_data

    @property
    def day(self) -> dt.date | None:
        """The day of the next step, once the form is valid; None if there is none."""
        found: dt.date | None = self.cleaned_data.get(DAY) if self.is_bound and self.is_valid() else None
        return found

    def read_values(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the values of the next step, from those of the new record; None if there is none.

        Of custom fields, only what the record cannot be saved without is taken over.
        """
        if self.day is None:
            return None
        shape, object_type = self.layout.access.shape, self.layout.object_type
        assigned, required = shape.get_type(object_type).fields, shape.get_type(object_type).required
        kept = {
            name: value
            for name, value in values.items()
            if name not in self.next_step.without and (not shape.fields[name].is_custom or name in required)
        }
        built = {
            name: value for name, value in self.next_step.build(self.layout.access.user).items() if name in assigned
        }
        text = {self.next_step.text: self.cleaned_data[TEXT]} if self.cleaned_data.get(TEXT) else {}
        return {**kept, **built, **text, self.next_step.day: self.day}

    @property
    def told(self) -> list[str]:
        """When the next step is planned, in a sentence."""
        return [f"{_LABEL} planned for {formats.date_format(self.day)}."] if self.day is not None else []


def _list_choices(today: dt.date) -> list[tuple[str, str]]:
    offered = [("1 week", today + dt.timedelta(weeks=1)), ("2 weeks", today + dt.timedelta(weeks=2))]
    offered.append(("1 month", _add_month(today)))
    return [
        ("", "None"),
        *((day.isoformat(), f"{label}, {formats.date_format(day, 'j M')}") for label, day in offered),
        (_ON_A_DAY, "On a day"),
    ]


def _add_month(day: dt.date) -> dt.date:
    """Return the same day of the next month, or its last day."""
    following = day.replace(day=1) + dt.timedelta(days=calendar.monthrange(day.year, day.month)[1])
    last = calendar.monthrange(following.year, following.month)[1]
    return following.replace(day=min(day.day, last))
