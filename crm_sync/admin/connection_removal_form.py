"""Form on the page that deletes a connection."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget

KEEP, FORGET = "keep", "forget"


class RemoveConnectionForm(forms.Form):
    """Asks whether the links are to be kept; nothing is chosen beforehand, because forgetting them cannot be undone."""

    fate_of_links = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget)
    read_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, may_keep: bool, **kwargs: Any) -> None:
        """Offer to make the connection Inactive instead if `may_keep` is true."""
        super().__init__(*args, **kwargs)
        # Short, because the theme cuts labels that are longer than a line on a phone.
        forget, keep = (FORGET, "Forget them: delete the connection"), (KEEP, "Keep them: make it Inactive instead")
        field: Any = self.fields["fate_of_links"]
        field.label = "What becomes of them?"
        field.choices = [keep, forget] if may_keep else [forget]
        field.error_messages["required"] = "Choose what becomes of the links."
