"""Reads dates that people type where a browser has no date picker, and says how they were read."""

from __future__ import annotations

import datetime as dt
import re

from django.core.exceptions import ValidationError
from django.utils import formats

from ctms.core.text.dates import DateOrder, has_short_year, read_moment, read_numeric

# What inputs send, and a bare number, which is a serial number in a file alone.
_LEFT_ALONE = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)|\d+([.,]\d+)?$")


class TypedDate:
    """A part of form fields for dates: `told` is how the text was read, if it could have been meant otherwise."""

    told = ""

    def read_typed(self, text: str) -> dt.datetime | None:
        """Return the moment on the wall that was typed, and tell how; None if the form field reads it itself, or not.

        Raises ValidationError for a date that has the month first.
        """
        self.told = ""
        text = text.strip()
        if _LEFT_ALONE.match(text):
            return None
        numeric = read_numeric(text)
        moment = read_moment(text, order=DateOrder.DAY_FIRST)
        if moment is None and numeric is not None and (other := numeric.read(DateOrder.MONTH_FIRST)) is not None:
            day = other.date()
            raise ValidationError(
                f"Dates are read with the day first, and there is no month {numeric.numbers[1]}. If {text} is "
                f"{formats.date_format(day)}, write that.",
                code="month_first",
            )
        if moment is None:
            return None
        is_ambiguous = numeric is not None and numeric.is_ambiguous
        if is_ambiguous or has_short_year(text):
            shown = formats.date_format(moment.date())
            self.told = f"{text} was read as {shown}{', with the day first' if is_ambiguous else ''}."
        return moment
