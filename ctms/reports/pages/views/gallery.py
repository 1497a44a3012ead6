"""Views of the gallery."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.records.requests import get_user
from ctms.reports.access import may
from ctms.reports.pages.gallery import build_gallery
from ctms.reports.pages.requests import list_or_403, open_or_404
from ctms.reports.pages.uses import switch_favourite


@require_safe
@login_required
def show_gallery(request: HttpRequest) -> HttpResponse:
    """Show the reports that the user sees."""
    gallery = build_gallery(
        reports=list_or_403(request),
        folder=request.GET.get("folder", ""),
        text=request.GET.get("q", ""),
        number=request.GET.get("page", "1"),
    )
    can_create = may(user=get_user(request), action="create")
    return render(request, "reports/gallery.html", {"gallery": gallery, "can_create": can_create})


@require_POST
@login_required
def toggle_favourite(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Mark or unmark the report. Return the new star for htmx, otherwise redirect to the report."""
    stored = open_or_404(request, uid)
    is_favourite = switch_favourite(user=stored.user, report=stored.report)
    if "HX-Request" not in request.headers:
        return redirect("report", uid)
    url = reverse("report_favourite", args=(uid,))
    return render(
        request, "components/star.html", {"url": url, "is_favourite": is_favourite, "name": stored.report.name}
    )
