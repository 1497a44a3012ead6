"""Hand-over: from a record's page, from a selection in a list, or from a user, to another user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from ctms.accounts.login_resume import login_required
from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.audit.reasons import PARAMETER
from ctms.core.errors import VaultError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.bulk.edits import MOST_RECORDS, InvalidSelectionError, Selection, list_selected, read_selection
from ctms.records.bulk.handing_over.forms import HandOverForm
from ctms.records.bulk.handing_over.items import (
    Item,
    ItemGroup,
    Limits,
    RecordsScope,
    Scope,
    SitesScope,
    UserScope,
    digest_states,
    list_groups,
    list_items,
)
from ctms.records.bulk.handing_over.owned import find_owned, may_hand_over, open_any, open_owned
from ctms.records.bulk.handing_over.rows import build_checked_rows, show_group
from ctms.records.bulk.handing_over.waiting import list_waiting
from ctms.records.bulk.handing_over.work import TO, find_new_owner
from ctms.records.bulk.operations import OperationTakenError, confirm_operation, create_operation, note_seen
from ctms.records.bulk.previews import build_figures, build_pager
from ctms.records.bulk.runner import (
    CHECKED_AT_ONCE,
    build_operation_actor,
    check_soon,
    compare_with_check,
    open_work,
    perform_at_once,
)
from ctms.records.bulk.views.operations import (
    build_problem_context,
    count_records,
    get_list_url,
    get_own_operation_or_404,
)
from ctms.records.choices import OperationKind, OperationState
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.focus import focus_first_error
from ctms.records.fields.references import name_record
from ctms.records.lists.query import InvalidListError
from ctms.records.models import BulkOperation
from ctms.records.requests import build_actor, get_record_or_404, get_user, open_object_or_404
from ctms.records.undo.offers import tell_saved

_MOST_STUDIES = 500
BACK = "back"  # in the plan: the URL of the page to which the user comes back


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request wants to hand over. `what` is its name, `back_url` the page that it came from.

    `places` are references that everything has in common, by API name. `left_out` says why some that were chosen stay.
    """

    access: ObjectAccess
    scope: Scope
    what: str
    back_url: str
    from_text: str = ""
    query: str = ""
    left_out: str = ""
    asks_everybody: bool = False
    places: dict[str, str] = field(default_factory=dict)
    selection: Selection | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def hand_over_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Hand over a site with what is open there, or another record alone."""
    access = _open_for_handing_over(request, object_name)
    record = get_record_or_404(access=access, uid=uid, fields=[access.shape.fields[OWNER]])
    if refusal := access.explain_edit(record):
        raise PermissionDenied(refusal)
    return _answer(
        request,
        Asked(
            access=access,
            scope=_build_scope(access, uids=[str(uid)]),
            what=name_record(record),
            from_text=str(record.owner) if record.owner else "",
            back_url=get_record_url(record),
            asks_everybody=_is_site(access),
            places={"site__v": str(uid)} if _is_site(access) else {},
            left_out=_explain_left_out(access, uids=[str(uid)]),
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def hand_over_many(request: HttpRequest, object_name: str) -> HttpResponse:
    """Hand over records that were selected in a list: `uids`, or `all` of the list."""
    access = _open_for_handing_over(request, object_name)
    selection = read_selection(address=request.GET, form=request.POST)
    back_url = get_list_url(object_name=object_name, query=selection.query)
    try:
        uids = list_selected(access=access, selection=selection)
    except (InvalidSelectionError, InvalidListError) as error:
        messages.error(request, str(error))
        return redirect(back_url)
    return _answer(
        request,
        Asked(
            access=access,
            scope=_build_scope(access, uids=uids),
            what=count_records(number=len(uids), vault_object=access.vault_object),
            back_url=back_url,
            query=selection.query,
            selection=selection,
            asks_everybody=_is_site(access),
            places={"site__v": uids[0]} if _is_site(access) and len(uids) == 1 else {},
            left_out=_explain_left_out(access, uids=uids),
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def hand_over_user(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Hand over all sites of a user with what is open, as far as the asking user sees them."""
    user = get_object_or_404(User.objects.exclude(username=SYSTEM_USERNAME), uid=uid)
    access = _open_any(request)
    return _answer(
        request,
        Asked(
            access=access,
            scope=UserScope(user=user),
            what=f"what {user} owns",
            from_text=str(user),
            back_url=reverse("home"),
        ),
    )


@require_safe
@login_required
def show_waiting(request: HttpRequest) -> HttpResponse:
    """Show whose open records wait because their owner may not log in, or does not see them any more."""
    access = _open_any(request)
    return render(request, "records/hand_over_waiting.html", {"waiting": list_waiting(access)})


def _open_any(request: HttpRequest) -> ObjectAccess:
    try:
        access = open_any(get_user(request))
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    if not open_owned(access):
        raise PermissionDenied("Your security profile does not allow you to edit sites, visits or activities.")
    return access


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def preview_hand_over(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show what a checked hand-over would do and what it cannot do; a POST confirms it."""
    access = _open_for_handing_over(request, object_name)
    operation = get_own_operation_or_404(request, uid)
    if (operation.kind, operation.of_object) != (OperationKind.HAND_OVER, object_name):
        raise Http404("This operation is another one.")
    if operation.state != OperationState.DRAFT:
        return redirect("operation", uid=uid)
    if request.method == "POST":
        if operation.total <= CHECKED_AT_ONCE:
            return _perform(request, operation=operation, all_or_nothing=False)
        try:
            confirm_operation(operation=operation, actor=build_actor(request))
        except OperationTakenError as error:
            messages.warning(request, str(error))
        return redirect("operation", uid=uid)
    note_seen(operation=operation, user=get_user(request))
    context = _build_preview_context(access=access, operation=operation, page=request.GET.get("page", ""))
    return render(request, "records/hand_over_preview.html", context)


def _open_for_handing_over(request: HttpRequest, object_name: str) -> ObjectAccess:
    access = open_object_or_404(request, object_name)
    if find_owned(object_name) is None:
        raise Http404(f"{access.vault_object.plural_title} have no owner.")
    if not may_hand_over(access):
        raise PermissionDenied(f"Your security profile does not allow you to edit {access.vault_object.plural_label}.")
    return access


def _is_site(access: ObjectAccess) -> bool:
    owned = find_owned(access.shape.api_name)
    return owned is not None and owned.is_site


def _build_scope(access: ObjectAccess, *, uids: Sequence[str]) -> Scope:
    if _is_site(access):
        return SitesScope(uids=uids)
    return RecordsScope(object_name=access.shape.api_name, uids=uids)


def _explain_left_out(access: ObjectAccess, *, uids: Sequence[str]) -> str:
    """Return how many of the chosen records stay because they are done; empty if none do."""
    if _is_site(access):
        return ""
    groups = list_groups(access=access, scope=_build_scope(access, uids=uids), limits=Limits())
    done = len(uids) - sum(each.records.count() for each in groups)
    if not done:
        return ""
    what = count_records(number=done, vault_object=access.vault_object)
    verb = "is" if done == 1 else "are"
    return f"{what} {verb} complete, final, cancelled or inactive, and stays with the present owner."


def _answer(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Show the form with what would be handed over; when it is sent, do that, or lead to a look at what changed."""
    is_sent = request.method == "POST" and "step" in request.POST
    form = _build_form(asked, data=request.POST if is_sent else None)
    is_valid = is_sent and form.is_valid()
    included = form.list_included()
    groups = list_groups(access=asked.access, scope=asked.scope, limits=form.read_limits())
    if is_valid and request.POST["step"] in ("hand_over", "check"):
        items = list_items(each for each in groups if each.owned.api_name in included)
        if not items:
            form.add_error(None, "There is nothing to hand over: nothing that is ticked is open.")
        elif len(items) > MOST_RECORDS:
            form.add_error(None, f"These are more than {MOST_RECORDS:,} records. Hand over fewer at once.")
        else:
            return _start(request, asked=asked, form=form, items=items)
    return render(
        request,
        "records/hand_over.html",
        _build_context(request, asked=asked, form=form, groups=groups, shown=included),
    )


def _build_form(asked: Asked, *, data: Any) -> HandOverForm:
    groups = list_groups(access=asked.access, scope=asked.scope, limits=Limits(of_everybody=asked.asks_everybody))
    field_access = next((each.access for each in groups if not each.owned.is_site), asked.access)
    if not asked.places:
        field_access = asked.access
    reasoned = {label for each in groups for name, label in each.access.list_reasoned().items() if name == OWNER}
    return HandOverForm(
        access=field_access,
        places={name: uid for name, uid in asked.places.items() if name in field_access.shape.fields},
        offered=[each.owned for each in groups],
        studies=_list_studies(groups) if isinstance(asked.scope, UserScope) else (),
        asks_everybody=asked.asks_everybody,
        reasoned=sorted(reasoned),
        data=data,
    )


def _list_studies(groups: Sequence[ItemGroup]) -> list[tuple[str, str]]:
    """Return uid and name of the studies of the records, which the user sees with them."""
    found: dict[str, str] = {}
    for each in groups:
        rows = each.records.filter(study__isnull=False).order_by().values_list("study__uid", "study__name")
        found |= {str(uid): name for uid, name in rows.distinct()[:_MOST_STUDIES]}
    return sorted(found.items(), key=lambda pair: pair[1])


def _build_context(
    request: HttpRequest, *, asked: Asked, form: HandOverForm, groups: Sequence[ItemGroup], shown: Sequence[str]
) -> dict[str, Any]:
    focus_first_error(form, form.fields)
    items = list_items(groups)
    numbers = Counter(item.object_name for item in items)
    parts = [
        show_group(
            group=each,
            number=numbers[each.owned.api_name],
            is_included=each.owned.api_name in shown,
        )
        for each in groups
    ]
    included = [item for item in items if item.object_name in shown]
    return {
        "asked": asked,
        "access": asked.access,
        "form": form,
        "reason": form[PARAMETER] if PARAMETER in form.fields else None,
        "parts": parts,
        "number": len(included),
        "number_text": "1 record" if len(included) == 1 else f"{len(included):,} records",
        "seen": digest_states(item.state for item in included),
        "selection": asked.selection,
        "action_url": request.path,
    }


def _start(request: HttpRequest, *, asked: Asked, form: HandOverForm, items: Sequence[Item]) -> HttpResponse:
    """Check the hand-over; do it at once if the records are as the page showed them, and all of them can be."""
    to = form.cleaned_data["to"]
    operation = create_operation(
        user=get_user(request),
        object_name=items[0].object_name,
        kind=OperationKind.HAND_OVER,
        plan={
            TO: str(to.uid),
            "what": f"Hand over {asked.what} to {to}",
            BACK: asked.back_url,
            "list": asked.query if asked.access.shape.api_name == items[0].object_name else "",
            "reason": form.cleaned_data.get(PARAMETER, ""),
        },
        content="\n".join(map(str, items)),
        total=len(items),
    )
    check_soon(operation)
    is_as_shown = digest_states(operation.basis.splitlines()) == request.POST.get("seen")
    is_simple = operation.state == OperationState.DRAFT and not operation.failed and operation.total <= CHECKED_AT_ONCE
    if is_simple and not operation.counts.get("changed"):
        operation.delete()
        form.add_error("to", f"{to} owns all of this already.")
        groups = list_groups(access=asked.access, scope=asked.scope, limits=form.read_limits())
        shown = form.list_included()
        context = _build_context(request, asked=asked, form=form, groups=groups, shown=shown)
        return render(request, "records/hand_over.html", context)
    if is_simple and is_as_shown and request.POST["step"] == "hand_over":
        return _perform(request, operation=operation, all_or_nothing=True)
    if is_simple and not is_as_shown and request.POST["step"] == "hand_over":
        messages.info(request, "This is not what the page showed before: look at it once more.")
    return redirect("operation", uid=operation.uid)


def _perform(request: HttpRequest, *, operation: BulkOperation, all_or_nothing: bool) -> HttpResponse:
    """Do a small checked hand-over. Unless it is all or nothing, what is refused stays, and is listed."""
    back_url = str(operation.plan.get(BACK) or reverse("home"))
    done = perform_at_once(operation, actor=build_actor(request), all_or_nothing=all_or_nothing)
    if not done or operation.state != OperationState.DONE or operation.failed:
        return redirect("operation", uid=operation.uid)
    note_seen(operation=operation, user=get_user(request))
    to = find_new_owner(operation.plan[TO])
    number = operation.counts.get("changed", 0)
    text = f"{'1 record now belongs' if number == 1 else f'{number:,} records now belong'} to {to}."
    tell_saved(request, text=text, actor=build_operation_actor(operation))
    return redirect(back_url)


def _build_preview_context(*, access: ObjectAccess, operation: BulkOperation, page: str) -> dict[str, Any]:
    pager = build_pager(page=page, total=operation.total)
    problem, rows = "", []
    try:
        drafts = open_work(operation).plan(pager.first - 1, pager.last)
        compare_with_check(operation=operation, drafts=drafts, start=pager.first - 1)
        rows = build_checked_rows(drafts, to=str(find_new_owner(operation.plan.get(TO))))
    except VaultError as error:
        problem = str(error)
    doing = operation.counts.get("changed", 0)
    return {
        "access": access,
        "operation": operation,
        "title": operation.plan.get("what", "Hand over"),
        "problem": problem,
        "rows": rows,
        "pager": pager,
        "has_conflicts": any(row.is_outdated for row in rows),
        "figures": build_figures(operation),
        "doing": doing,
        "doing_text": "1 record" if doing == 1 else f"{doing:,} records",
        "total_text": f"{operation.total:,}",
        "list_url": get_list_url(object_name=operation.of_object, query=operation.plan.get("list", "")),
    } | build_problem_context(operation, user=access.user)
