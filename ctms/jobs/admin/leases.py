"""The console page of leases, which shows what each run is working on."""

from __future__ import annotations

from django.contrib import admin

from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.jobs.models import Lease


@admin.register(Lease)
class LeaseAdmin(ReadOnlyModelAdmin):
    """The leases, read-only."""

    view_permission = "admin:jobs"
    list_display = ("key", "is_held", "run", "observed_at", "silent_seconds", "token")
    list_select_related = ("run__definition",)
