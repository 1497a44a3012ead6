"""The form of an audited record: the audited writer validates and saves, and the form shows its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.db import models
from django.forms.models import construct_instance
from django.utils.text import capfirst
from unfold.widgets import UnfoldAdminTextInputWidget

from ctms.audit.reasons import LONGEST_REASON, PARAMETER, list_reasoned
from ctms.core.text.forms import FitTextsMixin

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm


class AuditedModelForm(FitTextsMixin, _ModelForm):
    """A form that holds the version it was filled from, so that saving over somebody else's change is refused.

    The record itself is validated once, by the writer, after it has filled the fields that follow from others. The
    writer's errors come back in `refusals`, by form prefix, and are shown beside their fields; the input is kept.
    """

    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    refusals: ClassVar[Mapping[str | None, ValidationError]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["read_version"] = self.instance.version
            if reasoned := list_reasoned(type(self.instance)):
                needed = "every change" if "" in reasoned else ", ".join(reasoned.values())
                self.fields[PARAMETER] = forms.CharField(
                    label="Reason for change",
                    required=False,
                    max_length=LONGEST_REASON,
                    widget=UnfoldAdminTextInputWidget,
                    help_text=f"Needed for {needed}. It stands in the audit trail.",
                )

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        if self.instance.pk is not None and self.cleaned_data.get("read_version") is None:
            raise ValidationError("The form came without the record's version. Reload the page and enter it again.")
        return cleaned

    def _post_clean(self) -> None:
        # Instead of Django's, which would validate the record before the writer has completed it.
        meta = self._meta
        self.instance = construct_instance(self, self.instance, meta.fields, meta.exclude)
        refusal = self.refusals.get(self.prefix)
        if refusal is not None:
            self._show_refusal(refusal)

    def _show_refusal(self, refusal: ValidationError) -> None:
        by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {NON_FIELD_ERRORS: refusal.error_list}
        for name, found in by_field.items():
            # Django's own message, "This field cannot be null", is not one for users.
            errors = [ValidationError("This field is required.") if e.code == "null" else e for e in found]
            if name in self.fields:
                self.add_error(name, ValidationError(errors))
            elif name == NON_FIELD_ERRORS:
                self.add_error(None, ValidationError(errors))
            else:
                label = get_field_label(model=type(self.instance), name=name)
                self.add_error(None, ValidationError([f"{label}: {m}" for m in ValidationError(errors).messages]))


def get_field_label(*, model: type[models.Model], name: str) -> str:
    """Return the label of a model's field."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    return str(capfirst(str(getattr(field, "verbose_name", name))))
