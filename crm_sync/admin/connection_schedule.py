"""The action Schedule of a connection: when it is transferred, and the next three times."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from connections.models import Connection, ConnectionSchedule
from crm_sync.schedules import plan_transfers, save_schedule
from ctms.accounts.forms import list_zones
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor
from ctms.core.errors import StaleRecordError
from ctms.jobs.choices import Frequency

# Frequency → the fields that it uses; the others keep their values unseen.
_USED = {
    Frequency.HOURLY: "minute",
    Frequency.DAILY: "hour and minute",
    Frequency.WEEKLY: "weekday, hour and minute",
    Frequency.CRON: "the cron expression",
}


class ConnectionScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # only the stub is generic
    """Asks whether a connection has a schedule of its own, and for that."""

    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = ConnectionSchedule
        fields = ("is_own", "frequency", "weekday", "hour", "minute", "cron", "time_zone")
        widgets = {
            "is_own": UnfoldBooleanSwitchWidget,
            "frequency": UnfoldAdminSelectWidget,
            "weekday": UnfoldAdminSelectWidget,
            "hour": UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
            "minute": UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
            "cron": UnfoldAdminTextInputWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["frequency"].help_text = " ".join(
            f"{frequency.label} uses {fields}." for frequency, fields in _USED.items()
        )
        self.fields["cron"].help_text = (
            "Minute, hour, day of month, month, day of week. 30 6 * * mon-fri is 06:30 on working days, */15 * * * * "
            "every quarter of an hour."
        )
        self.fields["time_zone"] = forms.ChoiceField(
            choices=list_zones(present=self.instance.time_zone),
            widget=UnfoldAdminSelectWidget,
            help_text="Hours, days and weekdays are those of clocks there, in summer and in winter.",
        )
        if self.instance.pk is not None:
            self.initial["read_version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk is not None and cleaned.get("read_version") is None:
            raise ValidationError("The form came without the record's version. Reload the page and enter it again.")
        return cleaned


@extend_page(Connection)
class ConnectionSchedulePage(AuditedModelAdmin):
    """Adds the action Schedule."""

    actions_detail: Any = ("schedule",)

    @action(description="Schedule", url_path="schedule", permissions=["change"], icon="schedule")
    def schedule(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the schedule and the next three times; with POST, save what was entered."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        stored = ConnectionSchedule.objects.filter(connection=connection).first()
        form = ConnectionScheduleForm(
            request.POST or None, instance=stored or ConnectionSchedule(connection=connection)
        )
        if request.method == "POST" and form.is_valid() and self._save_schedule(request, form):
            plan = plan_transfers(connection)
            following = f" Next: {plan.planned[0].local}." if plan.planned else ""
            self.message_user(request, f"The schedule was saved: {plan.words}.{following}", messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:connections_connection_schedule", args=(connection.pk,)))
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Schedule",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "form": form,
            "plan": plan_transfers(connection),
            "cancel_url": self.get_change_url(connection),
            "submit_label": "Save schedule",
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/crm_sync/schedule.html", context)

    def _save_schedule(self, request: HttpRequest, form: ConnectionScheduleForm) -> bool:
        """Save the schedule; False, with the reason in the form, if that was refused."""
        try:
            save_schedule(
                schedule=form.instance,
                actor=build_actor(request),
                expected_version=form.cleaned_data["read_version"] if form.instance.pk else None,
            )
        except ValidationError as error:
            form.add_error(None, error)
        except StaleRecordError as error:
            form.add_error(None, str(error))
        else:
            return True
        return False
