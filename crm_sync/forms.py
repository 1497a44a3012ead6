"""Forms of what can be done to a connection."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget

KEEP, FORGET = "keep", "forget"


class RemoveConnectionForm(forms.Form):
    """What becomes of the links is the question on which a deletion turns, so it has no answer until one is given."""

    fate_of_links = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget)
    read_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, may_keep: bool, **kwargs: Any) -> None:
        """`may_keep`: whether making the connection Inactive instead is a choice that the user has."""
        super().__init__(*args, **kwargs)
        # Short, for the theme cuts what does not fit in one line of a phone.
        forget, keep = (FORGET, "Forget them: delete the connection"), (KEEP, "Keep them: make it Inactive instead")
        field: Any = self.fields["fate_of_links"]
        field.label = "What becomes of them?"
        field.choices = [keep, forget] if may_keep else [forget]
        field.error_messages["required"] = "Choose what becomes of the links."
