"""Operations in the admin: Job Definitions with Start Now, Job Status."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import get_expected_version, get_user
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.jobs.services import JobAlreadyRunningError, reset_clock, start_now

_SCHEDULE_FIELDS = {"status", "frequency", "minute", "hour", "weekday"}

# The usual counts in the order in which they are read; others follow by name.
_COUNTS = (
    "selected",
    "sent",
    "received",
    "created",
    "updated",
    "deleted",
    "unchanged",
    "failed",
    "blocked",
    "api_calls",
)

STATE_LABELS = {
    RunState.QUEUED.label: "info",
    RunState.RUNNING.label: "info",
    RunState.SUCCEEDED.label: "success",
    RunState.WITH_EXCEPTIONS.label: "warning",
    RunState.FAILED.label: "danger",
    RunState.INTERRUPTED.label: "warning",
}


def describe_schedule(definition: JobDefinition) -> str:
    """When the job is due, in words."""
    if definition.frequency == Frequency.HOURLY:
        return f"Every hour at minute {definition.minute}"
    time = f"{definition.hour:02}:{definition.minute:02} UTC"
    if definition.frequency == Frequency.DAILY:
        return f"Every day at {time}"
    return f"Every {definition.get_weekday_display()} at {time}"


@admin.register(JobDefinition)
class JobDefinitionAdmin(AuditedModelAdmin):
    """Jobs are delivered with the Vault: they are activated, rescheduled and started here."""

    list_display = ("name", "show_status", "show_schedule", "show_next_run", "show_last_run")
    list_filter = ("status",)
    list_select_related = ("clock",)
    search_fields = ("name",)
    readonly_fields = ("key", "show_schedule", "show_next_run", "show_last_run")
    actions_detail = ("start_now",)
    actions = None
    fieldsets = (
        (None, {"fields": ("name", "key", "status")}),
        (
            "Schedule",
            {
                "fields": (
                    ("frequency", "weekday"),
                    ("hour", "minute"),
                    "show_schedule",
                    "show_next_run",
                    "show_last_run",
                ),
                "description": "An Active job runs by itself at these times. Start Now runs it at once, Active or not.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobDefinition]:
        last = JobRun.objects.filter(definition=OuterRef("pk"), finished_at__isnull=False).order_by("-id")
        definitions: QuerySet[JobDefinition] = super().get_queryset(request)
        return definitions.annotate(
            last_state=Subquery(last.values("state")[:1]), last_finished_at=Subquery(last.values("finished_at")[:1])
        )

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def write_record(self, *, record: JobDefinition, form: Any, actor: Actor) -> None:
        save_record(record=record, actor=actor, expected_version=get_expected_version(form))
        if _SCHEDULE_FIELDS.intersection(form.changed_data):
            reset_clock(record)

    @display(description="status", label={"Active": "success", "Inactive": "info"}, ordering="status")
    def show_status(self, definition: JobDefinition) -> str:
        return definition.get_status_display()

    @display(description="schedule")
    def show_schedule(self, definition: JobDefinition) -> str:
        return describe_schedule(definition)

    @display(description="next run (UTC)")
    def show_next_run(self, definition: JobDefinition) -> str:
        """A clock runs on while the job is Inactive, but nothing is started then."""
        clock = getattr(definition, "clock", None)
        if definition.status != RecordStatus.ACTIVE or clock is None:
            return "None while the job is Inactive"
        return f"{clock.next_run_at:%Y-%m-%d %H:%M}"

    @display(description="last run")
    def show_last_run(self, definition: Any) -> str:
        if definition.last_state is None:
            return "Never"
        return f"{RunState(definition.last_state).label}, {definition.last_finished_at:%Y-%m-%d %H:%M} UTC"

    @action(description="Start Now", url_path="start-now", permissions=["change"], icon="play_arrow")
    def start_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then queue a run of every unit of the job."""
        definition = self.get_object(request, unquote(object_id))
        if definition is None or not self.has_change_permission(request, definition):
            raise PermissionDenied
        if request.method != "POST":
            return self.show_action(
                request,
                record=definition,
                title="Start Now",
                form=forms.Form(),
                submit_label="Start Now",
                explanation=f"{definition} runs at once, beside its schedule. Job Status shows how it goes.",
            )
        try:
            runs = start_now(definition=definition, user=get_user(request))
        except JobAlreadyRunningError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.get_change_url(definition))
        if not runs:
            self.message_user(
                request, f"{definition} has nothing to work on: no connection is Active.", messages.WARNING
            )
            return HttpResponseRedirect(self.get_change_url(definition))
        self.message_user(request, f"{definition} was started: {len(runs)} run(s) queued.", messages.SUCCESS)
        return HttpResponseRedirect(f"{reverse('admin:jobs_jobrun_changelist')}?definition__id__exact={definition.pk}")


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyModelAdmin):
    """Job Status: what is scheduled, runs, and ran."""

    list_display = (
        "show_slot",
        "show_job",
        "show_unit",
        "show_state",
        "trigger",
        "show_duration",
        "show_counts",
        "message",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        "definition",
        ("trigger", ChoicesDropdownFilter),
        ("slot", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("definition",)
    list_per_page = 50
    search_fields = ("unit_label", "message")
    fields = (
        ("definition", "unit_label"),
        ("show_state", "show_duration"),
        ("trigger", "requested_by"),
        ("slot", "attempt"),
        ("queued_at", "started_at"),
        "finished_at",
        "message",
        "show_result",
        "show_log",
    )
    readonly_fields = ("show_state", "show_duration", "show_result", "show_log")

    @display(description="due (UTC)", ordering="slot")
    def show_slot(self, run: JobRun) -> str:
        return f"{run.slot:%Y-%m-%d %H:%M}"

    @display(description="job", ordering="definition")
    def show_job(self, run: JobRun) -> str:
        return str(run.definition)

    @display(description="for", ordering="unit_label")
    def show_unit(self, run: JobRun) -> str:
        return run.unit_label or "–"

    @display(description="state", label=STATE_LABELS, ordering="state")
    def show_state(self, run: JobRun) -> str:
        return run.get_state_display()

    @display(description="duration")
    def show_duration(self, run: JobRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return "–"
        seconds = (run.finished_at - run.started_at).total_seconds()
        minutes, rest = divmod(round(seconds), 60)
        return f"{seconds:.1f} s" if seconds < 60 else f"{minutes} min {rest} s"  # noqa: PLR2004  seconds of a minute

    @display(description="counts")
    def show_counts(self, run: JobRun) -> str:
        """The sums over the parts of the run, less those that are nothing."""
        return ", ".join(f"{_name(count)} {value:,}" for count, value in sum_counts(run.result).items() if value) or "–"

    @display(description="result")
    def show_result(self, run: JobRun) -> str:
        """A table with a row for each part of the run."""
        parts = {part: counts for part, counts in run.result.items() if isinstance(counts, dict)}
        if not parts:
            return "–"
        columns = list(sum_counts(run.result))
        head = format_html_join("", "<th scope='col'>{}</th>", ((_name(column),) for column in columns))
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th>{}</tr>",
            (
                (part, format_html_join("", "<td>{}</td>", ((counts.get(column, "–"),) for column in columns)))
                for part, counts in sorted(parts.items())
            ),
        )
        return format_html(
            "<table class='vault-table'><thead><tr><th scope='col'>Part</th>{}</tr></thead><tbody>{}</tbody></table>",
            head,
            rows,
        )

    @display(description="log")
    def show_log(self, run: JobRun) -> str:
        return format_html("<pre class='vault-pre'>{}</pre>", run.log) if run.log else "–"


def sum_counts(result: dict[str, Any]) -> dict[str, int]:
    """Counts of a run's result, summed over its parts: `{"a": {"sent": 2}, "b": {"sent": 1}}` → `{"sent": 3}`."""
    totals: dict[str, int] = {}
    for counts in result.values():
        for name, value in counts.items() if isinstance(counts, dict) else ():
            totals[name] = totals.get(name, 0) + value
    # PostgreSQL keeps the keys of JSON in an order of its own.
    order = {name: position for position, name in enumerate(_COUNTS)}
    return dict(sorted(totals.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def _name(count: str) -> str:
    return count.replace("_", " ").replace("api", "API")


@admin.register(Lease)
class LeaseAdmin(ReadOnlyModelAdmin):
    """Who works on what at this moment."""

    view_permission = "admin:jobs"
    list_display = ("key", "run", "expires_at", "token")
    list_select_related = ("run__definition",)
