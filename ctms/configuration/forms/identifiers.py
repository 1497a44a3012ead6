"""The choice of the field that identifies a person, for Application Settings and for connections."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget

from ctms.audit.forms import AuditedModelForm
from ctms.configuration.account_identifiers import list_account_choices
from ctms.configuration.fields import ObjectField
from ctms.configuration.identifiers import find_identifier_problem, list_identifying_fields

_ACCOUNT = "crm_account_identifier"
_NAME = "clinical_person_identifier"


class PersonIdentifierForm(AuditedModelForm):
    """A form with *Clinical Person Identifier* and *CRM Account Identifier*.

    A stored field that was removed or made inactive stays chosen until somebody chooses another one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get(_NAME)
        if isinstance(field, forms.CharField):
            typed = self.data.get(self.add_prefix(_NAME), "") if self.is_bound else ""
            field.widget = UnfoldAdminSelectWidget(choices=self._list_choices(typed.strip()))
            field.help_text = (
                "The Person field that identifies a person in the CRM: its values are unique, case counts."
            )

        account = self.fields.get(_ACCOUNT)
        choices = self.list_account_choices()
        if account is not None and choices:
            stored = str(self.initial.get(_ACCOUNT) or "")
            typed = self.data.get(self.add_prefix(_ACCOUNT), "").strip() if self.is_bound else stored
            kept = [(each, each) for each in dict.fromkeys((stored, typed)) if each and each not in dict(choices)]
            account.widget = UnfoldAdminSelect2Widget(choices=[("", "–"), *kept, *choices])
            account.help_text = "The field of the account with the same value, as the CRM described its fields."

    def list_account_choices(self) -> list[tuple[str, str]]:
        """Return the fields of accounts to choose from; empty if names have to be typed."""
        return list_account_choices()

    def clean_clinical_person_identifier(self) -> str:
        name = str(self.cleaned_data[_NAME]).strip()
        problem = find_identifier_problem(name)
        if problem and name != self._get_stored():
            raise ValidationError(problem)
        return name

    def clean_crm_account_identifier(self) -> str:
        return str(self.cleaned_data["crm_account_identifier"]).strip()

    def _get_stored(self) -> str:
        return str(self.initial.get(_NAME) or "")

    def _list_choices(self, typed: str) -> list[tuple[str, Any]]:
        fields = list_identifying_fields()
        offered = {field.api_name for field in fields}
        groups = {
            "Standard fields": [_describe(field) for field in fields if not field.is_custom],
            "Custom fields": [_describe(field) for field in fields if field.is_custom],
            "Cannot identify persons": [
                (name, name) for name in dict.fromkeys((self._get_stored(), typed)) if name and name not in offered
            ],
        }
        return [("", "–"), *((label, choices) for label, choices in groups.items() if choices)]


def _describe(field: ObjectField) -> tuple[str, str]:
    return field.api_name, f"{field.label} ({field.api_name})"
