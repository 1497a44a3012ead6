"""The form of a saved view."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ctms.records.models import SavedView

NAME_IS_TAKEN = "You have a view of this name. Choose another name, or open that view and replace it."


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for a view's name, whether it is shared, and whether the user's list opens with it."""

    is_default = forms.BooleanField(
        label="Open the list with this view", required=False, help_text="Whenever you come to it by its tab."
    )

    class Meta:
        model = SavedView
        fields = ("name", "is_shared")
        labels = {"is_shared": "Share with everybody"}
        help_texts = {
            "is_shared": "Others can use the view; you alone can change it. Everybody sees their own records."
        }

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        view = self.instance
        others = SavedView.objects.filter(user=view.user, of_object=view.of_object, name=name).exclude(pk=view.pk)
        if others.exists():
            raise ValidationError(NAME_IS_TAKEN)
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        longest = SavedView._meta.get_field("parameters").max_length or 0
        if len(self.instance.parameters) > longest:
            raise ValidationError("This list has too many filters to be saved as a view. Leave some of them out.")
        return cleaned
