"""The page *Test One Record* of a connection: choose one, see what would be sent and why, and send it alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from connections.choices import IntegrationKind
from connections.models import Connection, Integration
from crm_sync.engine.run import ORDER
from crm_sync.one_record.choosing import Choice, RecordChooser
from crm_sync.one_record.findings import MOVED, OneRecordOutcome
from crm_sync.one_record.looking import Look, look_at_record
from crm_sync.one_record.sending import RecordNotSentError, Sent, explain_no_sending, send_record
from crm_sync.preview.lines import show_value
from ctms.accounts.policies import has_permission
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_user
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from crm_sync.crm.exchanges import Exchange
    from crm_sync.one_record.findings import Finding

_TONES = {
    OneRecordOutcome.UNCHANGED: "ok",
    OneRecordOutcome.LEFT_OUT: "warning",
    OneRecordOutcome.DISMISSED: "warning",
    OneRecordOutcome.WAIT: "warning",
    OneRecordOutcome.UNMATCHED: "failed",
    OneRecordOutcome.FAIL: "failed",
    OneRecordOutcome.GONE: "warning",
}


@extend_page(Connection)
class OneRecordPage(AuditedModelAdmin):
    """Adds the page. What calls the CRM or sends is a POST."""

    actions_detail: Any = ("test_one_record",)

    @action(description="Test One Record", url_path="test-one-record", permissions=["change"], icon="experiment")
    def test_one_record(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Offer records; with POST, look at the chosen one, or send it."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        request.current_app = self.admin_site.name
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Test One Record",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "back_url": self.get_change_url(connection),
        }
        asked = request.POST.get("integration") or request.GET.get("integration")
        integration = _choose_integration(connection, asked=asked)
        context["integrations"] = _list_tabs(connection, chosen=integration)
        if integration is not None:
            context |= self._fill_one_record(request, integration)
        return TemplateResponse(request, "admin/crm_sync/one_record.html", context)

    def _fill_one_record(self, request: HttpRequest, integration: Integration) -> dict[str, Any]:
        """Return what the page shows of an integration: the records offered, and what is known of the chosen one."""
        user = get_user(request)
        connection = integration.connection
        context: dict[str, Any] = {
            "integration": integration,
            "refusal": explain_no_sending(connection=connection, integration=integration),
        }
        try:
            access = open_object(user=user, object_name=integration.rule.vault_object)
        except AccessRefusedError as error:
            return context | {"problem": str(error)}
        chooser = RecordChooser(integration=integration, access=access)
        chosen = _find_chosen(chooser, request.POST.get("record", ""))
        if request.method == "POST" and chosen is None:
            context["problem"] = "Record: it does not exist, or you may not see it. Choose another one."
        if chosen is not None and request.method == "POST":
            may_see_runs = has_permission(user=user, permission="admin:jobs")
            result, told = self._act_on_record(request, integration=integration, chosen=chosen)
            return (
                context
                | {
                    "chosen": chosen,
                    "record_url": _build_record_url(access=access, chosen=chosen),
                    "told": told,
                }
                | (_show_result(result, may_see_runs=may_see_runs) if result is not None else {})
            )
        query = request.GET.get("q", "").strip()
        lists = (
            [("Found", chooser.search(query))]
            if query
            else [
                ("With an exception", chooser.list_failing()),
                ("Newest", chooser.list_newest()),
            ]
        )
        return context | {"query": query, "lists": lists}

    def _act_on_record(
        self, request: HttpRequest, *, integration: Integration, chosen: Choice
    ) -> tuple[Look | Sent | None, str]:
        """Send the record or look at it; return what was found, or why it was not sent."""
        if request.POST.get("do") != "send":
            return look_at_record(integration=integration, uid=chosen.uid), ""
        try:
            return (
                send_record(integration=integration, uid=chosen.uid, name=chosen.name, actor=build_actor(request)),
                "",
            )
        except RecordNotSentError as error:
            return None, str(error)


def _choose_integration(connection: Connection, *, asked: str | None) -> Integration | None:
    """Return the outbound integration that is asked for, else the first; None if the connection has none."""
    integrations = _list_outbound(connection)
    return next((each for each in integrations if each.kind == asked), integrations[0] if integrations else None)


def _list_outbound(connection: Connection) -> list[Integration]:
    integrations = connection.integrations.select_related("rule", "connection__authorization")
    return sorted(
        (each for each in integrations if not each.is_inbound), key=lambda each: ORDER.index(IntegrationKind(each.kind))
    )


def _list_tabs(connection: Connection, *, chosen: Integration | None) -> list[dict[str, Any]]:
    return [
        {
            "label": each.name.removesuffix(" Integration"),
            "query": urlencode({"integration": each.kind}),
            "is_chosen": each == chosen,
        }
        for each in _list_outbound(connection)
    ]


def _find_chosen(chooser: RecordChooser, text: str) -> Choice | None:
    try:
        return chooser.find(UUID(text))
    except ValueError:
        return None


def _build_record_url(*, access: ObjectAccess, chosen: Choice) -> str:
    return "" if chosen.is_deleted else reverse("record", args=(access.vault_object.api_name, chosen.uid))


def _show_result(result: Look | Sent, *, may_see_runs: bool) -> dict[str, Any]:
    """Return what the page shows of a look or of a send: outcome, fields, requests and answers."""
    finding = result.finding
    is_sent = isinstance(result, Sent)
    run = result.run if isinstance(result, Sent) else None
    return {
        "is_sent": is_sent,
        "run": run,
        "run_url": reverse("admin:jobs_jobrun_change", args=(run.pk,)) if run is not None and may_see_runs else "",
        "error": result.error,
        "finding": finding,
        "tone": _choose_tone(finding, is_sent=is_sent),
        "fields": [(name, show_value(old), show_value(new)) for name, (old, new) in finding.fields.items()]
        if finding is not None
        else [],
        "is_new": finding is not None and finding.outcome == OneRecordOutcome.CREATE,
        "writes": [_show_exchange(each) for each in result.writes],
        "reads": [each for each in result.exchanges if not each.is_write],
        "may_send": not is_sent and bool(result.writes),
    }


def _choose_tone(finding: Finding | None, *, is_sent: bool) -> str:
    if finding is None:
        return "failed"
    if finding.outcome in MOVED:
        return "ok" if is_sent else "inactive"
    return _TONES[finding.outcome]


def _show_exchange(exchange: Exchange) -> dict[str, Any]:
    return {"exchange": exchange, "headers": sorted(exchange.headers.items()), "answer": _indent(exchange.answer)}


def _indent(text: str) -> str:
    """Return JSON in lines, anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
