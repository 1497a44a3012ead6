"""Views of the home page, and of those of its panels that have a page of their own."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.accounts.sessions import find_previous_use
from ctms.records.pages.home import (
    MINE_VIEW,
    VIEW,
    HomeRequest,
    build_home_panel,
    build_home_panels,
    find_home_panel,
    list_home_views,
)
from ctms.records.requests import get_user


@require_safe
@login_required
def show_home(request: HttpRequest) -> HttpResponse:
    """Show the panels of one view of the home page; of the user's own if the address names none that is offered."""
    user = get_user(request)
    views = list_home_views(user)
    asked = request.GET.get(VIEW, MINE_VIEW)
    view = asked if asked in {each.key for each in views} else MINE_VIEW
    home = HomeRequest(user=user, view=view, since=find_previous_use(request.session))
    context = {"home": home, "panels": build_home_panels(home), "views": views if len(views) > 1 else []}
    return render(request, "home/home.html", context)


@require_safe
@login_required
def show_panel(request: HttpRequest, key: str) -> HttpResponse:
    """Show a panel that takes long on a page of its own, from which the home page takes it."""
    panel = find_home_panel(key)
    home = HomeRequest(user=get_user(request), since=find_previous_use(request.session))
    shown = build_home_panel(panel, home) if panel is not None else None
    if shown is None:
        raise Http404(f"The home page has no panel {key}.")
    return render(request, "home/panel.html", {"panel": shown, "home": home})
