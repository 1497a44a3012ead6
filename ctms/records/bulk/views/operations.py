"""Pages of bulk operations: progress, outcome and problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.accounts.models import User
from ctms.audit.change_sets import ChangeSet
from ctms.configuration.registry import VaultObject, get_object, list_record_objects
from ctms.core.clock import get_now
from ctms.core.rate_limits import count_request
from ctms.records.bulk.imports.files import write_line
from ctms.records.bulk.operations import (
    UNFINISHED,
    continue_operation,
    discard_operation,
    is_abandoned,
    is_open_to,
    list_operations,
    list_problems,
    note_seen,
    reopen_draft,
)
from ctms.records.bulk.previews import build_figures
from ctms.records.bulk.runner import check_soon
from ctms.records.choices import WARNINGS, OperationKind, OperationState, ProblemKind
from ctms.records.models import BulkOperation, OperationProblem
from ctms.records.requests import get_user
from ctms.records.undo.offers import get_undo_url, list_undoable

_SHOWN_PROBLEMS = 100
_OFFERED_FOR = timedelta(hours=1)  # undoing at once; later there is a look at it first
_WRITTEN = ("created", "changed", "deleted", "restored")
_PREVIEWS = {
    OperationKind.EDIT: "record_bulk_preview",
    OperationKind.IMPORT: "record_import_preview",
    OperationKind.UNDO: "record_undo_preview",
    OperationKind.HAND_OVER: "record_hand_over_preview",
}


@require_safe
@login_required
def show_operation(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Show an operation's progress and outcome. The page asks for itself again until the operation is done.

    A user other than its own sees the figures, and only those problems that concern records they can see.
    """
    operation, user = get_operation_or_404(request, uid), get_user(request)
    is_open = is_open_to(operation=operation, user=user)
    preview_url = get_preview_url(operation)
    if operation.state == OperationState.DRAFT and operation.user == request.user:
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": preview_url})
        return redirect(preview_url)
    note_seen(operation=operation, user=user)
    is_fragment = bool(request.headers.get("HX-Request"))
    is_import = operation.kind == OperationKind.IMPORT
    problems = build_problem_context(operation, user=user)
    context = {
        "operation": operation,
        "vault_object": get_object(operation.of_object),
        "list_url": get_list_url(
            object_name=operation.of_object, query=operation.plan.get("list", "") if is_open else ""
        ),
        "title": get_title(operation) if is_open else f"{operation.get_kind_display()} by {operation.user}",
        "is_open": is_open,
        "is_import": is_import,
        "is_unfinished": operation.state in UNFINISHED,
        "is_abandoned": is_abandoned(operation),
        "figures": build_figures(operation),
        "undo_url": _find_undo_url(operation, user=user),
        "is_recent": operation.finished_at is not None and get_now() - operation.finished_at < _OFFERED_FOR,
        "left_url": _build_left_url(operation, problems=problems["problems"]) if is_open else "",
        "total_text": f"{operation.total:,}",
        "total_label": "Rows" if is_import else "Records",
        "progress_text": f"{operation.done:,} of {operation.total:,} {'rows' if is_import else 'records'}",
    } | problems
    return render(request, "records/operation_progress.html" if is_fragment else "records/operation.html", context)


@require_safe
@login_required
def download_problems(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    """Download the operation's problems as CSV; other users get only those of records that they can see."""
    operation = get_operation_or_404(request, uid)
    user = get_user(request)
    count_request(scope="exports", key=user.pk)
    lines = _write_problems(operation=operation, user=user)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="problems-{operation.uid}.csv"'
    return response


@require_POST
@login_required
def resume_operation(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Continue an operation whose run was lost."""
    operation = get_operation_or_404(request, uid)
    continue_operation(operation=operation, user=get_user(request))
    return redirect("operation", uid=operation.uid)


@require_POST
@login_required
def check_again(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Check an operation that was not confirmed anew, so that it is compared with the records of now."""
    operation = get_own_operation_or_404(request, uid)
    if reopen_draft(operation):
        check_soon(operation)
    return redirect("operation", uid=operation.uid)


@require_POST
@login_required
def discard_draft(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Drop an operation that was not confirmed, and go back to the list."""
    operation = get_own_operation_or_404(request, uid)
    discard_operation(operation)
    messages.info(request, "Nothing was changed.")
    return redirect(get_list_url(object_name=operation.of_object, query=operation.plan.get("list", "")))


def get_operation_or_404(request: HttpRequest, uid: UUID) -> BulkOperation:
    """Return the operation, if it is the user's own or the user manages jobs. Raises Http404."""
    operation = list_operations(get_user(request)).filter(uid=uid).first()
    if operation is None or operation.of_object not in {each.api_name for each in list_record_objects()}:
        raise Http404("There is no operation of this address, or it is not yours.")
    return operation


def get_own_operation_or_404(request: HttpRequest, uid: UUID) -> BulkOperation:
    """Return the operation, if it is the user's own: it is done in their name, so nobody else may confirm it."""
    operation = get_operation_or_404(request, uid)
    if operation.user != request.user:
        raise Http404("This operation is another user's.")
    return operation


def build_problem_context(operation: BulkOperation, *, user: User) -> dict[str, Any]:
    """Return the first problems and warnings that the user may see, their numbers, and whether others are hidden."""
    found = list_problems(operation=operation, user=user)
    problems, warnings = found.exclude(kind__in=WARNINGS), found.filter(kind__in=WARNINGS)
    counts = found.aggregate(
        all=Count("pk"),
        warnings=Count("pk", filter=Q(kind__in=WARNINGS)),
        alike=Count("pk", filter=Q(kind=ProblemKind.ALIKE)),
    )
    return {
        "problems": list(problems[:_SHOWN_PROBLEMS]),
        "problem_count": counts["all"] - counts["warnings"],
        # Those that their user can do something about come first.
        "warnings": list(warnings.order_by("kind", "pk")[:_SHOWN_PROBLEMS]),
        "alike_count": counts["alike"],
        "warning_count": counts["warnings"],
        "has_hidden_problems": counts["all"] < operation.problems.count(),
    }


def get_preview_url(operation: BulkOperation) -> str:
    """Return the URL of the page where the user confirms a checked operation."""
    return reverse(_PREVIEWS[OperationKind(operation.kind)], args=(operation.of_object, operation.uid))


def get_list_url(*, object_name: str, query: str) -> str:
    """Return the URL of the object's list with this query string: that with which the records were selected."""
    url = reverse("record_list", args=(object_name,))
    return f"{url}?{query}" if query else url


def get_title(operation: BulkOperation) -> str:
    """Return the name of the imported file, how many records are edited, or what is undone or handed over."""
    if operation.kind == OperationKind.IMPORT:
        return str(operation.plan.get("file_name") or "Import")
    if operation.kind == OperationKind.UNDO:
        return f"Undo the {operation.plan.get('what', 'change')}"
    if operation.kind == OperationKind.HAND_OVER:
        return str(operation.plan.get("what", "Hand over"))
    return f"Edit {count_records(number=operation.total, vault_object=get_object(operation.of_object))}"


def _find_undo_url(operation: BulkOperation, *, user: User) -> str:
    """Return the URL that undoes a finished operation; empty if it wrote nothing, or the user may not."""
    if operation.finished_at is None or not any(operation.counts.get(name) for name in _WRITTEN):
        return ""
    change_set = ChangeSet(kind=operation.kind, key=str(operation.uid))
    return get_undo_url(change_set) if list_undoable(change_set=change_set, user=user).exists() else ""


def _build_left_url(operation: BulkOperation, *, problems: Sequence[OperationProblem]) -> str:
    """Return the URL that edits those records again that an edit has left as they were."""
    uids = dict.fromkeys(str(each.record_uid) for each in problems if each.record_uid)
    if operation.kind != OperationKind.EDIT or operation.finished_at is None or not uids:
        return ""
    return f"{reverse('record_bulk', args=(operation.of_object,))}?{urlencode({'uids': list(uids)}, doseq=True)}"


def count_records(*, number: int, vault_object: VaultObject) -> str:
    """Return the number with its noun, such as `1 activity` or `1,234 activities`."""
    return f"{number:,} {vault_object.label if number == 1 else vault_object.plural_label}"


def _write_problems(*, operation: BulkOperation, user: User) -> Iterator[str]:
    is_import = operation.kind == OperationKind.IMPORT
    yield "\ufeff" + write_line(
        ["Line" if is_import else "Record", "Name", "UID", "Field", "Value", "Kind", "What is wrong"]
    )
    for problem in list_problems(operation=operation, user=user).iterator(chunk_size=1000):
        yield write_line(
            [
                str(problem.position),
                problem.record_name,
                str(problem.record_uid or ""),
                problem.field_label,
                problem.value,
                problem.get_kind_display(),
                problem.message,
            ]
        )
