"""URLs of reports."""

from __future__ import annotations

from django.urls import path

from ctms.reports.pages.views import builder, dashboards, gallery, reports, sharing

_REPORT = "<uuid:uid>/"
_DASHBOARD = "dashboards/<uuid:uid>/"

urlpatterns = [
    path("", gallery.show_gallery, name="reports"),
    path("new/", builder.create_report, name="report_new"),
    path("dashboards/", dashboards.show_dashboards, name="dashboards"),
    path("dashboards/new/", dashboards.create, name="dashboard_new"),
    path(_DASHBOARD, dashboards.show_dashboard, name="dashboard"),
    path(f"{_DASHBOARD}edit/", dashboards.edit, name="dashboard_edit"),
    path(f"{_DASHBOARD}home/", dashboards.toggle_home, name="dashboard_home"),
    path(f"{_REPORT}tile/", dashboards.show_tile, name="report_tile"),
    path(_REPORT, reports.show_report, name="report"),
    path(f"{_REPORT}favourite/", gallery.toggle_favourite, name="report_favourite"),
    path(f"{_REPORT}edit/", builder.edit_report, name="report_edit"),
    path(f"{_REPORT}copy/", builder.copy_report, name="report_copy"),
    path(f"{_REPORT}sharing/", sharing.share, name="report_sharing"),
    path(f"{_REPORT}sharing/rights/", sharing.change_rights, name="report_rights"),
    path(f"{_REPORT}sharing/owner/", sharing.transfer, name="report_transfer"),
    path(f"{_REPORT}sharing/<uuid:share_uid>/", sharing.change_share, name="report_share_change"),
    path(f"{_REPORT}delete/", sharing.delete, name="report_delete"),
    path(f"{_REPORT}prompts/", reports.answer_prompts, name="report_prompts"),
]
