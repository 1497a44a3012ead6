"""Views of dashboards and of the tiles on them, which are read one by one, so that a slow report delays no other."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.core.errors import StaleRecordError
from ctms.records.requests import build_actor, get_user, read_version
from ctms.reports.access import may
from ctms.reports.dashboards import (
    SeenDashboard,
    delete_dashboard,
    is_on_home,
    list_dashboards,
    open_dashboard,
    save_dashboard,
    switch_home,
)
from ctms.reports.models import Dashboard
from ctms.reports.pages.dashboards import DashboardForm, build_tile
from ctms.reports.pages.requests import open_or_404, require

_STALE = "Somebody else changed this dashboard since you opened it. Look at it again before you save."


@require_safe
@login_required
def show_dashboards(request: HttpRequest) -> HttpResponse:
    """Show the user's dashboards and those that are shared."""
    user = get_user(request)
    require(allowed=may(user=user, action="read"), what="read reports")
    context = {"dashboards": list_dashboards(user), "can_create": may(user=user, action="create")}
    return render(request, "reports/dashboards/list.html", context)


@require_safe
@login_required
def show_dashboard(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Show a dashboard."""
    seen = _open(request, uid)
    user = get_user(request)
    context = {
        "seen": seen,
        "is_own": seen.dashboard.owner_id == user.pk,
        "is_on_home": is_on_home(user=user, dashboard=seen.dashboard),
    }
    return render(request, "reports/dashboards/dashboard.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Create a dashboard."""
    user = get_user(request)
    require(allowed=may(user=user, action="create"), what="create dashboards")
    return _edit(request, dashboard=Dashboard(owner=user))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Change a dashboard, or delete it."""
    dashboard = _open(request, uid).dashboard
    require(allowed=dashboard.owner_id == get_user(request).pk, what="change this dashboard")
    if request.method == "POST" and request.POST.get("action") == "delete":
        delete_dashboard(dashboard=dashboard, actor=build_actor(request))
        messages.success(request, f"The dashboard “{dashboard.name}” was deleted. Its reports stay.")
        return redirect("dashboards")
    return _edit(request, dashboard=dashboard)


@require_POST
@login_required
def toggle_home(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Put the dashboard on the user's home page, or take it off."""
    seen = _open(request, uid)
    is_there = switch_home(user=get_user(request), dashboard=seen.dashboard)
    messages.success(request, f"“{seen.dashboard.name}” is {'on' if is_there else 'not on'} your home page now.")
    return redirect("dashboard", uid)


@require_safe
@login_required
def show_tile(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Return a report for its place on a dashboard."""
    return render(request, "reports/dashboards/tile.html", {"tile": build_tile(open_or_404(request, uid))})


def _edit(request: HttpRequest, *, dashboard: Dashboard) -> HttpResponse:
    user, is_new = get_user(request), dashboard.pk is None
    form = DashboardForm(request.POST if request.method == "POST" else None, user=user, dashboard=dashboard)
    if form.is_bound and form.is_valid():
        dashboard.name, dashboard.is_shared = form.cleaned_data["name"], form.cleaned_data["is_shared"]
        version = None if is_new else read_version(request)
        try:
            save_dashboard(
                dashboard=dashboard, reports=form.list_chosen(), actor=build_actor(request), expected_version=version
            )
        except StaleRecordError:
            form.add_error(None, _STALE)
        else:
            messages.success(request, f"The dashboard “{dashboard.name}” is saved.")
            return redirect("dashboard", dashboard.uid)
    return render(request, "reports/dashboards/form.html", {"form": form, "dashboard": dashboard, "is_new": is_new})


def _open(request: HttpRequest, uid: UUID) -> SeenDashboard:
    user = get_user(request)
    require(allowed=may(user=user, action="read"), what="read reports")
    seen = open_dashboard(user=user, uid=uid)
    if seen is None:
        raise Http404("There is no dashboard of this address, or it is not shared.")
    return seen
