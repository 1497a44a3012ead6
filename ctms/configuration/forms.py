"""Forms of the configuration, and the form of records that have object types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from ctms.accounts.models import SecurityProfile
from ctms.audit.forms import AuditedModelForm
from ctms.configuration.models import ApplicationSettings, CustomField, ObjectType, ObjectTypeAction
from ctms.configuration.permissions import ACTIONS, list_areas, list_permission_rows, list_permissions
from ctms.configuration.registry import UnknownFieldError, UnknownObjectError, get_object, list_objects
from ctms.core.choices import RecordStatus

PERSON = "person__sys"


def clean_person_identifier(name: str) -> str:
    """The API name of a standard or custom field of Person. Raises ValidationError naming the fields there are."""
    if not name:
        return ""
    if name.endswith("__c"):
        custom = CustomField.objects.filter(of_object=PERSON, api_name=name, status=RecordStatus.ACTIVE)
        if not custom.exists():
            raise ValidationError(
                f"Person has no active custom field {name!r}. Add it under Configuration > Custom Fields."
            )
        return name
    try:
        get_object(PERSON).get_field(name)
    except (UnknownFieldError, UnknownObjectError) as error:
        raise ValidationError(str(error)) from error
    return name


class ApplicationSettingsForm(AuditedModelForm):
    """The global identifier mapping."""

    class Meta:
        model = ApplicationSettings
        fields = ("enable_global_crm_mapping", "clinical_person_identifier", "crm_account_identifier")

    def clean_clinical_person_identifier(self) -> str:
        return clean_person_identifier(self.cleaned_data["clinical_person_identifier"].strip())

    def clean_crm_account_identifier(self) -> str:
        return str(self.cleaned_data["crm_account_identifier"]).strip()


class TypedRecordForm(AuditedModelForm):
    """A form that offers the active object types of its object, and the present one of an existing record."""

    # Not `object_type`: Django refuses a form field of the name of a model field that is not edited freely.
    record_type = forms.ChoiceField(label="Object type", widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = self.instance.object_type if self.instance.pk is not None else ""
        rows = ObjectType.objects.filter(of_object=self.instance.object_name)
        offered = [
            (row.api_name, row.label) for row in rows if row.status == RecordStatus.ACTIVE or row.api_name == present
        ]
        field = self.fields.get("record_type")
        if isinstance(field, forms.ChoiceField):
            field.choices = offered
            self.initial.setdefault("record_type", present or (offered[0][0] if offered else ""))
            if not offered:
                field.help_text = "Every object type is inactive: no new record can be created."

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.instance.object_type = self.cleaned_data.get("record_type", self.instance.object_type)
        return cleaned


class ObjectTypeActionForm(AuditedModelForm):
    """An action of the object, chosen from those that are registered."""

    action_name = forms.ChoiceField(label="Action", widget=UnfoldAdminSelectWidget)
    offered: ClassVar[Mapping[str, str]] = {}  # API name → label, set by the page, which knows the object

    class Meta:
        model = ObjectTypeAction
        fields = ("action_name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["action_name"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "Select an action"), *self.offered.items()]


class ObjectNameForm(AuditedModelForm):
    """A form whose `of_object` is chosen from the registered objects."""

    of_object = forms.ChoiceField(label="Object", widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("of_object")
        if isinstance(field, forms.ChoiceField):
            field.choices = list_object_choices()


def list_object_choices() -> list[tuple[str, str]]:
    """The registered objects by label."""
    return sorted(((o.api_name, f"{o.label.capitalize()} ({o.api_name})") for o in list_objects()), key=lambda c: c[1])


class CustomFieldForm(ObjectNameForm):
    """A custom field; picklist values are typed one a line."""

    picklist_values = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="For the kind Picklist: one value a line.",
    )

    class Meta:
        model = CustomField
        fields = ("of_object", "api_name", "label", "kind", "picklist_values", "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["picklist_values"] = "\n".join(self.instance.picklist_values)

    def clean_picklist_values(self) -> list[str]:
        lines = (line.strip() for line in self.cleaned_data["picklist_values"].splitlines())
        return list(dict.fromkeys(line for line in lines if line))


class PermissionsWidget(UnfoldAdminCheckboxSelectMultipleWidget):
    """A table: one line per object, one column per action; below it the areas of the admin console."""

    template_name = "admin/widgets/permissions.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        held = set(value or ())
        context["actions"] = [action.capitalize() for action in ACTIONS]
        context["rows"] = [
            {
                "label": row.label,
                "is_narrowed": row.is_narrowed,
                "cells": [
                    {"value": permission, "checked": permission in held, "label": f"{row.label}: {action}"}
                    for permission, action in zip(row.permissions, ACTIONS, strict=True)
                ],
            }
            for row in list_permission_rows()
        ]
        unknown = [(permission, permission) for permission in sorted(held.difference(list_permissions()))]
        context["areas"] = [
            {"value": permission, "checked": permission in held, "label": label}
            for permission, label in [*list_areas(), *unknown]
        ]
        return context


class SecurityProfileForm(AuditedModelForm):
    """A profile with its permissions to tick."""

    permissions = forms.MultipleChoiceField(required=False, widget=PermissionsWidget)

    class Meta:
        model = SecurityProfile
        fields = ("name", "api_name", "status", "description", "sees_all_studies", "permissions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A permission that this version does not know any more stays until somebody unticks it.
        field = self.fields["permissions"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(name, name) for name in dict.fromkeys([*list_permissions(), *self.instance.permissions])]

    def clean_permissions(self) -> list[str]:
        return sorted(self.cleaned_data["permissions"])
