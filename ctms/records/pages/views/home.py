"""View of the home page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.records.pages.home import build_home_panels
from ctms.records.requests import get_user


@require_safe
@login_required
def show_home(request: HttpRequest) -> HttpResponse:
    """Show the panels of the home page."""
    return render(request, "home/home.html", {"panels": build_home_panels(get_user(request))})
