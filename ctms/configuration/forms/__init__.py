"""Forms of the configuration."""

from ctms.configuration.forms.layouts import LayoutForm, TypeLayoutForm
from ctms.configuration.forms.objects import CustomFieldForm, ObjectTypeForm, TypeActionsForm
from ctms.configuration.forms.settings import ApplicationSettingsForm, SecurityProfileForm, clean_person_identifier

__all__ = [
    "ApplicationSettingsForm",
    "CustomFieldForm",
    "LayoutForm",
    "ObjectTypeForm",
    "SecurityProfileForm",
    "TypeActionsForm",
    "TypeLayoutForm",
    "clean_person_identifier",
]
