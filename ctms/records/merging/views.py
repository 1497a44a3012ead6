"""Pages that merge a record with another: choosing the other one, then both side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import LONGEST_REASON
from ctms.core.errors import StaleRecordError
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.references import describe_choice
from ctms.records.fields.titles import get_title
from ctms.records.lists.autocomplete import find_matching
from ctms.records.lists.namesakes import describe_namesakes
from ctms.records.merging.services import (
    FieldChoice,
    MergePlan,
    MergeRefusedError,
    explain_merge,
    list_reasoned,
    merge_records,
    plan_merge,
)
from ctms.records.requests import (
    MOST_DIGITS,
    build_actor,
    get_record_or_404,
    open_object_or_404,
)

OTHER, TAKE = "with", "take"
_MOST_OFFERED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A field in which the two differ, for the template of the conflict page."""

    label: str
    parameter: str
    choice: str
    kept: str
    other: str


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def merge(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Ask with which record this one is merged, show both, and merge them; the other one goes."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    if not access.vault_object.is_mergeable:
        raise Http404(f"{access.vault_object.plural_title} cannot be merged.")
    if refusal := explain_merge(access=access, record=record):
        raise PermissionDenied(refusal)
    parameters = request.POST if request.method == "POST" else request.GET
    if not parameters.get(OTHER):
        return _ask_for_other(request, access=access, record=record)
    try:
        other = get_record_or_404(access=access, uid=UUID(parameters[OTHER]))
    except ValueError as error:
        raise Http404(f"{OTHER}: the UID of the other {access.vault_object.label}.") from error
    if request.method != "POST":
        return _show(request, access=access, record=record, other=other)
    plan = plan_merge(access=access, winner=record, loser=other)
    taken = [each.field.api_name for each in plan.choices if request.POST.get(_name(each)) == "other"]
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:LONGEST_REASON]
    try:
        moved = merge_records(
            access=access,
            winner=record,
            loser=other,
            actor=build_actor(request),
            taken=taken,
            expected_versions=(_read_version(request, "version"), _read_version(request, "other_version")),
            reason=reason,
        )
    except (MergeRefusedError, StaleRecordError) as error:
        problem = str(error)
    except ValidationError as error:
        problem = " ".join(error.messages)
    else:
        number = sum(moved.values())
        records = "1 record refers" if number == 1 else f"{number:,} records refer"
        messages.success(request, f"{other} was merged into {record}; {records} to it now.")
        return redirect(get_record_url(record))
    record = get_record_or_404(access=access, uid=uid)
    return _show(request, access=access, record=record, other=other, problem=problem, taken=taken, reason=reason)


def _ask_for_other(request: HttpRequest, *, access: ObjectAccess, record: Any) -> HttpResponse:
    query = request.GET.get("q", str(record))
    found = find_matching(
        access=access,
        records=access.list_records().exclude(pk=record.pk),
        vault_object=access.vault_object,
        query=query,
        limit=_MOST_OFFERED,
    )
    details = describe_namesakes(access=access, records=found)
    offered = [(each, describe_choice(each), details.get(each.pk, "")) for each in found] if query.strip() else []
    context = {"access": access, "record": record, "query": query, "offered": offered}
    return render(request, "records/merge_choose.html", context)


def _show(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    record: Any,
    other: Any,
    problem: str = "",
    taken: list[str] | None = None,
    reason: str = "",
) -> HttpResponse:
    plan = plan_merge(access=access, winner=record, loser=other)
    context = {
        "access": access,
        "record": record,
        "other": other,
        "plan": plan,
        "doubles": [(get_title(each), get_record_url(each)) for each in plan.doubles[:_MOST_OFFERED]],
        "other_doubles": max(0, len(plan.doubles) - _MOST_OFFERED),
        "rows": _build_rows(plan=plan, taken=taken),
        "problem": problem,
        "reason": reason,
        "needs_reason": bool(list_reasoned(access=access, loser=other)),
    }
    return render(request, "records/merge.html", context)


def _build_rows(*, plan: MergePlan, taken: list[str] | None) -> list[_Row]:
    return [
        _Row(
            label=each.field.label,
            parameter=_name(each),
            choice="other" if (each.prefers_other if taken is None else each.field.api_name in taken) else "kept",
            kept=each.kept,
            other=each.other,
        )
        for each in plan.choices
    ]


def _name(choice: FieldChoice) -> str:
    return f"{TAKE}-{choice.field.api_name}"


def _read_version(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise BadRequest(f"{name}: the version of the record that you saw, as a number.")
    return int(text)
