"""Undo: at once where all of a change can be put back, else after a look at what can be and what cannot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.accounts.models import User
from ctms.audit.change_sets import ChangeSet
from ctms.audit.reasons import LONGEST_REASON, PARAMETER, read_reason
from ctms.configuration.registry import list_record_objects
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.bulk.operations import (
    OperationTakenError,
    confirm_operation,
    create_operation,
    note_seen,
    read_undone,
)
from ctms.records.bulk.previews import build_figures, build_pager
from ctms.records.bulk.runner import (
    CHECKED_AT_ONCE,
    build_operation_actor,
    check_soon,
    compare_with_check,
    open_work,
    perform_at_once,
)
from ctms.records.bulk.views.operations import build_problem_context, get_list_url, get_own_operation_or_404
from ctms.records.choices import OperationKind, OperationState
from ctms.records.models import BulkOperation
from ctms.records.requests import build_actor, get_user, open_object_or_404
from ctms.records.undo.history import Unit, find_main, list_units
from ctms.records.undo.offers import explain_final, list_undoable, name_change_set, tell_saved
from ctms.records.undo.previews import build_undo_rows
from ctms.records.undo.recent import list_recent_changes

# Parameter with the address of a page that shows what is undone, and wants to be shown again.
BACK = "back"
_MOST_AT_ONCE = 10_000


@require_POST
@login_required
def undo_change(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Undo a change set. Without `preview`, do it at once if it is small, all of it can be undone, and needs no reason.

    Otherwise lead to a page that says what can be undone and what cannot.
    """
    change_set = ChangeSet.read(kind=kind, key=key)
    entries = list_undoable(change_set=change_set, user=get_user(request)) if change_set is not None else None
    ends = [each for each in (entries.first(), entries.last()) if each] if entries is not None else []
    main = find_main(ends) if ends else None
    names = {each.api_name for each in list_record_objects()}
    if change_set is None or main is None or main.object_name not in names:
        raise Http404("There is nothing here that you could undo.")
    access = open_object_or_404(request, main.object_name)
    units = list_units(change_set)
    if refusal := explain_final(change_set):
        messages.error(request, refusal)
        return redirect(_find_page(access, units=units))
    at = formats.date_format(timezone.localtime(main.at), "DATETIME_FORMAT")
    what = f"{name_change_set(change_set)} of {at}"
    operation = create_operation(
        user=get_user(request),
        object_name=main.object_name,
        kind=OperationKind.UNDO,
        plan={
            "undoes": {"kind": change_set.kind, "key": change_set.key},
            "what": what,
            "list": _find_list(change_set, user=get_user(request)),
            # With it the trail says which of the entries are the undoing.
            "reason": f"Undo of the {what}",
        },
        content="\n".join(map(str, units)),
        total=len(units),
    )
    check_soon(operation)
    is_simple = operation.state == OperationState.DRAFT and not operation.failed and operation.total <= CHECKED_AT_ONCE
    if is_simple and "preview" not in request.POST and not _list_reasoned(access, change_set=change_set):
        if not any(operation.counts.get(name) for name in ("changed", "deleted", "restored")):
            operation.delete()
            messages.info(request, "There is nothing to undo: all is as it was before.")
            return redirect(_find_way_back(request, access=access, units=units))
        if perform_at_once(operation, actor=build_actor(request)) and operation.state == OperationState.DONE:
            note_seen(operation=operation, user=get_user(request))
            tell_saved(request, text=f"Undone: {operation.message}", actor=build_operation_actor(operation))
            return redirect(_find_way_back(request, access=access, units=units))
    return redirect("operation", uid=operation.uid)


@require_http_methods(["GET", "POST"])
@login_required
def preview_undo(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show what undoing would do and what it cannot do; a POST confirms it and queues the job."""
    access = open_object_or_404(request, object_name)
    operation = get_own_operation_or_404(request, uid)
    if (operation.kind, operation.of_object) != (OperationKind.UNDO, object_name):
        raise Http404("This operation is another one.")
    if operation.state != OperationState.DRAFT:
        return redirect("operation", uid=uid)
    reasoned = _list_reasoned(access, change_set=read_undone(operation))
    problem = ""
    if request.method == "POST":
        reason = read_reason(request)
        if not reasoned or reason:
            return _confirm(request, operation=operation, reason=reason)
        problem = f"Say why {', '.join(reasoned)} is changed."
    note_seen(operation=operation, user=get_user(request))
    context = _build_context(access=access, operation=operation, page=request.GET.get("page", ""))
    context |= {"reasoned": reasoned, "reason_problem": problem, "longest_reason": LONGEST_REASON}
    return render(request, "records/undo_preview.html", context | {"reason_parameter": PARAMETER})


@require_safe
@login_required
def show_changes(request: HttpRequest) -> HttpResponse:
    """Show the user's latest changes, each with a way to undo it; the only place where a deletion is found later."""
    return render(request, "records/changes.html", {"changes": list_recent_changes(user=get_user(request))})


def _find_list(change_set: ChangeSet, *, user: User) -> str:
    """Return the query string of the list from which the user's own bulk edit was started, to lead back there."""
    if change_set.kind != OperationKind.EDIT:
        return ""
    operation = BulkOperation.objects.defer("content", "basis").filter(uid=change_set.key, user=user).first()
    return str(operation.plan.get("list", "")) if operation is not None else ""


def _confirm(request: HttpRequest, *, operation: BulkOperation, reason: str) -> HttpResponse:
    standing = str(operation.plan.get("reason", ""))
    plan = {
        "all_or_nothing": request.POST.get("mode") == "all" and operation.total <= _MOST_AT_ONCE,
        "reason": f"{reason} ({standing})"[:LONGEST_REASON] if reason else standing,
    }
    try:
        confirm_operation(operation=operation, actor=build_actor(request), plan=plan)
    except OperationTakenError as error:
        messages.warning(request, str(error))
    return redirect("operation", uid=operation.uid)


def _build_context(*, access: ObjectAccess, operation: BulkOperation, page: str) -> dict[str, Any]:
    pager = build_pager(page=page, total=operation.total)
    problem, rows = "", []
    try:
        drafts = open_work(operation).plan(pager.first - 1, pager.last)
        compare_with_check(operation=operation, drafts=drafts, start=pager.first - 1)
        units = [Unit.read(line) for line in operation.content.splitlines()[pager.first - 1 : pager.last]]
        rows = build_undo_rows(access=access, change_set=read_undone(operation), units=units, drafts=drafts)
    except VaultError as error:
        problem = str(error)
    doing = sum(operation.counts.get(name, 0) for name in ("changed", "deleted", "restored"))
    return {
        "access": access,
        "operation": operation,
        "title": f"Undo the {operation.plan.get('what', 'change')}",
        "problem": problem,
        "rows": rows,
        "pager": pager,
        "has_conflicts": any(row.is_outdated for row in rows),
        "figures": build_figures(operation),
        "doing": doing,
        "doing_text": "1 record" if doing == 1 else f"{doing:,} records",
        "total_text": f"{operation.total:,}",
        "may_be_all_or_nothing": operation.total <= _MOST_AT_ONCE,
        "list_url": get_list_url(object_name=operation.of_object, query=operation.plan.get("list", "")),
    } | build_problem_context(operation, user=access.user)


def _list_reasoned(access: ObjectAccess, *, change_set: ChangeSet) -> list[str]:
    """Return the labels of what the undoing changes and an admin asks a reason for."""
    labels: dict[str, None] = {}
    for object_name, action in change_set.list_entries().order_by().values_list("object_name", "action").distinct():
        try:
            reasoned = access.configuration.list_reasoned(object_name)
        except VaultError:
            continue
        if action in ("created", "restored") and "" in reasoned:
            labels[reasoned[""]] = None
        if action == "changed" and (fields := {name: each for name, each in reasoned.items() if name}):
            keys = {
                each.attribute if not each.is_custom else each.api_name: each.api_name
                for each in access.configuration.get(object_name).fields.values()
            }
            for words in change_set.list_entries().filter(object_name=object_name).values_list("words", flat=True):
                labels |= {fields[keys[name]]: None for name in words if keys.get(name) in fields}
    return list(labels)


def _find_way_back(request: HttpRequest, *, access: ObjectAccess, units: list[Unit]) -> str:
    """Return the URL of the page that asked to be led back to, or else that of what the change was about."""
    back = request.POST.get(BACK, "")
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return iri_to_uri(back)
    return _find_page(access, units=units)


def _find_page(access: ObjectAccess, *, units: list[Unit]) -> str:
    """Return the URL of the record that the change was about, if it was one and is there; else of the list."""
    uids = [unit.uid for unit in units if unit.object_name == access.shape.api_name]
    record = access.list_records().filter(uid=uids[0]).first() if len(uids) == 1 else None
    return get_record_url(record) if record is not None else reverse("record_list", args=(access.shape.api_name,))
