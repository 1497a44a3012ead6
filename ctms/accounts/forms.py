"""Forms of the log-in page and of the profile page: preferences and API tokens."""

from __future__ import annotations

import zoneinfo
from itertools import groupby
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.utils import timezone

from ctms.accounts.models import Theme, TokenScope, User
from ctms.accounts.tokens import LONGEST_DAYS

_DEFAULT_DAYS = 90
_UTC = "UTC"
# Names that exist only for compatibility, and zones that are no place.
_NOT_OFFERED = ("Etc/", "SystemV/", "US/", "Brazil/", "Canada/", "Chile/", "Mexico/", "posix/", "right/")


class LogInForm(AuthenticationForm):
    """Refuses a user whose account has ended, and says so: only after the right password."""

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if user.has_ended:
            user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=self.request)
            raise ValidationError(user.end_explanation, code="ended")


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # only the stub is generic
    """Asks for time zone, theme and shortcuts."""

    theme = forms.ChoiceField(
        choices=[("", "As the system"), (Theme.LIGHT.value, Theme.LIGHT.label), (Theme.DARK.value, Theme.DARK.label)],
        widget=forms.RadioSelect,
        required=False,
    )

    class Meta:
        model = User
        fields = ("time_zone", "theme", "without_shortcuts")
        labels = {"without_shortcuts": "Ignore single keys"}
        help_texts = {"without_shortcuts": "Else / leads to the search and l logs an activity, outside of fields."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.localtime().strftime("%H:%M")
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone",
            choices=_list_zones(present=self.instance.time_zone),
            help_text=f"Dates and times are shown in it. Now it is {now}.",
        )


class TokenForm(forms.Form):
    """Asks for the name, scope and lifetime of a new API token."""

    name = forms.CharField(
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="What will use it, e.g. Site payments export.",
    )
    scope = forms.ChoiceField(
        label="May",
        choices=[(TokenScope.READ.value, "read"), (TokenScope.WRITE.value, "read and write")],
        initial=TokenScope.READ,
        help_text="Choose what the program needs. You cannot widen it later.",
    )
    days = forms.IntegerField(
        label="Expires after (days)",
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=_DEFAULT_DAYS,
        help_text=f"1 to {LONGEST_DAYS}.",
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), f"Enter 1 to {LONGEST_DAYS} days."),
    )


def _list_zones(*, present: str) -> list[tuple[str, Any]]:
    """Return the time zones by region, UTC and the present one first."""
    names = {name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(_NOT_OFFERED)}
    first = list(dict.fromkeys([_UTC, present] if present not in names else [_UTC]))
    regions = groupby(sorted(names), key=lambda name: name.partition("/")[0])
    return [
        *[(name, name) for name in first],
        *[(region, [(name, name.partition("/")[2].replace("_", " ")) for name in found]) for region, found in regions],
    ]
