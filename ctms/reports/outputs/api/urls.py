"""URLs of reports in the REST API."""

from __future__ import annotations

from django.urls import path

from ctms.records.api import addresses  # noqa: F401  registers the converter of uids
from ctms.reports.outputs.api import views

urlpatterns = [
    path("", views.ReportsView.as_view(), name="api_reports"),
    path("<uid:uid>/", views.ReportDefinitionView.as_view(), name="api_report"),
    path("<uid:uid>/rows/", views.ReportRowsView.as_view(), name="api_report_rows"),
    path("<uid:uid>/groups/", views.ReportGroupsView.as_view(), name="api_report_groups"),
]
