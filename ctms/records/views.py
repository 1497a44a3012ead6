"""The study teams' pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ctms.accounts.models import User
from ctms.records.home import build_home_panels


@require_safe
@login_required
def show_home(request: HttpRequest) -> HttpResponse:
    """What is due, overdue and recent for the user."""
    if not isinstance(request.user, User):
        raise TypeError("Nobody is logged in.")
    return render(request, "home/home.html", {"panels": build_home_panels(request.user)})
