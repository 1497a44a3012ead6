"""Filters of lists that other apps use too."""

from __future__ import annotations

from typing import Any

from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.contrib.filters.forms import RangeDateTimeForm


class NamedMomentsForm(RangeDateTimeForm):
    """Unfold's form, whose four inputs have names that a screen reader says: placeholders are none."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        for end in ("from", "to"):
            date, time = self.fields[f"{name}_{end}"].widget.widgets
            date.attrs["aria-label"], time.attrs["aria-label"] = f"Date {end}", f"Time {end}"


class MomentFilter(RangeDateTimeFilter):
    """From and to a moment."""

    form_class = NamedMomentsForm
