"""Register report types and reports, so that security profiles say who may build which."""

from __future__ import annotations

from ctms.configuration.registry import NoStudy, VaultObject, register_object
from ctms.reports.models import Report, ReportType


def register_report_objects() -> None:
    """Register the objects; called once, when the app is ready."""
    register_object(
        VaultObject(
            model=ReportType,
            scope=NoStudy("a report type names objects; whoever runs its reports sees rows by study"),
            fields={"description__sys": "description", "primary_object__sys": "primary_object"},
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=Report,
            scope=NoStudy("a report is a question; whoever runs it sees rows by study"),
            fields={
                "description__sys": "description",
                "report_type__sys": "report_type",
                "owner__sys": "owner",
                "run_as_owner__sys": "run_as_owner",
            },
            is_setup=True,
            is_for_admins=False,
        )
    )
