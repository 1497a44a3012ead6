"""The way from a run in Job Status to its connection and to the records that it moved, refused or left failing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from connections.models import Connection
from crm_sync.admin.connection_health import build_items_url
from crm_sync.admin.connection_page import build_page_url
from crm_sync.jobs import ONE_RECORD_JOB_KEY, TRANSFER_JOB_KEY
from crm_sync.models import IntegrationRun
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import display
from ctms.jobs.models import JobRun

if TYPE_CHECKING:
    from django.http import HttpRequest

_BEFORE = "show_log"
_WITH_RECORDS = (TRANSFER_JOB_KEY, ONE_RECORD_JOB_KEY)


@extend_page(JobRun)
class RunRecords(ReadOnlyModelAdmin):
    """Adds the records of a transfer to the page of its run; runs of other jobs have none."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fields = list(super().get_fields(request, obj))
        if isinstance(obj, JobRun) and obj.definition.key in _WITH_RECORDS:
            fields.insert(fields.index(_BEFORE), "show_records")
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "show_records"]

    @display(description="records")
    def show_records(self, run: JobRun) -> str:
        """Return links to the connection, to what each integration sent or received, and to what fails now."""
        connection = Connection.objects.filter(uid=run.unit_key).first()
        if connection is None:
            return "–"
        attempts = reverse("admin:crm_sync_transferattempt_changelist")
        parts = IntegrationRun.objects.filter(run=run).select_related("integration__rule").order_by("pk")
        records = format_html_join(
            "",
            "<li><a class='vault-link' href='{}?{}'>{}</a>: {} sent, {} received, {} failed</li>",
            (
                (
                    attempts,
                    urlencode({"run__id__exact": run.pk, "integration__id__exact": part.integration_id}),
                    part.integration.name,
                    f"{part.sent:,}",
                    f"{part.received:,}",
                    f"{part.failed:,}",
                )
                for part in parts
            ),
        )
        return format_html(
            "<ul><li><a class='vault-link' href='{}'>Connection {}</a></li>{}"
            "<li><a class='vault-link' href='{}'>User exceptions that are open now</a></li></ul>",
            build_page_url(connection.pk),
            connection.name,
            records,
            build_items_url(connection.pk),
        )
