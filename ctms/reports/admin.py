"""The console pages of report types and reports."""

from __future__ import annotations

from django.contrib import admin

from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.reports.models import Report, ReportShare, ReportType


@admin.register(ReportType)
class ReportTypeAdmin(AuditedModelAdmin):
    list_display = ("name", "primary_object", "status", "modified_at")
    list_filter = ("status",)
    search_fields = ("name", "primary_object")
    fields = ("name", "primary_object", "related_objects", "status")


class ReportShareInline(AuditedTabularInline):
    model = ReportShare
    fields = ("role", "user", "profile")
    autocomplete_fields = ("user", "profile")


@admin.register(Report)
class ReportAdmin(AuditedModelAdmin):
    list_display = ("name", "report_type", "status", "modified_at")
    list_filter = ("report_type", "status")
    list_select_related = ("report_type",)
    search_fields = ("name", "description")
    autocomplete_fields = ("report_type",)
    inlines = (ReportShareInline,)
    fields = ("name", "report_type", "owner", "description", "run_as_owner", "status")
