"""The form of a custom field, and that which gives records another value of a picklist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from ctms.audit.forms import AuditedModelForm
from ctms.configuration.custom_fields import read_field
from ctms.configuration.kinds import UnknownKindError, find_custom_kind, list_custom_choices
from ctms.configuration.models import DEFAULT_TARGET, CustomField
from ctms.configuration.picklists import PicklistValue, build_value_name, read_picklist, store_picklist
from ctms.configuration.registry import list_record_objects
from ctms.configuration.selectors import list_custom_field_objects


class PicklistTable(UnfoldAdminTextareaWidget):
    """A table of the stored values, each with label, position and status, and an input for new ones, one a line."""

    template_name = "admin/configuration/picklist_values.html"
    counts: Mapping[str, int] = {}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, Any]:  # noqa: ARG002  Django's signature
        lists = ("name", "label", "position", "active", "delete")
        posted = {each: data.getlist(f"{name}_{each}") for each in lists} if hasattr(data, "getlist") else {}
        return {**posted, "new": data.get(name) or ""}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:  # noqa: ARG002  Django's signature
        return name not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        typed = value if isinstance(value, dict) else {"new": "", **_list_columns(value or [])}
        context: dict[str, Any] = super().get_context(name, typed["new"], attrs)
        columns = [typed.get(each, []) for each in ("name", "label", "position")]
        context["rows"] = [
            {
                "name": api_name,
                "label": label,
                "position": position,
                "is_active": api_name in typed["active"],
                "is_deleted": api_name in typed["delete"],
                "count": self.counts.get(api_name, 0),
            }
            for api_name, label, position in zip(*columns, strict=False)
        ]
        return context


def _list_columns(values: list[PicklistValue]) -> dict[str, list[str]]:
    return {
        "name": [each.api_name for each in values],
        "label": [each.label for each in values],
        "position": [str(number) for number in range(1, len(values) + 1)],
        "active": [each.api_name for each in values if each.is_active],
        "delete": [],
    }


class PicklistValuesField(forms.Field):
    """The values of a picklist, as the field stores them."""

    widget = PicklistTable

    def clean(self, value: Any) -> list[dict[str, Any]]:
        columns = [value.get(each, []) for each in ("name", "label", "position")]
        try:
            rows = [(int(position), row) for row, position in enumerate(columns[2])]
            kept = [
                PicklistValue(
                    api_name=columns[0][row],
                    label=columns[1][row].strip(),
                    is_active=columns[0][row] in value["active"],
                )
                for _, row in sorted(rows)
                if columns[0][row] not in value["delete"]
            ]
        except (IndexError, ValueError):
            raise ValidationError("Enter the position of every value as a whole number.") from None
        lines = (line.strip() for line in value["new"].splitlines())
        taken = {each.api_name for each in kept}
        for label in dict.fromkeys(line for line in lines if line):
            made = PicklistValue(api_name=build_value_name(label=label, taken=taken), label=label)
            taken.add(made.api_name)
            kept.append(made)
        return store_picklist(kept)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.clean(data) != store_picklist(initial or []))


class CustomFieldForm(AuditedModelForm):
    """The form of a custom field. The default is typed as in a record's form; the service reads it."""

    of_object = forms.ChoiceField(label="Object", widget=UnfoldAdminSelectWidget)
    api_name = forms.CharField(
        label="API name",
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="What layouts, rules, reports and the API call it; it ends in __c. Left empty, it is made from the "
        "label. It cannot be changed later.",
    )
    reference_object = forms.ChoiceField(
        label="Refers to",
        required=False,
        initial=DEFAULT_TARGET,
        widget=UnfoldAdminSelectWidget,
        help_text="For the kind Reference: the object whose records can be chosen. It cannot be changed later.",
    )
    default_value = forms.CharField(
        label="Default",
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="The value of new records, as it is typed in their form. People can change it.",
    )
    picklist_values = PicklistValuesField(
        label="Picklist values",
        required=False,
        widget=PicklistTable(attrs={"rows": 5}),
        help_text="New values, one a line.",
    )
    add_to_layouts = forms.BooleanField(
        label="Add to page layouts",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="The field stands last in the first section of each page layout of the object.",
    )

    class Meta:
        model = CustomField
        fields = (
            "of_object",
            "label",
            "api_name",
            "kind",
            "reference_object",
            "picklist_values",
            "help_text",
            "is_required",
            "is_unique",
            "max_length",
            "decimals",
            "least",
            "greatest",
        )
        help_texts = {
            "help_text": "Stands under the field in forms.",
            "is_required": "Records cannot be saved without a value, on the object types that have the field. Records "
            "that lack one can still be changed elsewhere.",
            "is_unique": "Two records cannot have the same value, compared exactly.",
            "max_length": "Characters at most; left empty, as many as the kind allows.",
            "decimals": "At most as many; 0 for whole numbers.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fill_choices("of_object", [(each.api_name, each.title) for each in list_custom_field_objects()])
        self._fill_choices("reference_object", [(each.api_name, each.title) for each in list_record_objects()])
        if "kind" in self.fields:
            self.fields["kind"].widget.attrs["data-properties"] = json.dumps(_list_properties())
        self.initial["picklist_values"] = read_picklist(self.instance.picklist_values)
        for name in ("least", "greatest"):
            if (bound := getattr(self.instance, name)) is not None:
                self.initial[name] = f"{bound.normalize():f}"
        stored = self.instance.default_value
        if self.instance.pk is not None and stored is not None:
            kind = find_custom_kind(self.instance.kind)
            self.initial["default_value"] = kind.show_default(stored=stored, field=read_field(self.instance))

    def _fill_choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields.get(name)
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

    def clean_reference_object(self) -> str:
        """Return nothing for kinds that refer to nothing: the choice has a value all the same."""
        try:
            kind = find_custom_kind(self.cleaned_data.get("kind") or self.instance.kind)
        except UnknownKindError:
            return ""
        return str(self.cleaned_data["reference_object"]) if kind.refers_to_records else ""


def _list_properties() -> dict[str, list[str]]:
    """Return the properties of each kind that not every kind has, for the script of the form."""
    properties: dict[str, list[str]] = {}
    for name, _ in list_custom_choices():
        kind = find_custom_kind(name)
        own = [*sorted(kind.options), *(["picklist_values"] if kind.has_choices else [])]
        own += [] if kind.always_has_value else ["is_required"]
        properties[name] = [*own, *(["is_unique"] if kind.can_be_unique else [])]
    return properties


class ReplaceValueForm(forms.Form):
    """Which value of a picklist records get in the place of another."""

    old = forms.ChoiceField(label="Records with", widget=UnfoldAdminSelectWidget)
    new = forms.ChoiceField(label="get", widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        label="Reason for change",
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="It stands in the audit trail of every record.",
    )

    def __init__(self, *args: Any, field: CustomField, counts: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        values = read_picklist(field.picklist_values)
        old, new = self.fields["old"], self.fields["new"]
        if isinstance(old, forms.ChoiceField) and isinstance(new, forms.ChoiceField):
            old.choices = [
                (each.api_name, f"{each.label} ({counts.get(each.api_name, 0):,} records)") for each in values
            ]
            new.choices = [(each.api_name, each.label) for each in values if each.is_active]
