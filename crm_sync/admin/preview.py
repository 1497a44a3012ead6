"""The page *Preview Transfer* of a connection: what the next transfer would do with each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.actions.preview_now import find_last_run, preview_now
from crm_sync.choices import PreviewOutcome
from crm_sync.engine.run import ORDER
from crm_sync.models import PreviewRow, TransferPreview
from crm_sync.preview.lines import HEADING, list_lines, show_value
from crm_sync.preview.selectors import count_rows, get_preview
from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.errors import VaultError
from ctms.core.rate_limits import count_request
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.records.lists.exports import stream_lines

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from ctms.jobs.models import JobRun

ROWS = 50
_ROWS_PER_FETCH = 2000
_NEW = (PreviewOutcome.CREATE, PreviewOutcome.RECEIVE)
_TONES = {PreviewOutcome.FAIL: "failed", PreviewOutcome.WAIT: "warning"}


@extend_page(Connection)
class ConnectionPreview(AuditedModelAdmin):
    """Adds the page to connections. Whoever may change a connection sees it, because it shows values of records."""

    actions_detail: Any = ("preview_transfer",)

    @action(description="Preview", url_path="preview-transfer", permissions=["change"], icon="preview")
    def preview_transfer(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Show the newest preview, or send it as a file; with POST, start one."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        if request.method == "POST":
            self._start_preview(request, connection)
            return HttpResponseRedirect(request.path)
        preview = get_preview(connection)
        chosen = _Choice(connection=connection, preview=preview, asked=request.GET, user=get_user(request))
        if preview is not None and request.GET.get("export") == "csv":
            return _export(request, connection=connection, rows=chosen.rows)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Preview Transfer",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "preview": preview,
            "state": _describe_state(preview, find_last_run(connection)),
            "table": _build_table(preview, chosen),
            "errors": _list_errors(preview),
            "back_url": self.get_change_url(connection),
            "status_url": reverse("admin:jobs_jobrun_changelist"),
            **chosen.build_context(page=request.GET.get("page", "1")),
        }
        return TemplateResponse(request, "admin/crm_sync/preview.html", context)

    def _start_preview(self, request: HttpRequest, connection: Connection) -> None:
        try:
            preview_now(connection=connection, user=get_user(request))
        except VaultError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"A preview of {connection} was started; see Job Status.", messages.SUCCESS)


class _Choice:
    """Rows of a preview, of one integration and one outcome where the address asks for one, and all numbers."""

    def __init__(
        self, *, connection: Connection, preview: TransferPreview | None, asked: QueryDict, user: User
    ) -> None:
        rows: QuerySet[PreviewRow] = PreviewRow.objects.none() if preview is None else preview.rows.all()
        self.rows = list_visible(rows, user)
        self._integrations = {each.pk: each for each in connection.integrations.all()}
        self._counted = count_rows(self.rows)
        self.outcome, self.integration = "", ""
        self.rows = self.rows.select_related("integration__rule")
        if asked.get("outcome") in PreviewOutcome.values:
            self.outcome = str(asked["outcome"])
            self.rows = self.rows.filter(outcome=self.outcome)
        chosen = [pk for pk, each in self._integrations.items() if each.kind == asked.get("integration")]
        if chosen:
            self.integration = str(asked["integration"])
            self.rows = self.rows.filter(integration__in=chosen)

    def count(self, *, integration: str = "", outcome: str = "") -> int:
        """Return the number of rows of an integration's kind and an outcome, or of all of them if it is empty."""
        return sum(
            each.number
            for each in self._counted
            if outcome in ("", each.outcome) and integration in ("", self._integrations[each.integration_id].kind)
        )

    def build_context(self, *, page: str) -> dict[str, Any]:
        paginator = Paginator(self.rows, ROWS)
        shown = paginator.get_page(page)
        return {
            "page": shown,
            "rows": [_build_row(row) for row in shown],
            "number": self.count(),
            "filter_query": self._build_query(),
            "export_query": self._build_query(export="csv"),
            "tabs": [
                ("Integration", self._list_tabs("integration", [(each, _shorten(each)) for each in ORDER])),
                ("Outcome", self._list_tabs("outcome", PreviewOutcome.choices)),
            ],
        }

    def _list_tabs(self, name: str, choices: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
        """Return tabs with the numbers that are left under the other filter; those without a row are left out."""
        own = {"integration": self.integration, "outcome": self.outcome}
        tabs = []
        for value, label in [("", "All"), *choices]:
            number = self.count(**(own | {name: str(value)}))
            if number or not value or own[name] == value:
                query = self._build_query(**{name: str(value)})
                tabs.append({"label": label, "number": number, "query": query, "is_chosen": own[name] == value})
        return tabs

    def _build_query(self, **changes: str) -> str:
        query = QueryDict(mutable=True)
        chosen = {"integration": self.integration, "outcome": self.outcome} | changes
        query.update({name: value for name, value in chosen.items() if value})
        return query.urlencode()


def _export(request: HttpRequest, *, connection: Connection, rows: QuerySet[PreviewRow]) -> StreamingHttpResponse:
    """Send the chosen rows as a CSV file, and record that in the audit trail."""
    count_request(scope="exports", key=get_user(request).pk)
    record_event(
        actor=build_actor(request),
        action=AuditAction.EXPORTED,
        object_name=connection.object_name,
        record=connection,
        changes={"preview": [None, request.GET.urlencode()], "records": [None, rows.count()]},
    )
    lines = list_lines(rows.order_by("pk").iterator(chunk_size=_ROWS_PER_FETCH))
    response = StreamingHttpResponse(stream_lines(heading=HEADING, rows=lines), content_type="text/csv; charset=utf-8")
    name = f"preview-{slugify(connection.name)}.csv"
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Cache-Control"] = "no-store"
    return response


def _describe_state(preview: TransferPreview | None, run: JobRun | None) -> dict[str, str] | None:
    """Return what is going on, or went wrong, besides the preview that is shown: a tone and a sentence."""
    if run is None:
        return None
    if run.state in UNFINISHED_STATES:
        word = "running" if run.state == RunState.RUNNING else "waiting for a worker"
        return {"tone": "warning", "label": run.get_state_display(), "text": f"A preview is {word}."}
    if preview is None or preview.run_id != run.pk:
        text = f"The last preview brought no result. {run.message}"
        return {"tone": "failed", "label": run.get_state_display(), "text": text}
    return None


def _list_errors(preview: TransferPreview | None) -> list[tuple[str, str]]:
    """Return the integrations that would fail, with the reason; under an empty name, the whole connection."""
    errors = preview.errors if preview is not None else {}
    return [(IntegrationKind(kind).label if kind else "", text) for kind, text in errors.items()]


def _build_table(preview: TransferPreview | None, chosen: _Choice) -> dict[str, Any]:
    """Return the numbers of records by outcome and integration."""
    kinds = [kind for kind in ORDER if preview is not None and kind in preview.counts]
    rows = [
        (outcome.label, [chosen.count(integration=kind, outcome=outcome) for kind in kinds])
        for outcome in PreviewOutcome
    ]
    shown = [row for row in rows if any(row[1])]
    if preview is not None:
        shown.append(("Leave unchanged", [preview.counts[kind]["unchanged"] for kind in kinds]))
    return {"columns": [_shorten(kind) for kind in kinds], "rows": shown if kinds else []}


def _shorten(kind: IntegrationKind) -> str:
    return kind.label.removesuffix(" Integration")


def _build_row(row: PreviewRow) -> dict[str, Any]:
    is_here = row.record_uid is not None and row.outcome != PreviewOutcome.DELETE
    return {
        "row": row,
        "integration": _shorten(IntegrationKind(row.integration.kind)),
        "tone": _TONES.get(PreviewOutcome(row.outcome), ""),
        "is_new": row.outcome in _NEW,
        "url": reverse("record", args=(row.integration.rule.vault_object, row.record_uid)) if is_here else "",
        "fields": [(name, show_value(old), show_value(new)) for name, (old, new) in row.fields.items()],
    }
