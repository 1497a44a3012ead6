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
from ctms.reports.access import StoredReport, UnknownReportError, list_reports, open_stored


def list_or_403(request: HttpRequest) -> list[StoredReport]:
    """Return the reports that the user sees."""
    try:
        return list_reports(get_user(request))
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error


def open_or_404(request: HttpRequest, uid: UUID) -> StoredReport:
    """Return the report as the user sees it."""
    try:
        return open_stored(user=get_user(request), uid=uid)
    except UnknownReportError as error:
        raise Http404(str(error)) from error
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error


def require(*, allowed: bool, what: str) -> None:
    """Raise PermissionDenied, unless the user's role and profile allow what is named, such as *edit this report*."""
    if not allowed:
        raise PermissionDenied(f"Your role in the report, or your security profile, does not allow you to {what}.")
