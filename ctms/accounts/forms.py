"""Forms of the log-in, password and profile pages."""

from __future__ import annotations

import zoneinfo
from itertools import groupby
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from ctms.accounts.models import FeedContents, Theme, TokenScope, User
from ctms.accounts.sessions import has_just_logged_in
from ctms.accounts.tokens import LONGEST_DAYS
from ctms.core.rate_limits import TooManyRequestsError

_DEFAULT_DAYS = 90
_UTC = "UTC"
# Names that exist only for compatibility, and zones that are no place.
_NOT_OFFERED = ("Etc/", "SystemV/", "US/", "Brazil/", "Canada/", "Chile/", "Mexico/", "posix/", "right/")


class LogInForm(AuthenticationForm):
    """Says when no password is checked any more (why: `refusal`), and after a right one, that the account has ended."""

    refusal: TooManyRequestsError | None = None

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except TooManyRequestsError as error:
            self.refusal = error
            raise ValidationError(str(error), code="too_many_requests") from error

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if user.has_ended:
            user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=self.request)
            raise ValidationError(user.end_explanation, code="ended")


class VaultPasswordChangeForm(PasswordChangeForm):
    """Django's form, whose old password counts as a log-in does; `refusal` is why it is not checked any more."""

    refusal: TooManyRequestsError | None = None

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        try:
            found = authenticate(self._request, username=self.user.get_username(), password=password)
        except TooManyRequestsError as error:
            self.refusal = error
            raise ValidationError(str(error), code="too_many_requests") from error
        if found != self.user:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class CodeForm(forms.Form):
    """Asks for a code of the second factor; `refusal` is why no code is checked any more."""

    refusal: TooManyRequestsError | None = None

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
        error_messages={"required": "Enter the code that the app shows now."},
    )


class PasswordAndCodeForm(CodeForm):
    """Asks for the password, too, which counts as a log-in does, unless the user has just logged in.

    Without it a session that was left open would give itself, or lose, the second factor. Nobody but who knows the
    password learns whether the code was right.
    """

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request
        # Whoever has none, because an identity provider logs them in, logs in again.
        self.needs_new_log_in = False
        if not has_just_logged_in(request.session):
            self.needs_new_log_in = not (isinstance(user := request.user, User) and user.has_usable_password())
            self.fields["password"] = forms.CharField(
                label="Password",
                strip=False,
                widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
                error_messages={"required": "Enter your password."},
            )
            self.fields["code"].widget.attrs.pop("autofocus")
            self.order_fields(["password", "code"])

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            found = authenticate(self._request, username=self._request.user.get_username(), password=password)
        except TooManyRequestsError as error:
            self.refusal = error
            raise ValidationError(str(error), code="too_many_requests") from error
        if found != self._request.user:
            raise ValidationError("This is not your password.", code="password_incorrect")
        return password


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
        help_texts = {"without_shortcuts": "Else / leads to the search and ? shows all keys, outside of fields."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.localtime().strftime("%H:%M")
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone",
            choices=list_zones(present=self.instance.time_zone),
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


class FeedForm(forms.Form):
    """Asks what a calendar feed shows."""

    contents = forms.ChoiceField(label="It shows", choices=FeedContents.choices, initial=FeedContents.MINE)


def list_zones(*, present: str) -> list[tuple[str, Any]]:
    """Return the time zones by region, UTC and the present one first."""
    names = {name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(_NOT_OFFERED)}
    first = list(dict.fromkeys([_UTC, present] if present not in names else [_UTC]))
    regions = groupby(sorted(names), key=lambda name: name.partition("/")[0])
    return [
        *[(name, name) for name in first],
        *[(region, [(name, name.partition("/")[2].replace("_", " ")) for name in found]) for region, found in regions],
    ]
