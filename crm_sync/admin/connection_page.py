"""The page on which a connection opens; its form is the action *Edit*."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from connections.callbacks import explain_unconfirmed
from connections.models import Connection
from crm_sync.admin.connection_health import build_items_url
from crm_sync.diagnostics.calls import describe_quota, summarise_times
from crm_sync.diagnostics.health import list_connection_health
from crm_sync.diagnostics.run_figures import (
    IntegrationFigures,
    RunFigures,
    find_usual_seconds,
    list_integration_figures,
    list_run_figures,
)
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.live.words import describe_pace
from crm_sync.reconciliation.selectors import get_latest_reconciliation
from crm_sync.schedules import plan_transfers
from ctms.accounts.policies import has_permission, list_visible
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.readonly import CountedChangeList
from ctms.audit.admin.theme import ChangeList
from ctms.audit.admin.writing import get_user
from ctms.core.charts import Chart, ChartKind, Series
from ctms.core.choices import RecordStatus
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.progress import format_seconds
from ctms.jobs.services import start_unit
from exceptions_log.models import ExceptionItem
from exceptions_log.problems import list_problems
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import Model
    from django.http import HttpRequest, HttpResponse

_PROBLEMS_SHOWN = 10
_FEWEST_IN_A_LINE = 2
# What is done with a connection that works, before what is changed of it; others follow in their own order.
_FIRST_ACTIONS = (
    "preview_transfer",
    "test_one_record",
    "test_connection",
    "reconciliation",
    "pause",
    "resume",
    "unmatched",
)


class ConnectionList(CountedChangeList):
    """The list of connections, whose names lead to their pages and not to their forms."""

    def url_for_result(self, result: Any) -> str:
        return build_page_url(result.pk)


@extend_page(Connection)
class ConnectionPage(AuditedModelAdmin):
    """Adds the page at the address of the connection, to which its list leads."""

    def get_urls(self) -> list[URLPattern]:
        name = "connections_connection"
        return [
            path("<int:pk>/", self.admin_site.admin_view(self.show_page), name=f"{name}_page"),
            path("<int:pk>/start-now/", self.admin_site.admin_view(self.start_now), name=f"{name}_start_now"),
            *super().get_urls(),
        ]

    def get_change_url(self, record: Model) -> str:
        """Return the page: what is done with a connection leads back to it, and not to its form."""
        return build_page_url(record.pk)

    def response_post_save_change(self, request: HttpRequest, obj: Connection) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(build_page_url(obj.pk))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's signature
        return ConnectionList

    def show_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how the connection is, what it moved and what stands in the way."""
        connection = self.get_object(request, str(pk))
        if not isinstance(connection, Connection) or not self.has_view_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not see it.")
        user = get_user(request)
        runs = list_run_figures(connection)
        may_see_runs = has_permission(user=user, permission="admin:jobs")
        problems = []
        if has_permission(user=user, permission=f"{ExceptionItem.object_name}:read"):
            items = list_visible(list_open_items().filter(message__connection=connection), user)
            problems = list_problems(items)
        usual = find_usual_seconds(runs)
        (health,) = list_connection_health([connection])
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": connection.name,
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "state": health.state,
            "unconfirmed": explain_unconfirmed(connection),
            "unmatched": health.unmatched_persons,
            "unmatched_url": reverse("admin:connections_connection_unmatched", args=(pk,)),
            "plan": plan_transfers(connection),
            "pace": describe_pace(connection),
            "chart": _build_chart(runs, may_see_runs=may_see_runs) if runs else None,
            "runs": runs,
            "last_run": runs[-1] if runs else None,
            "usual": tuple(map(format_seconds, usual)) if usual else None,
            "calls": sum(each.api_calls for each in runs),
            "quota": describe_quota(connection),
            "times": summarise_times(sum((each.times for each in runs), Counter())),
            "times_chart": _build_times_chart(runs),
            "integrations": [
                _build_row(each, may_see_runs=may_see_runs)
                for each in list_integration_figures(connection, run_ids=[each.run.pk for each in runs])
            ],
            "found": get_latest_reconciliation(connection),
            "problems": problems[:_PROBLEMS_SHOWN],
            "more_problems": len(problems[_PROBLEMS_SHOWN:]),
            "problems_url": build_items_url(connection.pk),
            "items_url": reverse("admin:exceptions_log_exceptionitem_changelist"),
            "runs_url": reverse("admin:jobs_jobrun_changelist") if may_see_runs else "",
            "may_change": self.has_change_permission(request, connection),
            "is_active": connection.status == RecordStatus.ACTIVE,
            "page_actions": _list_links(self.get_actions_detail(request, pk), pk=pk),
            "edit_url": reverse("admin:connections_connection_change", args=(pk,)),
        }
        return TemplateResponse(request, "admin/crm_sync/connection_page.html", context)

    def start_now(self, request: HttpRequest, pk: int) -> HttpResponse:
        """With POST, start a transfer of this connection; a paused or Inactive one is refused with the remedy."""
        connection = self.get_object(request, str(pk))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        if request.method == "POST":
            self._start_transfer(request, connection)
        return HttpResponseRedirect(build_page_url(pk))

    def _start_transfer(self, request: HttpRequest, connection: Connection) -> None:
        if connection.paused_at is not None:
            told = f"{connection} is paused, so no transfer was started. Resume it first."
        elif connection.status != RecordStatus.ACTIVE:
            told = f"{connection} is Inactive, so no transfer was started. Activate it first."
        else:
            definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
            try:
                start_unit(definition=definition, unit=build_unit(connection), user=get_user(request))
            except JobAlreadyRunningError as error:
                told = str(error)
            else:
                self.message_user(request, f"A transfer of {connection} was started.", messages.SUCCESS)
                return
        self.message_user(request, told, messages.ERROR)


def build_page_url(connection_id: int) -> str:
    """Return the address of a connection's page."""
    return reverse("admin:connections_connection_page", args=(connection_id,))


def _list_links(actions: Iterable[Any], *, pk: int) -> list[dict[str, str]]:
    """Return label and address of these actions of Unfold, those used most first."""
    lead = "connections_connection_"
    places = {f"{lead}{name}": place for place, name in enumerate(_FIRST_ACTIONS)}
    ordered = sorted(actions, key=lambda each: places.get(each.action_name, len(places)))
    return [{"label": each.description, "url": reverse(f"admin:{each.action_name}", args=(pk,))} for each in ordered]


def _build_chart(runs: Sequence[RunFigures], *, may_see_runs: bool) -> Chart:
    links = tuple(reverse("admin:jobs_jobrun_change", args=(each.run.pk,)) for each in runs) if may_see_runs else ()
    figures = (
        ("Sent", [each.sent for each in runs]),
        ("Received", [each.received for each in runs]),
        ("Failed", [each.failed for each in runs]),
        ("Waiting for a parent", [each.blocked for each in runs]),
    )
    return Chart(
        kind=ChartKind.STACKED,
        title=f"Records of the last {len(runs)} transfers" if len(runs) > 1 else "Records of the last transfer",
        categories=_name_runs([each.run for each in runs]),
        series=tuple(Series(label=label, values=tuple(values), links=links) for label, values in figures),
        value_label="Records",
        ordered=True,
    )


def _build_times_chart(runs: Sequence[RunFigures]) -> Chart | None:
    """Return how long a call took in each run; None if fewer than two runs made calls."""
    figures = [summarise_times(each.times) for each in runs]
    if sum(each is not None for each in figures) < _FEWEST_IN_A_LINE:
        return None
    lines = (
        ("Median", [round(each.median) if each else None for each in figures]),
        ("95 % within", [round(each.most) if each else None for each in figures]),
    )
    return Chart(
        kind=ChartKind.LINE,
        title="Milliseconds until the CRM answered a call",
        categories=_name_runs([each.run for each in runs]),
        series=tuple(Series(label=label, values=tuple(values)) for label, values in lines),
        unit="ms",
        ordered=True,
    )


def _name_runs(runs: Sequence[JobRun]) -> tuple[str, ...]:
    return tuple(f"{run.slot:%d %b %H:%M}" for run in runs)


def _build_row(figures: IntegrationFigures, *, may_see_runs: bool) -> dict[str, Any]:
    """Return an integration with the addresses of its rule, of the records of its last run, and of its failures."""
    records = ""
    if figures.last is not None and may_see_runs:
        query = urlencode({"run__id__exact": figures.last.run_id, "integration__id__exact": figures.integration.pk})
        records = f"{reverse('admin:crm_sync_transferattempt_changelist')}?{query}"
    rule = reverse("admin:connections_integrationrule_change", args=(figures.integration.rule.pk,))
    return {"figures": figures, "records_url": records, "rule_url": rule}
