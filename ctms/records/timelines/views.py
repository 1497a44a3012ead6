"""The view of a record's timeline."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.records.addresses import get_record_url
from ctms.records.merging.redirects import find_winner
from ctms.records.requests import get_record_or_404, open_object_or_404
from ctms.records.timelines.page import TimelinePage, get_timeline_url, has_timeline
from ctms.records.timelines.reading import InvalidPlaceError


@require_safe
@login_required
def show_timeline(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show the timeline of a record; for htmx, which asks for later or earlier entries, these alone."""
    access = open_object_or_404(request, object_name)
    if not has_timeline(object_name):
        raise Http404(f"{access.vault_object.plural_title} have no timeline.")
    try:
        record = get_record_or_404(access=access, uid=uid)
    except Http404:
        winner = find_winner(access=access, uid=uid)
        if winner is None:
            raise
        return redirect(get_timeline_url(winner) + (f"?{request.GET.urlencode()}" if request.GET else ""))
    page = TimelinePage(access=access, record=record, parameters=request.GET)
    is_part = page.direction if "HX-Request" in request.headers else ""
    try:
        context = {"page": page, "part": page.part, "is_part": is_part, "record_url": get_record_url(record)}
    except InvalidPlaceError as error:
        raise Http404(str(error)) from error
    response = render(request, "records/timeline/entries.html" if is_part else "records/timeline/page.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response
