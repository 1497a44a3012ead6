"""View of the calendar."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.configuration.snapshot import load_configuration
from ctms.records.calendar.addresses import read_address
from ctms.records.calendar.page import CalendarPage
from ctms.records.requests import get_user


@require_safe
@login_required
def show_calendar(request: HttpRequest) -> HttpResponse:
    """Show the days that the address asks for, with the entries of the user or of the studies."""
    today = timezone.localdate()
    page = CalendarPage(
        user=get_user(request),
        address=read_address(request.GET, today=today),
        today=today,
        configuration=load_configuration(),
    )
    if not page.sources:
        raise PermissionDenied(
            "Your security profile does not allow you to read anything that has a day. Ask an admin."
        )
    return render(request, "calendar/calendar.html", {"page": page})
