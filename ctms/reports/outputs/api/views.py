"""Reports in the REST API: those that the user sees, what they ask, and their rows and groups page by page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from ctms.records.api.cursors import build_url, read_place
from ctms.records.api.errors import ApiProblem
from ctms.records.api.paging import read_size
from ctms.records.api.schema import build_refusals
from ctms.records.api.views import UncachedView
from ctms.records.lists.order.keyset_pagination import COUNT_CAP
from ctms.records.lists.query import CURSOR, SIZE, InvalidListError
from ctms.records.requests import get_user
from ctms.reports.access import list_reports, run_stored
from ctms.reports.engine.keyset import InvalidPlaceError
from ctms.reports.engine.matrices import read_matrix
from ctms.reports.engine.rows import UnknownGroupError, count_rows, read_rows
from ctms.reports.engine.summaries import read_summary
from ctms.reports.errors import InvalidReportError, Problem, ReportError, ReportTooSlowError
from ctms.reports.outputs.api import documents
from ctms.reports.outputs.api.answers import (
    describe_report,
    describe_stored,
    show_across,
    show_line,
    show_matrix_line,
    show_row,
)
from ctms.reports.outputs.asked import AT, AskedReport, open_asked, open_stored_or_404
from ctms.reports.outputs.cells import require_columns

_TAG = "Reports"
_INVALID_PARAMETERS = "Correct or leave out the parameters that the errors name."
_INVALID_REPORT = "The report cannot be run. Who may edit it has to mend what the errors name."
_RUN_REFUSALS = build_refusals(400, 401, 403, 404, 406, 409, 429, 503)
_PROMPTS = "prompts"  # the part of a report in which problems of an address are told


class ReportView(UncachedView):
    """A view of reports, which answers what is wrong with one in the form of the API."""

    def handle_exception(self, exc: Exception) -> Any:
        problem = _read_problem(exc)
        return problem.build_response() if problem is not None else super().handle_exception(exc)


class ReportsView(ReportView):
    """The reports that a user sees."""

    @extend_schema(
        operation_id="list_reports",
        tags=[_TAG],
        summary="List the reports",
        responses={200: documents.REPORTS, **build_refusals(401, 403, 406, 429)},
    )
    def get(self, request: Request) -> Response:
        """The reports that you see: yours, those shared with you, and those delivered with the Vault."""
        return Response({"results": [describe_stored(each) for each in list_reports(get_user(request))]})


class ReportDefinitionView(ReportView):
    """What a report asks."""

    @extend_schema(
        operation_id="read_report",
        tags=[_TAG],
        summary="Read what a report asks",
        responses={200: documents.REPORT, **build_refusals(401, 403, 404, 406, 429)},
    )
    def get(self, request: Request, uid: UUID) -> Response:
        """What a report asks, and the columns, groups and measures of its answer."""
        stored = open_stored_or_404(user=get_user(request), uid=uid)
        try:
            opened = run_stored(stored)
        except InvalidReportError as error:
            return Response(describe_report(stored, opened=None, problems=error.problems))
        return Response(describe_report(stored, opened=opened, problems=opened.problems))


class ReportRowsView(ReportView):
    """The rows of a report."""

    known_parameters = None

    @extend_schema(
        operation_id="list_report_rows",
        tags=[_TAG],
        summary="Run a report: its rows",
        parameters=[
            documents.AT_PARAMETER,
            documents.CURSOR_PARAMETER,
            documents.SIZE_PARAMETER,
            documents.CONDITIONS_PARAMETER,
        ],
        responses={200: documents.ROWS, **_RUN_REFUSALS},
    )
    def get(self, request: Request, uid: UUID) -> Response:
        """The rows of a report, page by page, or those behind a figure. Filters of a list narrow it, as prompts do."""
        asked, size = _open(request, uid=uid, others=(AT, CURSOR, SIZE))
        opened = asked.opened
        require_columns(opened)
        page = read_rows(opened, size=size, place=read_place(request), at=asked.at)
        count = count_rows(opened, at=asked.at, most=COUNT_CAP + 1)
        return Response(
            {
                "count": min(count, COUNT_CAP),
                "count_is_capped": count > COUNT_CAP,
                "next": build_url(request=request, place=page.next),
                "previous": build_url(request=request, place=page.previous),
                "results": [show_row(opened.columns, row) for row in page.rows],
            }
        )


class ReportGroupsView(ReportView):
    """The groups of a report."""

    known_parameters = None

    @extend_schema(
        operation_id="list_report_groups",
        tags=[_TAG],
        summary="Run a report: its groups with their figures",
        parameters=[documents.CURSOR_PARAMETER, documents.SIZE_PARAMETER, documents.CONDITIONS_PARAMETER],
        responses={200: documents.GROUPS, **_RUN_REFUSALS},
    )
    def get(self, request: Request, uid: UUID) -> Response:
        """The groups of a report, page by page, each behind the subtotals of those that it stands in, and the total."""
        asked, size = _open(request, uid=uid, others=(CURSOR, SIZE))
        opened, place = asked.opened, read_place(request)
        if not opened.is_grouped:
            raise InvalidReportError([Problem(part="groups", text="The report has no groups. Ask for its rows.")])
        if opened.across is None:
            page = read_summary(opened, size=size, place=place)
            body: dict[str, Any] = {"results": [show_line(opened, each) for each in page.lines]}
            total, following, previous = page.total, page.next, page.previous
        else:
            matrix = read_matrix(opened, size=size, place=place)
            body = {
                "across": [show_across(opened, each) for each in matrix.across],
                "across_is_cut": matrix.is_cut,
                "results": [show_matrix_line(opened, each) for each in matrix.lines],
            }
            total, following, previous = matrix.total, matrix.next, matrix.previous
        links = {
            "next": build_url(request=request, place=following),
            "previous": build_url(request=request, place=previous),
        }
        return Response(links | body | {"total": show_line(opened, total)})


def _open(request: Request, *, uid: UUID, others: tuple[str, ...]) -> tuple[AskedReport, int]:
    """Open the report of a request. Raises InvalidListError naming each parameter that is empty or wrong."""
    parameters = request.query_params
    problems = {name: ["Give a value, or leave it out."] for name in parameters if "" in parameters.getlist(name)}
    problems |= {
        name: ["This is given more than once. Give it once."] for name in others if len(parameters.getlist(name)) > 1
    }
    size = read_size(parameters, problems=problems)
    if problems:
        raise InvalidListError(problems)
    return open_asked(user=get_user(request), uid=uid, parameters=parameters, others=others), size


def _read_problem(error: Exception) -> ApiProblem | None:
    """Return the refusal of an error of reports; None for any other."""
    code: int = status.HTTP_400_BAD_REQUEST
    detail = _INVALID_PARAMETERS
    parameters, unusable = "invalid-parameters", "report-unusable"
    if isinstance(error, InvalidReportError):
        found = [_name(each) for each in error.problems]
        is_stored = any("field" in each for each in found)
        if is_stored:
            code, detail = status.HTTP_409_CONFLICT, _INVALID_REPORT
        return ApiProblem(status=code, detail=detail, errors=found, code=unusable if is_stored else parameters)
    if isinstance(error, InvalidPlaceError):
        return ApiProblem(
            status=code, detail=detail, errors=[{"parameter": CURSOR, "detail": str(error)}], code=parameters
        )
    if isinstance(error, UnknownGroupError):
        return ApiProblem(status=code, detail=detail, errors=[{"parameter": AT, "detail": str(error)}], code=parameters)
    if isinstance(error, ReportTooSlowError):
        return ApiProblem(status=status.HTTP_503_SERVICE_UNAVAILABLE, detail=str(error))
    if isinstance(error, ReportError):
        return ApiProblem(status=status.HTTP_409_CONFLICT, detail=str(error), code=unusable)
    return None


def _name(problem: Problem) -> dict[str, str]:
    """Return a problem with the part of the report, or the parameter of the address, that it is about."""
    if problem.part != _PROMPTS:
        return {"field": problem.part, "detail": problem.text}
    if not problem.parameter:
        return {"detail": problem.text}
    return {"parameter": problem.parameter, "detail": problem.text.removeprefix(f"{problem.parameter}: ")}
