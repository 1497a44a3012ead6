"""Forms that dismiss exception items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from unfold.widgets import UnfoldAdminTextareaWidget

from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_REASON = ExceptionItem._meta.get_field("dismissal_reason").max_length


class DismissalForm(forms.Form):
    """Asks why an item needs no correction."""

    reason = forms.CharField(
        label="Reason",
        max_length=_LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Why this needs no correction. It stays with the item and in the audit trail.",
        error_messages={"required": "Reason: say why this needs no correction."},
    )


class DismissSelectedForm(DismissalForm):
    """Asks for a reason for several items; posted to their list again, with the action and the selection."""

    action = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: object = None, *, action: str, keys: Iterable[int]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["action"].initial = action
        self.fields[ACTION_CHECKBOX_NAME] = forms.MultipleChoiceField(
            choices=[(str(key), str(key)) for key in keys], initial=list(keys), widget=forms.MultipleHiddenInput
        )
