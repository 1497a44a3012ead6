"""Views of the list of any object."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.audit.users import save_user
from ctms.records.access import ObjectAccess
from ctms.records.lists.columns import (
    COMPACT,
    DENSITIES,
    PAGE_SIZES,
    get_lead,
    get_preference,
    move_column,
    save_preference,
)
from ctms.records.lists.page import ListPage
from ctms.records.lists.query import COLUMNS, SIZE, VIEW, change_parameters, drop_blanks, read_list
from ctms.records.lists.saved_views import ALL, build_parameters, find_view
from ctms.records.models import ListPreference
from ctms.records.requests import build_actor, open_object_or_404

# Names the record that is shown beside the list.
PEEK = "peek"


@require_safe
@login_required
def show_list(request: HttpRequest, object_name: str) -> HttpResponse:
    """Show the list that the address describes. Redirect to its canonical address, if the given one differs."""
    access = open_object_or_404(request, object_name)
    preference = get_preference(user=access.user, object_name=object_name)
    # Which record is shown beside the list is up to list_peek.js, and no matter of the list.
    parameters = request.GET.copy()
    peeked = parameters.pop(PEEK, [])
    address = _find_address(parameters=parameters, access=access, preference=preference)
    if address != parameters.urlencode():
        return _redirect_to_list(object_name, "&".join(filter(None, (address, urlencode({PEEK: peeked}, doseq=True)))))
    page = ListPage(listed=read_list(access=access, parameters=parameters), preference=preference)
    return render(request, "records/list.html", {"page": page})


@require_POST
@login_required
def choose_columns(request: HttpRequest, object_name: str) -> HttpResponse:
    """Save the user's columns, page size or density, and redirect to the list."""
    access = open_object_or_404(request, object_name)
    parameters = change_parameters(request.GET)
    if request.POST.get("density") in DENSITIES:
        user = access.user
        user.has_compact_lists = request.POST["density"] == COMPACT
        save_user(user=user, actor=build_actor(request), fields=["has_compact_lists"])
        return _redirect_to_list(object_name, parameters.urlencode())
    if request.POST.get("size") in [str(size) for size in PAGE_SIZES]:
        save_preference(user=access.user, object_name=object_name, page_size=int(request.POST["size"]))
        parameters.pop(SIZE, None)
        return _redirect_to_list(object_name, parameters.urlencode())
    lead = get_lead(access.shape)
    names = [name for name in request.POST.getlist("column") if name in access.shape.fields and name != lead]
    for action, step in (("up", -1), ("down", 1)):
        names = move_column(names=names, name=request.POST.get(action, ""), step=step)
    is_reset = "reset" in request.POST
    save_preference(user=access.user, object_name=object_name, columns=[] if is_reset else [lead, *names])
    parameters.pop(COLUMNS, None)
    return _redirect_to_list(object_name, parameters.urlencode())


def _find_address(*, parameters: QueryDict, access: ObjectAccess, preference: ListPreference) -> str:
    """Return the canonical query string: without blanks, and a view as the parameters it stores."""
    if not parameters:
        view = preference.default_view
        if view is None or not (view.is_shared or view.user_id == access.user.pk):
            return ""
        return build_parameters(view).urlencode()
    parameters = drop_blanks(parameters)
    if list(parameters) == [VIEW] and parameters[VIEW] != ALL:
        found = find_view(user=access.user, object_name=access.shape.api_name, uid=str(parameters[VIEW]))
        parameters = build_parameters(found) if found is not None else parameters
    return parameters.urlencode() or (f"{VIEW}={ALL}" if preference.default_view_id else "")


def _redirect_to_list(object_name: str, query: str) -> HttpResponse:
    address = reverse("record_list", args=(object_name,))
    return HttpResponseRedirect(f"{address}?{query}" if query else address)
