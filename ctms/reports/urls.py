"""URLs of reports."""

from __future__ import annotations

from django.urls import path

from ctms.reports.pages.views import builder, gallery, reports, sharing

_REPORT = "<uuid:uid>/"

urlpatterns = [
    path("", gallery.show_gallery, name="reports"),
    path("new/", builder.create_report, name="report_new"),
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
