"""The page *CRM Description*: the organisation's objects and fields, what has changed, and which rules it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from connections.crmdescription import read_json
from connections.descriptions import list_concerned_rules, list_unseen_changes, mark_changes_seen
from connections.models import Connection, CrmObjectDescription, FieldRule
from connections.pickers import describe_field
from crm_sync.crm.errors import CrmError
from crm_sync.diagnostics.description_refresh import REFRESH_SECONDS, refresh_now
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import get_user
from ctms.core.text.whole_numbers import read_whole_number

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from connections.models import CrmFieldChange, IntegrationRule

_SHOWN = 200


@extend_page(Connection)
class CrmDescriptionPage(AuditedModelAdmin):
    """Adds the action that shows what the CRM has described, and refreshes it. That calls the CRM, so it is a POST."""

    actions_detail: Any = ("crm_description",)

    @action(description="CRM Description", url_path="crm-description", permissions=["change"], icon="schema")
    def crm_description(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the page; with POST, refresh the description or mark the changes as seen."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        if request.method == "POST":
            self._answer_post(request, connection=connection)
            return HttpResponseRedirect(request.path)
        request.current_app = self.admin_site.name
        changes = list_unseen_changes(connection)
        rows = [_build_row(change, connection=connection) for change in changes[:_SHOWN]]
        rows.sort(key=lambda row: not row["rules"])
        context = {
            **self.admin_site.each_context(request),
            "title": "CRM Description",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "seconds": REFRESH_SECONDS,
            "rows": rows,
            "last_change": max((row["change"].pk for row in rows), default=0),
            "concerned": sum(bool(row["rules"]) for row in rows),
            "more": max(changes.count() - _SHOWN, 0),
            "objects": [
                _build_object(each)
                for each in CrmObjectDescription.objects.filter(connection=connection).select_related("described_by")
            ],
            "back_url": self.get_change_url(connection),
        }
        return TemplateResponse(request, "admin/crm_sync/crm_description.html", context)

    def _answer_post(self, request: HttpRequest, *, connection: Connection) -> None:
        if request.POST.get("do") == "seen":
            last = read_whole_number(request.POST.get("up_to", ""))
            number = mark_changes_seen(connection=connection, user=get_user(request), up_to=last or 0)
            self.message_user(request, f"{number} changes were marked as seen.", messages.SUCCESS)
            return
        try:
            done = refresh_now(connection=connection, user=get_user(request))
        except CrmError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        told = f"{len(done.described)} objects were described; {done.changes or 'no'} changes since the last time."
        self.message_user(request, told, messages.SUCCESS)
        if done.missing:
            self.message_user(
                request,
                f"The CRM has no {', '.join(done.missing)}, or its user may not see it.",
                messages.WARNING,
            )


def _build_row(change: CrmFieldChange, *, connection: Connection) -> dict[str, Any]:
    rules = list_concerned_rules(connection=connection, object_name=change.description.name, field=change.field)
    return {"change": change, "rules": [(str(rule), _get_url(rule)) for rule in rules]}


def _get_url(rule: FieldRule | IntegrationRule) -> str:
    pk = rule.rule_id if isinstance(rule, FieldRule) else rule.pk
    anchor = f"#field-rule-{rule.pk}" if isinstance(rule, FieldRule) else ""
    return reverse("admin:connections_integrationrule_change", args=(pk,)) + anchor


def _build_object(stored: CrmObjectDescription) -> dict[str, Any]:
    described = read_json(stored.content)
    fields = sorted(described.fields.values(), key=lambda field: field.name.casefold())
    return {"stored": stored, "label": described.label, "fields": [describe_field(field) for field in fields]}
