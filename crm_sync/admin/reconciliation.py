"""The page *Reconciliation* of a connection: one word of every record, what nothing explains, and its repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.actions.repair_now import reconcile_now, repair_now
from crm_sync.choices import RecordWord
from crm_sync.crm.errors import CrmError
from crm_sync.models import Difference, Reconciliation
from crm_sync.reconciliation.selectors import get_latest_reconciliation
from crm_sync.reconciliation.verdicts import describe_fields
from ctms.accounts.policies import list_visible
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_user
from ctms.core.errors import VaultError
from ctms.core.text.whole_numbers import read_whole_number

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

ROWS = 50


@extend_page(Connection)
class ConnectionReconciliation(AuditedModelAdmin):
    """Adds the page to connections. Whoever may change a connection sees it, because it shows values of records."""

    actions_detail: Any = ("reconciliation",)

    @action(description="Reconciliation", url_path="reconciliation", permissions=["change"], icon="fact_check")
    def reconciliation(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the last reconciliation; with POST, start one or repair."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        found = get_latest_reconciliation(connection)
        if request.method == "POST":
            self._act(request, connection=connection, found=found)
            return HttpResponseRedirect(request.get_full_path())
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Reconciliation",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "found": found,
            "table": _build_table(found) if found else None,
            "back_url": self.get_change_url(connection),
            **(
                _list_differences(
                    _see_differences(found, request),
                    word=request.GET.get("word", ""),
                    page=request.GET.get("page", "1"),
                )
                if found
                else {}
            ),
        }
        return TemplateResponse(request, "admin/crm_sync/reconciliation.html", context)

    def _act(self, request: HttpRequest, *, connection: Connection, found: Reconciliation | None) -> None:
        """Do what the button asked for, and tell what was done or refused."""
        try:
            if request.POST.get("do") == "reconcile" or found is None:
                reconcile_now(connection=connection, user=get_user(request))
                told = f"A reconciliation of {connection} was started; see Job Status."
            else:
                repair = repair_now(
                    connection=connection,
                    differences=_choose(_see_differences(found, request), request.POST),
                    actor=build_actor(request),
                )
                told = f"{repair.repaired:,} repaired: the next transfer sends or reads them again."
                if repair.run is not None:
                    told = f"{repair.repaired:,} repaired: a transfer was started that sends or reads them again."
        except (VaultError, CrmError) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, told, messages.SUCCESS)


def _see_differences(found: Reconciliation, request: HttpRequest) -> QuerySet[Difference]:
    """Return the differences in records that the user sees."""
    return list_visible(found.differences.all(), get_user(request))


def _choose(differences: QuerySet[Difference], asked: Any) -> QuerySet[Difference]:
    """Return the one difference that was asked for, or all of a word, or all."""
    if asked.get("difference"):
        number = read_whole_number(asked["difference"])
        return differences.filter(pk=number) if number is not None else differences.none()
    return differences.filter(word=asked["word"]) if asked.get("word") else differences


def _build_table(found: Reconciliation) -> dict[str, Any]:
    """Return the numbers of records by word and integration, and the integrations that could not be compared."""
    kinds = [kind for kind in IntegrationKind if kind in found.counts]
    rows = [(word.label, [found.counts[kind].get(word, 0) for kind in kinds]) for word in RecordWord]
    return {
        "columns": [kind.label.removesuffix(" Integration") for kind in kinds],
        "rows": [row for row in rows if any(row[1])],
        "errors": [(IntegrationKind(kind).label if kind else "", text) for kind, text in found.errors.items()],
    }


def _list_differences(differences: QuerySet[Difference], *, word: str, page: str) -> dict[str, Any]:
    """Return a page of differences, of one word or all, with the words that there are."""
    words = [
        {"value": each, "label": each.label, "number": number}
        for each in RecordWord
        if (number := differences.filter(word=each).count())
    ]
    chosen = word if word in {each["value"] for each in words} else ""
    shown = differences.select_related("integration__rule")
    paginator = Paginator(shown.filter(word=chosen) if chosen else shown, ROWS)
    rows = paginator.get_page(page)
    return {
        "words": words,
        "shown": sum(each["number"] for each in words),
        "word": chosen,
        "word_label": RecordWord(chosen).label if chosen else "",
        "page": rows,
        "rows": [_build_row(difference) for difference in rows],
        "may_repair": differences.filter(is_repaired=False).exists(),
    }


def _build_row(difference: Difference) -> dict[str, Any]:
    uid, is_gone = difference.record_uid, difference.word == RecordWord.ORPHANED
    is_here = uid is not None and (not is_gone or difference.integration.is_inbound)
    return {
        "difference": difference,
        "url": reverse("record", args=(difference.integration.rule.vault_object, uid)) if is_here else "",
        "fields": describe_fields(difference.fields),
    }
