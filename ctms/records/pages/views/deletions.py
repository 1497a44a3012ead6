"""View that deletes a record after a confirmation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.accounts.policies import sees_all_studies
from ctms.audit.reasons import ReasonRequiredError
from ctms.audit.services import RecordInUseError
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.requests import build_actor, get_record_or_404, open_object_or_404, read_version
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.deletions import list_going_along, list_protecting
from ctms.records.writing.services import delete_with_parts, plan_deletion


class _ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm_deletion(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show what is deleted along with the record and what prevents it. A POST deletes it and redirects to the list.

    The page is shown again, saying why, if the record or its parts changed since, if other records refer to it, or if
    the reason is not valid.
    """
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    if request.method != "POST":
        return _ask(request, access=access, record=record)
    version = read_version(request)
    form = _ReasonForm(request.POST)
    if not form.is_valid():
        problem = f"Reason: {' '.join(map(str, form.errors['reason']))}"
        return _ask(request, access=access, record=record, problem=problem)
    reason = form.cleaned_data["reason"]
    actor = build_actor(request)
    try:
        delete_with_parts(
            access=access,
            record=record,
            actor=actor,
            expected_version=version,
            expected_parts=request.POST.get("expected_parts", ""),
            reason=reason,
        )
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except (ReasonRequiredError, RecordInUseError, StaleRecordError) as error:
        record = get_record_or_404(access=access, uid=uid)
        return _ask(request, access=access, record=record, problem=str(error), reason=reason)
    tell_saved(request, text=f"{access.vault_object.title} {record} was deleted.", actor=actor)
    return redirect("record_list", object_name=object_name)


def _ask(
    request: HttpRequest, *, access: ObjectAccess, record: Any, problem: str = "", reason: str = ""
) -> HttpResponse:
    plan = plan_deletion(access=access, record=record)
    if plan.refusal:
        raise PermissionDenied(plan.refusal)
    number = sum(plan.going_along.values())
    context = {
        "access": access,
        "record": record,
        "is_possible": plan.is_possible,
        "parts_digest": plan.parts_digest,
        "protecting": list_protecting(access=access, record=record, counts=plan.protecting),
        "may_hide_others": not sees_all_studies(user=access.user),
        "going_along": list_going_along(access=access, record=record, counts=plan.going_along),
        "verb": f"Delete {access.vault_object.label}{_count_others(number)}",
        "problem": problem,
        "reason": reason,
        "needs_reason": "" in access.list_reasoned(),
    }
    return render(request, "records/delete.html", context)


def _count_others(number: int) -> str:
    if not number:
        return ""
    return f" and {number} other record{'' if number == 1 else 's'}"
