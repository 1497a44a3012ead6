"""Views that send a report as a file, or as a page to be printed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ctms.accounts.login_resume import login_required
from ctms.core.clock import get_now
from ctms.core.rate_limits import count_request
from ctms.records.requests import build_actor, get_user
from ctms.reports.engine.rows import UnknownGroupError
from ctms.reports.errors import InvalidReportError, ReportError, ReportTooSlowError
from ctms.reports.outputs.asked import note_export, open_asked
from ctms.reports.outputs.files import FileFormat, build_disposition, build_file_name, write_file
from ctms.reports.outputs.printing import MOST_PRINTED, open_print

_PRINT = "print"


def _shows_problems(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a view answer what is wrong with a report by a page that says it."""

    @wraps(view)
    def answer(request: HttpRequest, uid: UUID, **kwargs: str) -> HttpResponseBase:
        try:
            return view(request, uid, **kwargs)
        except (ReportError, UnknownGroupError) as error:
            texts = [each.text for each in error.problems] if isinstance(error, InvalidReportError) else [str(error)]
            is_slow = isinstance(error, ReportTooSlowError)
            status = HTTPStatus.SERVICE_UNAVAILABLE if is_slow else HTTPStatus.BAD_REQUEST
            context = {"texts": texts, "url": reverse("report", args=(uid,))}
            return render(request, "reports/outputs/refused.html", context, status=status)

    return answer


@require_GET
@login_required
@_shows_problems
def export_report(request: HttpRequest, uid: UUID, file_format: str) -> HttpResponseBase:
    """Send the report as a file, with the conditions of the address; with `at`, the rows behind a figure."""
    if file_format not in tuple(FileFormat):
        raise Http404(f"Reports are exported as {' or '.join(FileFormat)}, not as {file_format}.")
    user, chosen = get_user(request), FileFormat(file_format)
    count_request(scope="exports", key=user.pk)
    asked = open_asked(user=user, uid=uid, parameters=request.GET)
    written = write_file(asked.opened, file_format=chosen, zone=timezone.get_current_timezone(), at=asked.at)
    note_export(asked=asked, file_format=chosen, lines=written.lines, actor=build_actor(request))
    response = FileResponse(written.content, content_type=chosen.content_type)
    name = build_file_name(asked.stored.report.name, day=timezone.localdate(), file_format=chosen)
    response.headers["Content-Disposition"] = build_disposition(name)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_GET
@login_required
@_shows_problems
def print_report(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    """Show the report as a page to be printed, with its conditions, and who prints it when."""
    user = get_user(request)
    count_request(scope="exports", key=user.pk)
    asked = open_asked(user=user, uid=uid, parameters=request.GET)
    printed = open_print(asked.opened, at=asked.at, most=MOST_PRINTED)
    note_export(asked=asked, file_format=_PRINT, lines=len(printed.lines), actor=build_actor(request))
    context = {
        "asked": asked,
        "printed": printed,
        "most": MOST_PRINTED,
        "printed_by": user,
        "printed_at": get_now(),
        "zone": timezone.get_current_timezone_name(),
    }
    response = render(request, "reports/outputs/print.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response
