"""URLs of a report's files."""

from __future__ import annotations

from django.urls import path

from ctms.reports.outputs import views

_REPORT = "reports/<uuid:uid>/"

urlpatterns = [
    path(f"{_REPORT}export.<str:file_format>", views.export_report, name="report_export"),
    path(f"{_REPORT}print/", views.print_report, name="report_print"),
]
