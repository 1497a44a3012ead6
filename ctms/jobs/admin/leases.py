"""Who works on what at this moment."""

from __future__ import annotations

from django.contrib import admin

from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.jobs.models import Lease


@admin.register(Lease)
class LeaseAdmin(ReadOnlyModelAdmin):
    """Who works on what at this moment."""

    view_permission = "admin:jobs"
    list_display = ("key", "run", "expires_at", "token")
    list_select_related = ("run__definition",)
