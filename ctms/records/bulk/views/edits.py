"""Bulk edit: choose fields, see what would happen, confirm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import PARAMETER
from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.bulk.edits import (
    BulkEditForm,
    InvalidEditError,
    InvalidSelectionError,
    Selection,
    describe_plan,
    fill_quick_change,
    list_selected,
    may_be_cleared,
    read_selection,
)
from ctms.records.bulk.operations import OperationTakenError, confirm_operation, create_operation, note_seen
from ctms.records.bulk.previews import PreviewRow, build_figures, build_pager, build_preview
from ctms.records.bulk.runner import check_soon, compare_with_check, open_work
from ctms.records.bulk.views.operations import (
    build_problem_context,
    count_records,
    get_list_url,
    get_own_operation_or_404,
)
from ctms.records.choices import OperationKind, OperationState
from ctms.records.fields.focus import focus_first_error
from ctms.records.lists.query import InvalidListError, read_list
from ctms.records.models import BulkOperation
from ctms.records.requests import build_actor, get_user, open_object_or_404


@require_http_methods(["GET", "POST"])
@login_required
def edit_many(request: HttpRequest, object_name: str) -> HttpResponse:
    """Let the user choose what to set in the selected records; then store and check it as an operation."""
    access = _open_for_editing(request, object_name)
    selection = read_selection(address=request.GET, form=request.POST)
    try:
        uids = list_selected(access=access, selection=selection)
    except InvalidSelectionError as error:
        messages.error(request, str(error))
        return redirect(get_list_url(object_name=object_name, query=selection.query))
    except InvalidListError as error:
        messages.error(request, str(error))
        return redirect("record_list", object_name=object_name)
    data = fill_quick_change(access=access, form=request.POST)
    is_sent = data.get("step") == "preview"
    form = BulkEditForm(access=access, data=data if is_sent else None)
    form.initial["change"] = data.getlist("change")
    if not is_sent and (asked := next((name for name in form.initial["change"] if name in form.edit_fields), "")):
        # What a change such as Reschedule asks for can be typed at once.
        form.fields[asked].widget.attrs["autofocus"] = True
    if is_sent and form.is_valid():
        operation = create_operation(
            user=get_user(request),
            object_name=object_name,
            kind=OperationKind.EDIT,
            plan={"values": form.as_plan(), "list": selection.query, "reason": form.cleaned_data.get(PARAMETER, "")},
            content="\n".join(uids),
            total=len(uids),
        )
        check_soon(operation)
        return redirect("operation", uid=operation.uid)
    focus_first_error(form, [*form.edit_fields, PARAMETER])
    return render(
        request,
        "records/bulk_edit.html",
        {
            "access": access,
            "form": form,
            "rows": _list_rows(form),
            "reason": form[PARAMETER] if PARAMETER in form.fields else None,
            "selection": selection,
            "number": len(uids),
            "what": count_records(number=len(uids), vault_object=access.vault_object),
            "bulk_url": reverse("record_bulk", args=(object_name,)),
            "list_url": get_list_url(object_name=object_name, query=selection.query),
            "criteria": _list_criteria(access=access, selection=selection),
        },
    )


@require_http_methods(["GET", "POST"])
@login_required
def preview_edit(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show what the edit would do; a POST confirms it and queues the job."""
    access = _open_for_editing(request, object_name)
    operation = get_own_operation_or_404(request, uid)
    if (operation.kind, operation.of_object) != (OperationKind.EDIT, object_name):
        raise Http404("This operation is another one.")
    if operation.state != OperationState.DRAFT:
        return redirect("operation", uid=uid)
    if request.method == "POST":
        try:
            confirm_operation(operation=operation, actor=build_actor(request))
        except OperationTakenError as error:
            messages.warning(request, str(error))
        return redirect("operation", uid=uid)
    note_seen(operation=operation, user=get_user(request))
    context = _build_preview_context(access=access, operation=operation, page=request.GET.get("page", ""))
    return render(request, "records/bulk_preview.html", context)


def _open_for_editing(request: HttpRequest, object_name: str) -> ObjectAccess:
    access = open_object_or_404(request, object_name)
    if not access.allows("edit"):
        raise PermissionDenied(f"Your security profile does not allow you to edit {access.vault_object.plural_label}.")
    return access


def _build_preview_context(*, access: ObjectAccess, operation: BulkOperation, page: str) -> dict[str, Any]:
    problem = ""
    pager = build_pager(page=page, total=operation.total)
    changes: list[tuple[str, str]] = []
    rows: list[PreviewRow] = []
    fields: list[ObjectField] = []
    try:
        changes = describe_plan(access=access, plan=operation.plan["values"])
        fields = [access.shape.fields[name] for name in operation.plan["values"]]
        drafts = open_work(operation).plan(pager.first - 1, pager.last)
        compare_with_check(operation=operation, drafts=drafts, start=pager.first - 1)
        rows = build_preview(access=access, drafts=drafts, fields=fields)
    except InvalidEditError as error:
        problem = str(error)
    changing = operation.counts.get("changed", 0)
    return {
        "access": access,
        "operation": operation,
        "problem": problem,
        "changes": changes,
        "fields": fields,
        "rows": rows,
        "pager": pager,
        "has_conflicts": any(row.is_outdated for row in rows),
        "figures": build_figures(operation),
        "what": count_records(number=operation.total, vault_object=access.vault_object),
        "changing": changing,
        "changing_text": count_records(number=changing, vault_object=access.vault_object),
        "total_text": f"{operation.total:,}",
        "list_url": get_list_url(object_name=operation.of_object, query=operation.plan.get("list", "")),
    } | build_problem_context(operation, user=access.user)


def _list_rows(form: BulkEditForm) -> list[dict[str, Any]]:
    """Return each field that can be set with its inputs, in the order of the form."""
    ticked = form["change"].value() or []
    cleared = form["clear"].value() or []
    return [
        {
            "field": each,
            "input": form[name],
            "is_ticked": name in ticked,
            "may_be_cleared": may_be_cleared(each),
            "is_cleared": name in cleared,
        }
        for name, each in form.edit_fields.items()
    ]


def _list_criteria(*, access: ObjectAccess, selection: Selection) -> list[str]:
    """Return the filters and the search that selected all the records, in the words of the list."""
    if not selection.is_all:
        return []
    listed = read_list(access=access, parameters=QueryDict(selection.query))
    found = [f"{each.label}: {each.text}" for each in listed.filters.list_active()]
    return [*found, f"“{listed.text}”"] if listed.text else found
