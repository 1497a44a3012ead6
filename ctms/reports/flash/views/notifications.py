"""Opens what a notification about a flash report is about."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.core.clock import get_database_now
from ctms.records.requests import get_user
from ctms.reports.choices import MailState
from ctms.reports.flash.addresses import get_report_path, get_schedule_path
from ctms.reports.models import FlashMail


@require_safe
@login_required
@never_cache
def open_notification(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Lead to the report, or to its schedule if the e-mail did not go; the notification is seen then."""
    own = FlashMail.objects.filter(user=get_user(request), uid=uid).select_related("delivery__flash__report")
    mail = own.first()
    if mail is None:
        raise Http404("There is no such notification.")
    own.filter(seen_at=None).update(seen_at=get_database_now())
    report = mail.delivery.flash.report
    return redirect(get_report_path(report) if mail.state == MailState.SENT else get_schedule_path(report))
