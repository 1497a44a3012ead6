"""Writing the application settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

from ctms.audit.services import save_record
from ctms.configuration.identifiers import find_identifier_problem
from ctms.configuration.models import ApplicationSettings

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


def set_application_settings(
    *, clinical_person_identifier: str, crm_account_identifier: str, enable_global_crm_mapping: bool, actor: Actor
) -> ApplicationSettings:
    """Set the global identifier mapping. Raises ValidationError naming a field that cannot identify."""
    row = ApplicationSettings.objects.first() or ApplicationSettings()
    problem = find_identifier_problem(clinical_person_identifier)
    if problem and clinical_person_identifier != row.clinical_person_identifier:
        raise ValidationError({"clinical_person_identifier": problem})
    row.clinical_person_identifier = clinical_person_identifier
    row.crm_account_identifier = crm_account_identifier
    row.enable_global_crm_mapping = enable_global_crm_mapping
    save_record(record=row, actor=actor)
    return row
