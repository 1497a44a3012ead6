"""Forms of a report's sharing: who has which role, as whom it runs, and who owns it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ctms.accounts.models import SecurityProfile, User
from ctms.accounts.policies import has_permission
from ctms.core.choices import RecordStatus
from ctms.reports.choices import ShareRole
from ctms.reports.models import Report, ReportShare

_ROLE_HELP = "Viewers run it, editors change it, owners share and delete it, too. Each as far as the profile allows."


class ShareForm(forms.Form):
    """A role for a user or for all users of a profile."""

    user = forms.ModelChoiceField(queryset=User.objects.none(), required=False, empty_label="Nobody by name")
    profile = forms.ModelChoiceField(
        label="All users of a profile",
        queryset=SecurityProfile.objects.none(),
        required=False,
        empty_label="No profile",
    )
    role = forms.ChoiceField(choices=ShareRole.choices, initial=ShareRole.VIEWER, help_text=_ROLE_HELP)

    def __init__(self, *args: Any, report: Report, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shared = ReportShare.objects.filter(report=report)
        self._choose("user").queryset = (
            User.objects.filter(is_active=True, security_profile__isnull=False)
            .exclude(pk=report.owner_id)
            .exclude(pk__in=shared.filter(user__isnull=False).values("user"))
        )
        self._choose("profile").queryset = SecurityProfile.objects.filter(status=RecordStatus.ACTIVE).exclude(
            pk__in=shared.filter(profile__isnull=False).values("profile")
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("user")) == bool(cleaned.get("profile")) and not self.errors:
            raise ValidationError("Choose a user or a profile, one of the two.")
        return cleaned

    def _choose(self, name: str) -> Any:
        return self.fields[name]


class TransferForm(forms.Form):
    """The new owner of a report."""

    owner = forms.ModelChoiceField(
        label="New owner",
        queryset=User.objects.none(),
        empty_label="Choose a user",
        help_text="The owner until now stays its editor. It shows its readers their own rows, until the new owner "
        "decides otherwise.",
    )

    def __init__(self, *args: Any, report: Report, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["owner"]
        choice.queryset = User.objects.filter(is_active=True).exclude(pk=report.owner_id)

    def clean_owner(self) -> User:
        owner: User = self.cleaned_data["owner"]
        if owner.has_ended or not has_permission(user=owner, permission="report__sys:edit"):
            raise ValidationError(f"The security profile of {owner} does not allow to edit reports. Choose another.")
        return owner


def list_report_shares(report: Report) -> list[ReportShare]:
    """Return who has which role in the report: users by name, then profiles."""
    shares = ReportShare.objects.filter(report=report).select_related("user", "profile", "report")
    return sorted(shares, key=lambda each: (each.user is None, str(each.user or each.profile).casefold()))
