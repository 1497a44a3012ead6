"""Views that build a report: its type, then everything else on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from ctms.accounts.login_resume import login_required
from ctms.audit.actors import Actor
from ctms.core.errors import StaleRecordError
from ctms.records.lists.query import InvalidListError
from ctms.records.requests import build_actor, get_user, read_version
from ctms.reports.access import may
from ctms.reports.definition import ReportDefinition, read_type
from ctms.reports.errors import InvalidReportError
from ctms.reports.models import Report
from ctms.reports.pages.builder.form import ReportForm, suggest
from ctms.reports.pages.builder.lists import read_list_definition
from ctms.reports.pages.builder.preview import build_preview
from ctms.reports.pages.builder.types import TypeChoice, find_type_choice, list_type_choices
from ctms.reports.pages.requests import open_or_404, require
from ctms.reports.services import get_report_type, save_report

_STALE = (
    "Somebody else changed this report since you opened it. Your changes are still here: save them as a copy, "
    "or open the report anew."
)
_NO_SEARCH = "The search for “{text}” is not part of the report. Add a condition that asks for it."


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_report(request: HttpRequest) -> HttpResponse:
    """Choose the report type, then build a new report of it.

    It begins with what the address names: the list `from` which it is made, or the report that it is a `copy` of.
    """
    user = get_user(request)
    require(allowed=may(user=user, action="create"), what="create reports")
    key = request.GET.get("type", "")
    if not key:
        return _choose_type(request)
    choice = find_type_choice(user=user, key=key)
    if choice is None:
        raise Http404("There is no such report type, or you may not read what it is about.")
    data = request.POST if request.method == "POST" else None
    try:
        stored = _begin(request, choice=choice)
    except InvalidListError:
        address = reverse("record_list", args=(choice.definition.primary,))
        return HttpResponseRedirect(f"{address}?{request.GET['from']}")
    form = ReportForm(user=user, type_definition=choice.definition, stored=stored, data=data)
    if data is not None and not form.act() and form.check():
        report = _create(form=form, choice=choice, actor=build_actor(request))
        messages.success(request, f"The report “{report.name}” is saved.")
        return HttpResponseRedirect(reverse("report", args=(report.uid,)))
    searched = stored.get("searched", "")
    return _show(request, form=form, choice=choice, note=_NO_SEARCH.format(text=searched) if searched else "")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_report(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Change a report, or save what it became as a copy."""
    stored = open_or_404(request, uid)
    require(allowed=stored.can_edit, what="change this report")
    report = stored.report
    data = request.POST if request.method == "POST" else None
    choice = TypeChoice(
        key=str(report.report_type.uid),
        label=report.report_type.name,
        note=report.report_type.description,
        definition=read_type(report.report_type),
        stored=report.report_type,
    )
    try:
        form = ReportForm(user=stored.user, type_definition=choice.definition, stored=vars(report), data=data)
    except InvalidReportError as error:
        return render(
            request, "reports/not_editable.html", {"stored": stored, "report": report, "problems": error.problems}
        )
    problem = ""
    if data is not None and not form.act() and form.check():
        if "copy" in data and may(user=stored.user, action="create"):
            copied = _create(form=form, choice=choice, actor=build_actor(request))
            messages.success(request, f"The copy “{copied.name}” is saved; it is yours.")
            return HttpResponseRedirect(reverse("report", args=(copied.uid,)))
        version = read_version(request)
        try:
            return _save(request, report=report, form=form, expected_version=version)
        except StaleRecordError:
            problem = _STALE
            report.refresh_from_db()
    return _show(request, form=form, choice=choice, report=report, problem=problem)


@require_safe
@login_required
def copy_report(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Lead to a new report that begins as this one."""
    stored = open_or_404(request, uid)
    return HttpResponseRedirect(f"{reverse('report_new')}?type={stored.report.report_type.uid}&copy={uid}")


def _choose_type(request: HttpRequest) -> HttpResponse:
    choices = list_type_choices(get_user(request))
    context = {
        "types": [each for each in choices if each.stored is not None],
        "objects": [each for each in choices if each.stored is None],
        "is_asked": "type" in request.GET,
    }
    return render(request, "reports/new.html", context)


def _begin(request: HttpRequest, *, choice: TypeChoice) -> Mapping[str, Any]:
    """Return what a new report begins with."""
    user = get_user(request)
    copied = request.GET.get("copy", "")
    if copied:
        try:
            report = open_or_404(request, UUID(copied)).report
        except ValueError as error:
            raise Http404("There is no report of this address.") from error
        return {**vars(report), "name": f"{report.name} (copy)"[:128]}
    if "from" in request.GET:
        return read_list_definition(user=user, object_name=choice.definition.primary, query=request.GET["from"])
    form = ReportForm(user=user, type_definition=choice.definition, stored={})
    return suggest(form.parts[0], form.parts[1] if len(form.parts) > 1 else None)


def _create(*, form: ReportForm, choice: TypeChoice, actor: Actor) -> Report:
    with transaction.atomic():
        report_type = get_report_type(
            stored=choice.stored, definition=choice.definition, label=choice.label, actor=actor
        )
        report = Report(report_type=report_type, owner=form.user)
        _take(report=report, form=form)
        save_report(report=report, actor=actor)
    return report


def _save(request: HttpRequest, *, report: Report, form: ReportForm, expected_version: int) -> HttpResponse:
    _take(report=report, form=form)
    is_stopped = save_report(report=report, actor=build_actor(request), expected_version=expected_version)
    messages.success(request, f"The report “{report.name}” is saved.")
    if is_stopped:
        messages.warning(
            request,
            f"It does not run as {report.owner} any more, because somebody else changed what it asks: readers see "
            f"their own rows. {report.owner} can let it run as its owner again.",
        )
    return HttpResponseRedirect(reverse("report", args=(report.uid,)))


def _take(*, report: Report, form: ReportForm) -> None:
    definition: ReportDefinition = form.definition
    for name, value in definition.as_stored().items():
        setattr(report, name, value)
    report.name, report.description = form.name.strip(), form.description.strip()


def _show(
    request: HttpRequest,
    *,
    form: ReportForm,
    choice: TypeChoice,
    report: Report | None = None,
    problem: str = "",
    note: str = "",
) -> HttpResponse:
    user = get_user(request)
    context = {
        "form": form,
        "choice": choice,
        "report": report,
        "problem": problem,
        "note": note,
        "preview": build_preview(form.open()),
        "can_copy": report is not None and may(user=user, action="create"),
        "stops_running_as_owner": report is not None and report.run_as_owner and report.owner_id != user.pk,
        "back_url": reverse("report", args=(report.uid,)) if report is not None else reverse("reports"),
    }
    return render(request, "reports/builder.html", context)
