"""Forms that take texts in the form in which the Vault keeps them, and refuse what cannot be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from ctms.core.text.characters import explain_unfit, normalise_text

if TYPE_CHECKING:
    _Form = forms.BaseForm
else:
    _Form = object


class FitTextsMixin(_Form):
    """Normalises each text of a form, and names the character that cannot be kept. Secrets stay as they were typed."""

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        for name, value in list(self.cleaned_data.items()):
            widget = self.fields[name].widget if name in self.fields else None
            if not isinstance(value, str) or widget is None or isinstance(widget, forms.PasswordInput):
                continue
            has_lines = isinstance(widget, forms.Textarea)
            text = normalise_text(value, has_lines=has_lines)
            self.cleaned_data[name] = text
            if problem := explain_unfit(text, has_lines=has_lines):
                self.add_error(name, problem)
        return self.cleaned_data
