"""The console page that says what Housekeeping keeps, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ctms.jobs.housekeeping import HOUSEKEEPING_JOB_KEY
from ctms.jobs.kept_rows import list_kept_rows
from ctms.jobs.models import JobDefinition

if TYPE_CHECKING:
    from ctms.audit.admin.theme import ModelAdmin


def show_kept_rows(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show each kind of rows that grows: how many there are, how large they are, and how long they stay."""
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Kept rows",
        "opts": model_admin.opts,
        "job": JobDefinition.objects.filter(key=HOUSEKEEPING_JOB_KEY).first(),
        "kinds": list_kept_rows(),
    }
    return TemplateResponse(request, "admin/jobs/kept_rows.html", context)
