"""Views that share a report, let it run as its owner, hand it to a new owner, and delete it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import LONGEST_REASON, list_reasoned
from ctms.audit.services import RecordInUseError
from ctms.core.errors import StaleRecordError
from ctms.records.requests import build_actor, read_version
from ctms.reports.access import StoredReport
from ctms.reports.choices import ShareRole
from ctms.reports.models import Report, ReportShare
from ctms.reports.pages.requests import open_or_404, require
from ctms.reports.pages.sharing import ShareForm, TransferForm, list_report_shares
from ctms.reports.services import (
    delete_report,
    list_parts,
    set_run_as_owner,
    share_report,
    transfer_report,
    unshare_report,
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def share(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Show who has which role, and give one to a user or a profile."""
    stored = _open_shared(request, uid)
    form = ShareForm(request.POST if request.method == "POST" else None, report=stored.report)
    if form.is_bound and form.is_valid():
        user, profile = form.cleaned_data["user"], form.cleaned_data["profile"]
        role = ShareRole(form.cleaned_data["role"])
        try:
            share_report(report=stored.report, role=role, actor=build_actor(request), user=user, profile=profile)
        except ValidationError as error:
            form.add_error(None, error.messages[0])
        else:
            messages.success(request, f"{user or profile} has the role {role.label} now.")
            return redirect("report_sharing", uid)
    return _show(request, stored=stored, share_form=form)


@require_http_methods(["POST"])
@login_required
def change_share(request: HttpRequest, uid: UUID, share_uid: UUID) -> HttpResponse:
    """Change a role, or take it away."""
    stored = _open_shared(request, uid)
    shared = ReportShare.objects.filter(report=stored.report, uid=share_uid).select_related("user", "profile").first()
    if shared is None:
        raise Http404("This role was taken away already.")
    whom = shared.user or shared.profile
    if "remove" in request.POST:
        try:
            unshare_report(share=shared, actor=build_actor(request))
        except StaleRecordError as error:
            raise Http404("This role was taken away already.") from error
        messages.success(request, f"The report is not shared with {whom} any more.")
    elif request.POST.get("role") in ShareRole.values:
        role = ShareRole(request.POST["role"])
        share_report(
            report=stored.report, role=role, actor=build_actor(request), user=shared.user, profile=shared.profile
        )
        messages.success(request, f"{whom} has the role {role.label} now.")
    # Who took the own role away sees the report no more.
    return redirect("report_sharing", uid) if _can_still_share(request, uid) else redirect("reports")


@require_http_methods(["POST"])
@login_required
def change_rights(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Let the report run as its owner, or as each of its readers."""
    stored = _open_shared(request, uid)
    runs_as_owner = request.POST.get("run_as_owner") == "1"
    try:
        set_run_as_owner(
            report=stored.report,
            runs_as_owner=runs_as_owner,
            actor=build_actor(request),
            expected_version=read_version(request),
        )
    except (ValidationError, StaleRecordError) as error:
        messages.error(request, error.messages[0] if isinstance(error, ValidationError) else str(error))
    else:
        seen = "what you may see" if runs_as_owner else "their own rows"
        messages.success(request, f"Everybody whom the report is shared with sees {seen} now.")
    return redirect("report_sharing", uid)


@require_http_methods(["POST"])
@login_required
def transfer(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Hand the report to a new owner."""
    stored = _open_shared(request, uid)
    form = TransferForm(request.POST, report=stored.report)
    if form.is_valid():
        owner = form.cleaned_data["owner"]
        try:
            transfer_report(
                report=stored.report, owner=owner, actor=build_actor(request), expected_version=read_version(request)
            )
        except (ValidationError, StaleRecordError) as error:
            form.add_error("owner", error.messages[0] if isinstance(error, ValidationError) else str(error))
        else:
            messages.success(request, f"“{stored.report.name}” belongs to {owner} now.")
            return redirect("reports")
    return _show(request, stored=open_or_404(request, uid), transfer_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Ask before the report is deleted, and say what goes with it."""
    stored = open_or_404(request, uid)
    require(allowed=stored.can_delete, what="delete this report")
    problem = ""
    if request.method == "POST":
        try:
            delete_report(
                report=stored.report,
                actor=build_actor(request),
                expected_version=read_version(request),
                reason=request.POST.get("reason", "").replace("\0", "").strip()[:LONGEST_REASON],
            )
        except StaleRecordError:
            problem = "Somebody else changed this report since you opened this page. Look at it before you delete it."
        except RecordInUseError as error:
            problem = str(error)
        except ValidationError as error:
            problem = " ".join(error.messages)
        else:
            messages.success(request, f"The report “{stored.report.name}” was deleted.")
            return redirect("reports")
        stored = open_or_404(request, uid)
    parts = [(part[0]._meta, part) for part in list_parts([stored.report])]
    context = {
        "stored": stored,
        "report": stored.report,
        "problem": problem,
        "going_along": [
            (str(meta.verbose_name if len(part) == 1 else meta.verbose_name_plural), len(part)) for meta, part in parts
        ],
        "needs_reason": "" in list_reasoned(Report),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "reports/delete.html", context)


def _open_shared(request: HttpRequest, uid: UUID) -> StoredReport:
    stored = open_or_404(request, uid)
    require(allowed=stored.can_share, what="share this report")
    return stored


def _can_still_share(request: HttpRequest, uid: UUID) -> bool:
    try:
        return open_or_404(request, uid).can_share
    except Http404:
        return False


def _show(request: HttpRequest, *, stored: StoredReport, **forms: Any) -> HttpResponse:
    report = stored.report
    context = {
        "stored": stored,
        "report": report,
        "shares": list_report_shares(report),
        "roles": ShareRole.choices,
        "share_form": ShareForm(report=report),
        "transfer_form": TransferForm(report=report),
        "is_owner": report.owner_id == stored.user.pk,
    }
    return render(request, "reports/sharing.html", context | forms)
