"""URLs of reports in the REST API."""

from __future__ import annotations

from django.urls import path

from ctms.reports.outputs.api import views

urlpatterns = [
    path("", views.ReportsView.as_view(), name="api_reports"),
    path("<uuid:uid>/", views.ReportDefinitionView.as_view(), name="api_report"),
    path("<uuid:uid>/rows/", views.ReportRowsView.as_view(), name="api_report_rows"),
    path("<uuid:uid>/groups/", views.ReportGroupsView.as_view(), name="api_report_groups"),
]
