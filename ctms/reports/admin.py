"""The console pages of report types, reports and daily digests.

Reports are built, shared and handed over in the tab Reports, where the role in each decides; here, whoever looks after
all of them sees what there is, and sets a report to Inactive.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import get_user
from ctms.reports.access import administers_reports
from ctms.reports.forms import ReportTypeForm
from ctms.reports.models import DigestMail, Report, ReportShare, ReportType


@admin.register(ReportType)
class ReportTypeAdmin(AuditedModelAdmin):
    form = ReportTypeForm
    list_display = ("name", "description", "primary_object", "status", "modified_at")
    list_filter = ("status",)
    search_fields = ("name", "primary_object")
    fields = ("name", "description", "primary_object", "related_object", "status")


class ReportShareInline(AuditedTabularInline):
    model = ReportShare
    fields = ("role", "user", "profile")
    verbose_name_plural = "shared with"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False


@admin.register(Report)
class ReportAdmin(AuditedModelAdmin):
    list_display = ("name", "report_type", "owner", "status", "modified_at")
    list_filter = ("report_type", "status")
    list_select_related = ("report_type", "owner")
    search_fields = ("name", "description")
    inlines = (ReportShareInline,)
    fields = ("name", "description", "report_type", "owner", "run_as_owner", "status")
    # Whoever could set these here would see what another owner may see.
    readonly_fields = ("report_type", "owner", "run_as_owner")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def _allows(self, request: HttpRequest, action: str, obj: Any) -> bool:
        return administers_reports(get_user(request)) and super()._allows(request, action, obj)


@admin.register(DigestMail)
class DigestMailAdmin(ReadOnlyModelAdmin):
    """What became of the daily digest of each user; whoever manages users sees it."""

    list_display = ("day", "user", "state", "rows", "attempts", "changed_at")
    list_filter = ("state",)
    list_select_related = ("user",)
    list_per_page = 50
    search_fields = ("user__username", "user__first_name", "user__last_name")
    search_help_text = "User"
    fields = ("user", "day", "state", "rows", "reason", ("attempts", "next_try_at"), "changed_at")
    readonly_fields = ("user", "day", "state", "rows", "reason", "attempts", "next_try_at", "changed_at")
