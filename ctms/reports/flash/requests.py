"""Reads a report from a request.

Raises Http404 for reports that do not exist or are not shared with the user, and PermissionDenied for what the profile
or the role in the report does not allow.
"""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from ctms.records.access import AccessRefusedError
from ctms.records.requests import get_user
from ctms.reports.access import StoredReport, UnknownReportError, open_stored
from ctms.reports.models import FlashReport


def open_or_404(request: HttpRequest, uid: UUID) -> StoredReport:
    """Return the report as the user sees it."""
    try:
        return open_stored(user=get_user(request), uid=uid)
    except UnknownReportError as error:
        raise Http404(str(error)) from error
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error


def open_to_schedule(request: HttpRequest, uid: UUID) -> StoredReport:
    """Return the report, if the user may schedule it."""
    stored = open_or_404(request, uid)
    if not stored.can_share:
        raise PermissionDenied("Only owners of the report who may edit reports schedule it. Ask one of them.")
    return stored


def get_flash_or_404(stored: StoredReport) -> FlashReport:
    """Return the schedule of the report."""
    flash = FlashReport.objects.filter(report=stored.report).first()
    if flash is None:
        raise Http404("The report is not scheduled (any more).")
    flash.report = stored.report
    return flash
