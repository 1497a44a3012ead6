"""Import: upload a file, see what it would do, confirm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import PARAMETER
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.cells import describe_cell
from ctms.records.bulk.imports.columns import list_import_fields, name_columns, read_texts
from ctms.records.bulk.imports.files import write_line
from ctms.records.bulk.imports.forms import ExistingForm, ImportForm, ReadingForm
from ctms.records.bulk.imports.keys import MatchKey, get_match_key
from ctms.records.bulk.imports.work import MOST_ROWS_AT_ONCE, ImportOptions, build_planner, open_content, read_again
from ctms.records.bulk.operations import (
    OperationTakenError,
    confirm_operation,
    create_operation,
    leave_unchecked,
    list_recent_operations,
    note_seen,
    restart_operation,
)
from ctms.records.bulk.previews import build_figures, build_pager, build_preview
from ctms.records.bulk.runner import check_soon, compare_with_check
from ctms.records.bulk.views.operations import build_problem_context, get_own_operation_or_404
from ctms.records.choices import OperationKind, OperationState, ProblemKind
from ctms.records.fields.focus import focus_first_error
from ctms.records.models import BulkOperation
from ctms.records.requests import build_actor, get_user, open_object_or_404

_SHOWN_ZEROS = 3
_UNANSWERED = "Say first how the file is read."


@require_http_methods(["GET", "POST"])
@login_required
def upload_file(request: HttpRequest, object_name: str) -> HttpResponse:
    """Let the user upload a file; read, store and check it. No record is written yet."""
    access = _open_for_import(request, object_name)
    is_sent = request.method == "POST"
    form = ImportForm(
        shape=access.shape,
        data=request.POST if is_sent else None,
        files=request.FILES or None,
        reasoned=access.list_reasoned(),
    )
    if is_sent and form.is_valid() and form.opened is not None:
        operation = create_operation(
            user=get_user(request),
            object_name=object_name,
            kind=OperationKind.IMPORT,
            plan=form.opened.options.as_plan() | {"reason": form.cleaned_data.get(PARAMETER, "")},
            content=form.opened.content,
            total=len(form.opened.rows),
        )
        _check_or_ask(operation, options=form.opened.options)
        return redirect("operation", uid=operation.uid)
    focus_first_error(form, form.fields)
    return render(
        request,
        "records/import_upload.html",
        {
            "access": access,
            "form": form,
            "reason": form[PARAMETER] if PARAMETER in form.fields else None,
            "fields": [(each, describe_cell(access=access, field=each)) for each in list_import_fields(access.shape)],
            "recent": list_recent_operations(user=get_user(request), object_name=object_name),
            "list_url": reverse("record_list", args=(object_name,)),
            "template_url": reverse("record_import_template", args=(object_name,)),
        },
    )


@require_safe
@login_required
def download_template(request: HttpRequest, object_name: str) -> HttpResponse:
    """Return a file with only a header: each field by label, or by API name with `?names=api`."""
    access = _open_for_import(request, object_name)
    if request.GET.get("names") == "api":
        headers = [each.api_name for each in list_import_fields(access.shape)]
    else:
        headers = name_columns(access.shape)
    response = HttpResponse("\ufeff" + write_line(headers), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{object_name}-template.csv"'
    return response


@require_http_methods(["GET", "POST"])
@login_required
def preview_import(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show what the import would do; a POST confirms it and queues the job."""
    access = _open_for_import(request, object_name)
    operation = _get_import_or_404(request, object_name=object_name, uid=uid)
    if operation.state != OperationState.DRAFT:
        return redirect("operation", uid=uid)
    if request.method == "POST" and ImportOptions.read(operation.plan).is_open:
        messages.error(request, _UNANSWERED)
        return redirect("record_import_preview", object_name=object_name, uid=uid)
    if request.method == "POST":
        all_or_nothing = request.POST.get("mode") == "all"
        if all_or_nothing and operation.total > MOST_ROWS_AT_ONCE:
            messages.error(
                request, f"All or nothing is possible for at most {MOST_ROWS_AT_ONCE:,} rows. Split the file."
            )
            return redirect("record_import_preview", object_name=object_name, uid=uid)
        try:
            confirm_operation(operation=operation, actor=build_actor(request), plan={"all_or_nothing": all_or_nothing})
        except OperationTakenError as error:
            messages.warning(request, str(error))
        return redirect("operation", uid=uid)
    note_seen(operation=operation, user=get_user(request))
    context = _build_preview_context(access=access, operation=operation, page=request.GET.get("page", ""))
    return render(request, "records/import_preview.html", context)


@require_POST
@login_required
def change_reading(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Read the file of an import as the user says, and check it again."""
    access = _open_for_import(request, object_name)
    operation = _get_import_or_404(request, object_name=object_name, uid=uid)
    form = _build_reading_form(access=access, operation=operation, data=request.POST)
    try:
        if not form.is_valid():
            messages.error(request, " ".join(str(message) for errors in form.errors.values() for message in errors))
        elif (choices := form.list_choices()) or form.cleaned_data.get(PARAMETER):
            opened = read_again(shape=access.shape, content=operation.content, options=form.options, choices=choices)
            restart_operation(
                operation=operation,
                plan=opened.options.as_plan() | _read_reason(form),
                content=opened.content,
                total=len(opened.rows),
            )
            _check_or_ask(operation, options=opened.options)
        elif form.options.is_open:
            messages.error(request, _UNANSWERED)
    except VaultError as error:
        messages.error(request, str(error))
    return redirect("operation", uid=uid)


@require_POST
@login_required
def choose_existing(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Let lines use records that are there already, or create them after all, and check the file again."""
    access = _open_for_import(request, object_name)
    operation = _get_import_or_404(request, object_name=object_name, uid=uid)
    form = _build_existing_form(access=access, operation=operation, data=request.POST)
    try:
        if not form.is_valid():
            messages.error(request, " ".join(str(message) for errors in form.errors.values() for message in errors))
        else:
            restart_operation(
                operation=operation,
                plan={"uses": form.used} | _read_reason(form),
                content=operation.content,
                total=operation.total,
            )
            check_soon(operation)
    except VaultError as error:
        messages.error(request, str(error))
    return redirect("operation", uid=operation.uid)


def _get_import_or_404(request: HttpRequest, *, object_name: str, uid: UUID) -> BulkOperation:
    operation = get_own_operation_or_404(request, uid)
    if (operation.kind, operation.of_object) != (OperationKind.IMPORT, object_name):
        raise Http404("This operation is another one.")
    return operation


def _build_existing_form(*, access: ObjectAccess, operation: BulkOperation, data: Any = None) -> ExistingForm:
    offered = operation.problems.filter(kind=ProblemKind.ALIKE)
    return ExistingForm(
        options=ImportOptions.read(operation.plan),
        offered={line: found for line, found in offered.values_list("position", "record_uid") if found is not None},
        reasoned={} if operation.plan.get("reason") else access.list_reasoned(),
        data=data,
    )


def _read_reason(form: ReadingForm | ExistingForm) -> dict[str, Any]:
    reason = form.cleaned_data.get(PARAMETER)
    return {"reason": reason} if reason else {}


def _check_or_ask(operation: BulkOperation, *, options: ImportOptions) -> None:
    """Check a file that was read, or leave it to its user to say how first."""
    if options.is_open:
        leave_unchecked(operation)
    else:
        check_soon(operation)


def _build_reading_form(*, access: ObjectAccess, operation: BulkOperation, data: Any = None) -> ReadingForm:
    lost = operation.problems.filter(kind=ProblemKind.LOST_ZEROS).values_list("message", flat=True)
    return ReadingForm(
        shape=access.shape,
        options=ImportOptions.read(operation.plan),
        reasoned={} if operation.plan.get("reason") else access.list_reasoned(),
        lost_zeros=[f"{message.partition('. ')[0]}." for message in lost[:_SHOWN_ZEROS]],
        data=data,
    )


def _open_for_import(request: HttpRequest, object_name: str) -> ObjectAccess:
    access = open_object_or_404(request, object_name)
    if not (access.can_create() or access.allows("edit")):
        raise PermissionDenied(
            f"Your security profile does not allow you to create or edit {access.vault_object.plural_label}."
        )
    return access


def _build_preview_context(*, access: ObjectAccess, operation: BulkOperation, page: str) -> dict[str, Any]:
    options = ImportOptions.read(operation.plan)
    if options.is_open:
        return _build_question_context(access=access, operation=operation)
    pager = build_pager(page=page, total=operation.total)
    problem, rows, columns = "", [], []
    try:
        opened = open_content(shape=access.shape, content=operation.content, options=options)
        columns = [column.field for column in opened.columns]
        read = opened.list_first_rows(pager.last)
        earlier, shown = read[: pager.first - 1], read[pager.first - 1 :]
        planner = build_planner(access=access, file=opened)
        planner.skip(earlier)
        drafts = planner.plan(shown)
        compare_with_check(operation=operation, drafts=drafts, start=len(earlier))
        texts = [read_texts(columns=opened.columns, row=row) for row in shown]
        rows = build_preview(access=access, drafts=drafts, fields=columns, texts=texts)
    except VaultError as error:
        problem = str(error)
    counts = operation.counts
    importing = counts.get("created", 0) + counts.get("changed", 0)
    return {
        "access": access,
        "operation": operation,
        "options": options,
        "reading": _build_reading_form(access=access, operation=operation),
        "existing": _build_existing_form(access=access, operation=operation),
        "explanation": _explain(options=options, key=get_match_key(shape=access.shape, name=options.key)),
        "problem": problem,
        "columns": columns,
        "rows": rows,
        "pager": pager,
        "has_conflicts": any(row.is_outdated for row in rows),
        "figures": build_figures(operation),
        "importing": importing,
        "importing_text": "1 row" if importing == 1 else f"{importing:,} rows",
        "total_text": f"{operation.total:,}",
        "may_be_all_or_nothing": operation.total <= MOST_ROWS_AT_ONCE,
        "most_at_once": f"{MOST_ROWS_AT_ONCE:,}",
        "list_url": reverse("record_list", args=(operation.of_object,)),
        "upload_url": reverse("record_import", args=(operation.of_object,)),
    } | build_problem_context(operation, user=access.user)


def _build_question_context(*, access: ObjectAccess, operation: BulkOperation) -> dict[str, Any]:
    """Build the context of an import that cannot be checked before its user has said how it is read."""
    return {
        "access": access,
        "operation": operation,
        "options": ImportOptions.read(operation.plan),
        "reading": _build_reading_form(access=access, operation=operation),
        "upload_url": reverse("record_import", args=(operation.of_object,)),
    }


def _explain(*, options: ImportOptions, key: MatchKey) -> str:
    if not key.fields and options.uses:
        return "Every row becomes a new record, except those for which you chose one that is there already."
    if not key.fields:
        return "Every row becomes a new record."
    if not options.update_existing:
        return f"Existing records are found by {key.label}, and left as they are."
    empty = "clear the field" if options.clear_empty else "leave the field as it is"
    return f"Existing records are found by {key.label}, and changed; empty cells {empty}."
