"""Forms of the configuration: `objects` (types, actions, custom fields), `layouts`, `settings`, and `identifiers`."""

from ctms.configuration.forms.identifiers import PersonIdentifierForm
from ctms.configuration.forms.layouts import LayoutForm, TypeLayoutForm
from ctms.configuration.forms.objects import CustomFieldForm, ObjectTypeForm, TypeActionsForm
from ctms.configuration.forms.profiles import SecurityProfileForm
from ctms.configuration.forms.settings import ApplicationSettingsForm

__all__ = [
    "ApplicationSettingsForm",
    "CustomFieldForm",
    "LayoutForm",
    "ObjectTypeForm",
    "PersonIdentifierForm",
    "SecurityProfileForm",
    "TypeActionsForm",
    "TypeLayoutForm",
]
