"""The form of the application settings."""

from __future__ import annotations

from ctms.configuration.forms.identifiers import PersonIdentifierForm
from ctms.configuration.models import ApplicationSettings


class ApplicationSettingsForm(PersonIdentifierForm):
    """The form of the global identifier mapping."""

    class Meta:
        model = ApplicationSettings
        fields = ("enable_global_crm_mapping", "clinical_person_identifier", "crm_account_identifier")
