"""View that marks records as favourites."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from ctms.accounts.login_resume import login_required
from ctms.records.addresses import get_record_url
from ctms.records.pages.favourites import switch_favourite
from ctms.records.requests import get_record_or_404, get_user, open_object_or_404


@require_POST
@login_required
def toggle_favourite(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Mark or unmark the record. Return the new star for htmx, otherwise redirect to the record page."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    is_favourite = switch_favourite(user=get_user(request), record=record)
    if "HX-Request" not in request.headers:
        return redirect(get_record_url(record))
    url = reverse("record_favourite", args=(object_name, uid))
    return render(request, "components/star.html", {"url": url, "is_favourite": is_favourite, "name": str(record)})
