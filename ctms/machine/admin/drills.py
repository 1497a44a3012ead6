"""The console page *Restore Drills*: whether backups could be restored, with the report of each drill."""

from __future__ import annotations

from django.contrib import admin

from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.machine.models import RestoreDrill


@admin.register(RestoreDrill)
class RestoreDrillAdmin(ReadOnlyModelAdmin):
    """Rows of drills, newest first."""

    view_permission = RestoreDrill.object_name
    list_display = ("backup", "began_at", "ended_at", "succeeded")
    list_filter = ("succeeded",)
    fields = ("backup", "began_at", "ended_at", "succeeded", "report")
