"""Views of a report's page."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.records.conditions.addresses import write_address
from ctms.reports.definition import read_definition
from ctms.reports.pages.conditions import open_prompts
from ctms.reports.pages.report_page import SIZE, SORT, ReportPage
from ctms.reports.pages.requests import open_or_404
from ctms.reports.pages.uses import note_run


@require_safe
@login_required
def show_report(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Run the report and show its page."""
    stored = open_or_404(request, uid)
    page = ReportPage(stored=stored, parameters=request.GET)
    if page.table is not None:
        note_run(user=stored.user, report=stored.report)
    return render(request, "reports/report.html", {"page": page})


@require_safe
@login_required
def answer_prompts(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Read the form of the prompts: lead to the report that it describes, or show the form again."""
    stored = open_or_404(request, uid)
    prompts = read_definition(stored.report).prompts
    form = open_prompts(stored=stored, prompts=prompts, address=QueryDict(), data=request.GET)
    parameters = QueryDict(mutable=True)
    for name in (SORT, SIZE):
        if request.GET.get(name):
            parameters[name] = request.GET[name]
    if form is not None:
        if form.act():
            return _show_again(request, ReportPage(stored=stored, parameters=parameters, prompts=form))
        form.keep_answered()
        if not form.check():
            form.complete()
            return _show_again(request, ReportPage(stored=stored, parameters=parameters, prompts=form))
        for name, value in write_address(form.read()):
            parameters.appendlist(name, value)
    query = parameters.urlencode()
    address = reverse("report", args=(uid,))
    return HttpResponseRedirect(f"{address}?{query}" if query else address)


def _show_again(request: HttpRequest, page: ReportPage) -> HttpResponse:
    return render(request, "reports/report.html", {"page": page})
