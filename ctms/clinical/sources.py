"""What reports can be about of the set-up of studies: who is assigned to them."""

from __future__ import annotations

from ctms.accounts.policies import list_visible
from ctms.clinical.models import StudyAssignment
from ctms.reports.sources import Lookup, SetupSource, SourceObject, register_source

ASSIGNMENTS = "study_assignment__sys"


def register_clinical_sources() -> None:
    """Register the source; called once, when the app is ready."""
    register_source(
        SetupSource(
            vault_object=SourceObject(model=StudyAssignment, source_name=ASSIGNMENTS),
            columns={
                "user__sys": Lookup("user"),
                "active__sys": Lookup("user__is_active", "User: Active"),
                "study__v": Lookup("study"),
                "role__sys": Lookup("role"),
                "study_country__v": Lookup("study_country"),
                "site__v": Lookup("site"),
                "valid_from__sys": Lookup("valid_from"),
                "valid_until__sys": Lookup("valid_until"),
                "created_date__v": Lookup("created_at"),
                "created_by__v": Lookup("created_by"),
            },
            permission=StudyAssignment.object_name,
            limit=list_visible,
        )
    )
