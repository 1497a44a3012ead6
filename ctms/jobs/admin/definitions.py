"""The console page of Job Definitions: activate, reschedule and start jobs, and see which are overdue."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from unfold.widgets import UnfoldAdminSelectWidget

from ctms.accounts.forms import list_zones
from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.columns import show_moment
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import build_actor, get_expected_version, get_user
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event, save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_database_now
from ctms.core.errors import VaultError
from ctms.core.zones import find_zone
from ctms.jobs.admin.kept_rows import show_kept_rows
from ctms.jobs.admin.mail import show_test_mail
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.cron import CronError
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import find_about, get_handler
from ctms.jobs.schedules import describe_schedule, format_local, list_planned_runs
from ctms.jobs.selectors import list_overdue_jobs
from ctms.jobs.services import reset_clock, start_now

_SCHEDULE_FIELDS = {"status", "frequency", "minute", "hour", "weekday", "cron", "time_zone"}
# Frequency → the fields that it uses, with their help texts.
_HELP = {
    Frequency.HOURLY: {"minute": "0–59: the minute of every hour."},
    Frequency.DAILY: {"hour": "0–23", "minute": "0–59"},
    Frequency.WEEKLY: {"weekday": "The day on which it runs.", "hour": "0–23", "minute": "0–59"},
    Frequency.CRON: {
        "cron": "Five fields: minute, hour, day of month, month, day of week. 30 6 * * mon-fri is 06:30 on "
        "working days, */15 * * * * every quarter of an hour."
    },
}


@admin.register(JobDefinition)
class JobDefinitionAdmin(AuditedModelAdmin):
    """Jobs are registered by apps, so they are activated, rescheduled and started here, but not added or deleted."""

    list_display = ("name", "show_status", "show_schedule", "show_next_run", "show_last_run", "owner")
    list_filter = ("status",)
    list_select_related = ("clock", "owner")
    list_before_template = "admin/jobs/overdue.html"
    search_fields = ("name",)
    readonly_fields = ("key", "show_schedule", "show_next_runs", "show_last_run")
    actions_detail = ("start_now",)
    actions_list = ("send_test_mail", "kept_rows")
    actions = None
    fieldsets = (
        (None, {"fields": (("name", "key"), ("status", "owner"))}),
        (
            "Schedule",
            {
                "fields": (
                    ("frequency", "weekday"),
                    ("hour", "minute"),
                    ("cron", "time_zone"),
                    "show_schedule",
                    "show_next_runs",
                    "show_last_run",
                ),
                "description": "An Active job runs by itself at these times. Start Now runs it at once, Active or not.",
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: JobDefinition | None = None) -> Any:
        """Return the declared fieldsets, with what the job does at the top."""
        (title, options), *others = super().get_fieldsets(request, obj)
        return [(title, {**options, "description": find_about(obj.key) if obj else ""}), *others]

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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {**(extra_context or {})}
        if self.has_view_permission(request):
            context["overdue_jobs"] = list_overdue_jobs()
        return super().changelist_view(request, context)

    def get_form(
        self,
        request: HttpRequest,
        obj: JobDefinition | None = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> type[forms.ModelForm[Any]]:
        """Give each schedule field a help text for the present frequency, or say that it is not used."""
        if obj is not None:
            frequency = Frequency(obj.frequency)
            unused = f"Not used while the frequency is {frequency.label}."
            used = _HELP[frequency]
            kwargs["help_texts"] = {name: used.get(name, unused) for name in ("weekday", "hour", "minute", "cron")}
        return super().get_form(request, obj, change, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the time zones that this machine knows."""
        if db_field.name == "time_zone":
            return forms.ChoiceField(
                choices=list_zones(present=""), widget=UnfoldAdminSelectWidget, help_text=db_field.help_text
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "owner":
            kwargs["queryset"] = User.objects.filter(is_active=True).exclude(username=SYSTEM_USERNAME)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

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
        """Return the next due time of an Active job. The clock of an Inactive job has one, too, but starts nothing."""
        clock = getattr(definition, "clock", None)
        if definition.status != RecordStatus.ACTIVE or clock is None:
            return "None while the job is Inactive"
        return show_moment(clock.next_run_at)

    @display(description="next runs")
    def show_next_runs(self, definition: JobDefinition) -> str:
        """Return the next three due times; if one has come already and not been dispatched, it is the first."""
        now = get_database_now()
        try:
            planned = list_planned_runs(schedule=definition, after=now, count=3)
        except CronError:
            return "–"
        lines = [" ".join(filter(None, (f"{each.local}.", each.note))) for each in planned]
        clock = getattr(definition, "clock", None)
        if clock is not None and clock.next_run_at <= now:
            lines = [f"{format_local(clock.next_run_at, find_zone(definition.time_zone))}.", *lines[:2]]
        if definition.status != RecordStatus.ACTIVE:
            lines.insert(0, "None while the job is Inactive. Were it Active:")
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))

    @display(description="last run")
    def show_last_run(self, definition: Any) -> str:
        if definition.last_state is None:
            return "Never"
        return f"{RunState(definition.last_state).label}, {format_time(definition.last_finished_at)}"

    @action(description="Start Now", url_path="start-now", permissions=["change"], icon="play_arrow")
    def start_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then queue a run for every unit of the job."""
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
            return HttpResponseRedirect(reverse("admin:jobs_jobrun_running"))
        except VaultError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.get_change_url(definition))
        if not runs:
            self.message_user(
                request, f"{definition} has nothing to work on: {get_handler(definition.key).idle}.", messages.WARNING
            )
            return HttpResponseRedirect(self.get_change_url(definition))
        record_event(
            actor=build_actor(request),
            action=AuditAction.EVENT,
            object_name=definition.object_name,
            record=definition,
            reason="Started now",
        )
        count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
        self.message_user(request, f"{definition} was started: {count} queued.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_running"))

    @action(description="Send test e-mail", url_path="test-e-mail", permissions=["change"], icon="mail")
    def send_test_mail(self, request: HttpRequest) -> HttpResponse:
        """Show how e-mail is sent, and send a test to the user's own address."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        return show_test_mail(self, request)

    @action(description="Kept rows", url_path="kept-rows", permissions=["view"], icon="inventory_2")
    def kept_rows(self, request: HttpRequest) -> HttpResponse:
        """Show what Housekeeping keeps, and for how long."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return show_kept_rows(self, request)
