"""The console pages of Job Status: scheduled, running and past runs, and cancelling them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ctms.accounts.policies import has_permission
from ctms.audit.admin.columns import clamp, show_moment
from ctms.audit.admin.filters import MomentFilter
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.readonly import CountedChangeList, ReadOnlyModelAdmin
from ctms.audit.admin.theme import ChangeList, action, display
from ctms.audit.admin.writing import build_actor, get_user
from ctms.core.clock import format_time
from ctms.jobs.admin.counts import build_result_table, show_count
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.jobs.errors import NotCancellableError
from ctms.jobs.models import JobRun
from ctms.jobs.planned import list_planned_runs
from ctms.jobs.progress import describe_progress, format_seconds
from ctms.jobs.registry import find_part_labels
from ctms.jobs.selectors import list_queued_runs, list_running_runs

STATE_LABELS = {
    RunState.QUEUED.label: "info",
    RunState.RUNNING.label: "info",
    RunState.SUCCEEDED.label: "success",
    RunState.WITH_EXCEPTIONS.label: "warning",
    RunState.FAILED.label: "danger",
    RunState.INTERRUPTED.label: "warning",
    RunState.CANCELLED.label: "warning",
}


class HistoryChangeList(CountedChangeList):
    """The list of runs that have ended; unfinished ones only if their state is filtered for."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[JobRun]:
        queryset: QuerySet[JobRun] = super().get_queryset(*args, **kwargs)
        return queryset if self.filter_params.get("state__exact") else queryset.exclude(state__in=UNFINISHED_STATES)


@register_page(JobRun)
class JobRunAdmin(ReadOnlyModelAdmin):
    """Job Status. The list itself is History; Scheduled and Running are further pages."""

    list_display = (
        "show_slot",
        "show_job",
        "show_unit",
        "show_state",
        "trigger",
        "show_duration",
        "count_sent",
        "count_received",
        "count_failed",
        "count_api_calls",
        "show_short_message",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        "definition",
        ("trigger", ChoicesDropdownFilter),
        ("slot", MomentFilter),
    )
    list_filter_submit = True
    list_select_related = ("definition",)
    list_before_template = "admin/jobs/status_tabs.html"
    list_per_page = 50
    search_fields = ("unit_label", "message", "log")
    actions_detail = ("cancel",)
    fields = (
        ("show_definition", "show_unit"),
        ("show_state", "show_duration"),
        ("trigger", "requested_by"),
        ("show_due", "attempt"),
        ("show_queued", "show_started"),
        ("show_finished", "show_cancellation"),
        "show_message",
        "show_result",
        "show_log",
    )
    readonly_fields = (
        "show_definition",
        "show_unit",
        "show_state",
        "show_duration",
        "show_due",
        "show_queued",
        "show_started",
        "show_finished",
        "show_cancellation",
        "show_message",
        "show_result",
        "show_log",
    )

    # -- The three pages ------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        return [
            path("scheduled/", self.admin_site.admin_view(self.show_scheduled), name="jobs_jobrun_scheduled"),
            path("running/", self.admin_site.admin_view(self.show_running), name="jobs_jobrun_running"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's signature
        return HistoryChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {"title": "Job Status: History", "tabs": _build_tabs("history"), **(extra_context or {})}
        return super().changelist_view(request, context)

    def show_scheduled(self, request: HttpRequest) -> HttpResponse:
        """Show what runs next by schedule, and the runs that wait for a worker."""
        return self._show_status(
            request,
            tab="scheduled",
            planned=list_planned_runs(),
            queued=list_queued_runs(),
        )

    def show_running(self, request: HttpRequest) -> HttpResponse:
        """Show the runs at work and their progress; a script on the page loads it again every few seconds."""
        return self._show_status(
            request,
            tab="running",
            running=[
                {
                    "run": running.run,
                    "progress": running.progress,
                    "duration": format_seconds(running.seconds),
                    "figures": describe_progress(running.progress),
                    "cancellation": running.run.describe_cancellation() if running.run.cancel_requested_at else "",
                }
                for running in list_running_runs()
            ],
            queued=list_queued_runs(),
        )

    def _show_status(self, request: HttpRequest, *, tab: str, **values: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": f"Job Status: {tab.title()}",
            "tabs": _build_tabs(tab),
            **values,
        }
        return TemplateResponse(request, f"admin/jobs/{tab}.html", context)

    # -- Cancel ---------------------------------------------------------------------------------------
    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002  Unfold's signature
        """Whether the user may manage jobs, and so cancel runs."""
        return has_permission(user=get_user(request), permission=JobRun.object_name)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions of a run; none if it has ended or is being cancelled."""
        open_runs = JobRun.objects.filter(state__in=UNFINISHED_STATES, cancel_requested_at__isnull=True)
        if not open_runs.filter(pk=unquote(str(object_id))).exists():
            return []
        return super().get_actions_detail(request, object_id)

    @action(description="Cancel", url_path="cancel", permissions=["cancel"], icon="cancel")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then cancel the run."""
        run = self.get_object(request, unquote(object_id))
        if run is None:
            raise Http404
        if request.method != "POST":
            return self._ask(request, run)
        try:
            cancelled = cancel_run(run=run, actor=build_actor(request))
        except NotCancellableError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            how = "was cancelled" if cancelled.state == RunState.CANCELLED else "stops after its current batch"
            self.message_user(request, f"{run} {how}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_running"))

    def _ask(self, request: HttpRequest, run: JobRun) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Cancel run",
            "subtitle": str(run),
            "opts": self.opts,
            "original": run,
            "form": Form(),
            "explanation": f"{run} stops after its current batch. What it has done by then stays, and the next run "
            "goes on from there. A bulk edit or an import ends for good. A run that has not begun does not begin.",
            "submit_label": "Cancel run",
            "cancel_url": reverse("admin:jobs_jobrun_running"),
            "media": Form().media,  # without the list's scripts
        }
        return TemplateResponse(request, "admin/action_form.html", context)

    # -- Columns --------------------------------------------------------------------------------------
    @display(description="due (UTC)", ordering="slot")
    def show_slot(self, run: JobRun) -> str:
        return show_moment(run.slot)

    @display(description="job", ordering="definition")
    def show_job(self, run: JobRun) -> str:
        return str(run.definition)

    @display(description="for", ordering="unit_label")
    def show_unit(self, run: JobRun) -> str:
        return run.unit_label or "–"

    @display(description="job")
    def show_definition(self, run: JobRun) -> str:
        """Return a link to the job's definition."""
        url = reverse("admin:jobs_jobdefinition_change", args=(run.definition_id,))
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, run.definition)

    @display(description="due")
    def show_due(self, run: JobRun) -> str:
        return format_time(run.slot)

    @display(description="queued")
    def show_queued(self, run: JobRun) -> str:
        return format_time(run.queued_at)

    @display(description="started")
    def show_started(self, run: JobRun) -> str:
        return format_time(run.started_at) if run.started_at else "–"

    @display(description="finished")
    def show_finished(self, run: JobRun) -> str:
        return format_time(run.finished_at) if run.finished_at else "–"

    @display(description="message")
    def show_message(self, run: JobRun) -> str:
        return run.message or "–"

    @display(description="state", label=STATE_LABELS, ordering="state")
    def show_state(self, run: JobRun) -> str:
        return run.get_state_display()

    @display(description="duration")
    def show_duration(self, run: JobRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return "–"
        return format_seconds((run.finished_at - run.started_at).total_seconds())

    @display(description="sent")
    def count_sent(self, run: JobRun) -> str:
        return show_count(run.result, "sent")

    @display(description="received")
    def count_received(self, run: JobRun) -> str:
        return show_count(run.result, "received")

    @display(description="failed")
    def count_failed(self, run: JobRun) -> str:
        return show_count(run.result, "failed")

    @display(description="API calls")
    def count_api_calls(self, run: JobRun) -> str:
        return show_count(run.result, "api_calls")

    @display(description="message")
    def show_short_message(self, run: JobRun) -> str:
        return clamp(run.message)

    @display(description="cancelled")
    def show_cancellation(self, run: JobRun) -> str:
        if run.cancel_requested_at is None:
            return "–"
        return f"By {run.cancel_requested_by} at {format_time(run.cancel_requested_at)}"

    @display(description="result")
    def show_result(self, run: JobRun) -> str:
        return build_result_table(result=run.result, part_labels=find_part_labels(run.definition.key))

    @display(description="log")
    def show_log(self, run: JobRun) -> str:
        return format_html("<pre class='vault-pre'>{}</pre>", run.log) if run.log else "–"


def _build_tabs(current: str) -> list[tuple[str, str, bool]]:
    pages = (("Scheduled", "scheduled"), ("Running", "running"), ("History", "changelist"))
    return [(label, reverse(f"admin:jobs_jobrun_{name}"), label.lower() == current) for label, name in pages]
