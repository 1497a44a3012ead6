"""The page of a report's schedule: when and to whom it is sent, what became of it, and what can be done."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ctms.accounts.login_resume import login_required
from ctms.accounts.mail import MailError
from ctms.core.clock import get_database_now
from ctms.core.errors import StaleRecordError
from ctms.core.rate_limits import count_request
from ctms.records.requests import build_actor, get_user, read_version
from ctms.reports.access import StoredReport
from ctms.reports.choices import DeliveryState
from ctms.reports.errors import ReportError
from ctms.reports.flash.forms import ScheduleForm
from ctms.reports.flash.recipients import has_left, list_recipients
from ctms.reports.flash.requests import open_or_404, open_to_schedule
from ctms.reports.flash.schedule import describe_schedule, list_next, read_schedule
from ctms.reports.flash.sending import send_to_me
from ctms.reports.flash.services import (
    NotTakenOverError,
    is_job_active,
    remove_schedule,
    retry_delivery,
    save_schedule,
    take_over,
)
from ctms.reports.models import FlashDelivery, FlashReport

_NEXT, _HISTORY = 3, 30
PREVIEW = "preview"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def show_schedule(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Show the schedule. A POST saves it, or shows the next times that it would have."""
    stored = open_or_404(request, uid) if request.method != "POST" else open_to_schedule(request, uid)
    flash = FlashReport.objects.filter(report=stored.report).first()
    if flash is None:
        flash = FlashReport(report=stored.report, time_zone=get_user(request).time_zone)
    flash.report = stored.report
    form = ScheduleForm(request.POST or None, instance=flash)
    if request.method == "POST" and form.is_valid() and request.POST.get("action") != PREVIEW:
        version = read_version(request) if flash.pk else None
        try:
            save_schedule(flash=flash, actor=build_actor(request), expected_version=version)
        except StaleRecordError:
            form.add_error(None, "Somebody else changed the schedule meanwhile. Load the page again to see how.")
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"The schedule was saved: {describe_schedule(flash)}.")
            return redirect("report_schedule", uid)
    return _render(request, stored=stored, flash=flash, form=form)


@require_POST
@login_required
def remove(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Remove the schedule with its history."""
    stored = open_to_schedule(request, uid)
    remove_schedule(report=stored.report, actor=build_actor(request))
    messages.success(request, "The schedule was removed. The report is not sent any more.")
    return redirect("report_schedule", uid)


@require_POST
@login_required
def send_now(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Send the e-mail to its reader alone, as it would come now."""
    stored = open_or_404(request, uid)
    count_request(scope="exports", key=get_user(request).pk)
    try:
        told = send_to_me(stored=stored, actor=build_actor(request))
    except (MailError, ReportError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, told)
    return redirect("report_schedule", uid)


@require_POST
@login_required
def take_over_report(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Make the user the owner of a report whose owner has left."""
    stored = open_or_404(request, uid)
    try:
        take_over(report=stored.report, actor=build_actor(request))
    except NotTakenOverError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The report is yours now.")
    return redirect("report_schedule", uid)


@require_POST
@login_required
def retry(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Try a failed delivery again now."""
    delivery = FlashDelivery.objects.select_related("flash__report").filter(uid=uid).first()
    if delivery is None:
        raise Http404("There is no such delivery.")
    report = open_to_schedule(request, delivery.flash.report.uid).report
    if retry_delivery(delivery=delivery, user=get_user(request)):
        messages.success(request, "It is being sent again. Load the page again in a moment to see how it went.")
    else:
        messages.info(request, "Nothing was sent again: it has not failed (any more).")
    return redirect("report_schedule", report.uid)


def _render(request: HttpRequest, *, stored: StoredReport, flash: FlashReport, form: ScheduleForm) -> HttpResponse:
    user, now = get_user(request), get_database_now()
    is_shown = not form.is_bound or form.is_valid()
    is_kept = bool(flash.pk) and stored.can_share
    deliveries = list(FlashDelivery.objects.filter(flash=flash)[:_HISTORY]) if is_kept else []
    context = {
        "stored": stored,
        "report": stored.report,
        "flash": flash,
        "form": form,
        "schedule": describe_schedule(flash),
        "next_moments": list_next(schedule=read_schedule(flash), after=now, count=_NEXT) if is_shown else [],
        "deliveries": deliveries,
        "failed": DeliveryState.FAILED,
        "recipients": list_recipients(flash) if is_kept else None,
        "has_left": has_left(stored.report),
        "is_unsubscribed": bool(flash.pk) and flash.unsubscriptions.filter(user=user).exists(),
        "is_job_active": is_job_active(),
        "preview": PREVIEW,
        "version": request.POST.get("expected_version") or flash.version,
    }
    return render(request, "reports/flash/schedule.html", context)
