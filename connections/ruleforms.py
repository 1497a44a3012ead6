"""The form that adds a field rule."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from connections.choices import FieldRuleKind
from connections.models import IntegrationRule
from connections.models.integrations import validate_crm_name
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import Configuration, ObjectShape

_Choices = list[tuple[str, Any]]
_UNFILLED = frozenset({"uid__sys", OBJECT_TYPE, "status__v"})


class AddFieldRuleForm(forms.Form):
    """Source and target of a new field rule: Vault fields are chosen from a list, CRM fields are typed."""

    def __init__(
        self, data: Any = None, *, rule: IntegrationRule, kind: FieldRuleKind, configuration: Configuration
    ) -> None:
        super().__init__(data)
        self._kind = kind
        shape = configuration.get(rule.vault_object)
        inbound = rule.integration.is_inbound
        if kind == FieldRuleKind.CONSTANT:
            self.fields["constant"] = forms.CharField(
                label="Value",
                max_length=255,
                widget=UnfoldAdminTextInputWidget,
                help_text="The same for every record.",
            )
        elif inbound:
            self.fields["source"] = _build_crm_field(label="Source: CRM field", crm_object=rule.crm_object)
        else:
            self.fields["source"] = _build_vault_field(
                label="Source: Vault field",
                choices=list_source_choices(
                    shape=shape, object_type=rule.vault_object_type, configuration=configuration
                ),
            )
        self.fields["target"] = (
            _build_vault_field(
                label="Target: Vault field",
                choices=list_target_choices(shape=shape, object_type=rule.vault_object_type),
            )
            if inbound
            else _build_crm_field(label="Target: CRM field", crm_object=rule.crm_object)
        )

    def read_rule(self) -> dict[str, Any]:
        """Return the values of a valid form as arguments of `add_field_rule`."""
        return {"kind": self._kind, **self.cleaned_data}

    def show_refusal(self, refusal: forms.ValidationError) -> None:
        """Show the errors of the service beside their fields, or at the top."""
        by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
        for name, errors in by_field.items():
            self.add_error(name if name in self.fields else None, forms.ValidationError(errors))


def list_source_choices(*, shape: ObjectShape, object_type: str, configuration: Configuration) -> _Choices:
    """Return the choices for a source: the record's stored fields, and the names of records that it refers to."""
    standard: _Choices = []
    custom: _Choices = []
    named: _Choices = []
    for each in _list_fields(shape=shape, object_type=object_type):
        if each.reference is not None:
            target = get_object_of_model(each.reference) if each.reference and not each.is_custom else None
            if target is not None:
                name = configuration.get(target.api_name).get_field("name__v")
                path = f"{each.api_name}.{name.api_name}"
                named.append((path, f"{each.label}: {name.label} ({path})"))
        else:
            (custom if each.is_custom else standard).append(_build_choice(each))
    groups = (("Custom fields", custom), ("Standard fields", standard), ("Of records referred to", named))
    return [("", "Choose a field"), *((label, choices) for label, choices in groups if choices)]


def list_target_choices(*, shape: ObjectShape, object_type: str) -> _Choices:
    """Return the choices for a target that the CRM fills: standard fields except references."""
    choices = [
        _build_choice(each)
        for each in _list_fields(shape=shape, object_type=object_type)
        if not each.is_custom and not each.is_read_only and each.reference is None
    ]
    return [("", "Choose a field"), *(choice for choice in choices if choice[0] not in _UNFILLED)]


def _list_fields(*, shape: ObjectShape, object_type: str) -> list[ObjectField]:
    fields = shape.list_type_fields(object_type) if object_type in shape.types else list(shape.fields.values())
    # What is computed or derived changes without a new version, so that the CRM would keep an old value.
    stored = (each for each in fields if not (each.is_computed or each.is_derived))
    return sorted(stored, key=lambda each: each.label.casefold())


def _build_choice(field: ObjectField) -> tuple[str, str]:
    return field.api_name, f"{field.label} ({field.api_name})"


def _build_vault_field(*, label: str, choices: _Choices) -> forms.Field:
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget)


def _build_crm_field(*, label: str, crm_object: str) -> forms.Field:
    return forms.CharField(
        label=label,
        max_length=160,
        validators=[validate_crm_name],
        widget=UnfoldAdminTextInputWidget(attrs={"autocapitalize": "off", "spellcheck": "false"}),
        help_text=f"API name in {crm_object}, e.g. Region__c",
    )
