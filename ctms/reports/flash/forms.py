"""The form of a report's schedule."""

from __future__ import annotations

from typing import Any

from django import forms

from ctms.accounts.forms import list_zones
from ctms.core.choices import RecordStatus
from ctms.reports.models import FlashReport


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # only the stub is generic
    """Asks when a report is sent, and whether also without records."""

    is_active = forms.BooleanField(label="Active", required=False, help_text="Otherwise nothing is sent.")

    class Meta:
        model = FlashReport
        fields = ("frequency", "weekday", "day", "time", "time_zone", "preference")
        widgets = {"time": forms.TimeInput(format="%H:%M", attrs={"type": "time"})}
        error_messages = {"time": {"invalid": "Enter a time such as 06:30."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["is_active"].initial = self.instance.status == RecordStatus.ACTIVE
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone",
            choices=list_zones(present=self.instance.time_zone),
            help_text="A time that does not exist, because clocks are set forward, is the next that does.",
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.instance.status = RecordStatus.ACTIVE if cleaned.get("is_active") else RecordStatus.INACTIVE
        return cleaned
