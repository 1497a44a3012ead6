"""The form of the daily digest."""

from __future__ import annotations

from django import forms

_NEVER = ""


class DigestForm(forms.Form):
    """Asks at what hour the digest comes."""

    hour = forms.TypedChoiceField(
        label="It comes at",
        choices=[(_NEVER, "Never"), *((hour, f"{hour:02}:00") for hour in range(24))],
        coerce=int,
        empty_value=None,
        required=False,
    )
