"""Forms of the configuration: `objects` (types, actions), `custom_fields`, `layouts`, `settings`, and `identifiers`."""

from ctms.configuration.forms.custom_fields import CustomFieldForm, ReplaceValueForm
from ctms.configuration.forms.identifiers import PersonIdentifierForm
from ctms.configuration.forms.layouts import LayoutForm, TypeLayoutForm
from ctms.configuration.forms.objects import ObjectTypeForm, TypeActionsForm
from ctms.configuration.forms.profiles import SecurityProfileForm
from ctms.configuration.forms.settings import ApplicationSettingsForm

__all__ = [
    "ApplicationSettingsForm",
    "CustomFieldForm",
    "LayoutForm",
    "ObjectTypeForm",
    "PersonIdentifierForm",
    "ReplaceValueForm",
    "SecurityProfileForm",
    "TypeActionsForm",
    "TypeLayoutForm",
]
