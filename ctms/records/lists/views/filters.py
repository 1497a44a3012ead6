"""Views of the form that filters a list: of one field, or of all conditions with their groups."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.records.access import ObjectAccess
from ctms.records.conditions.addresses import read_address, write_address
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.forms import ConditionsForm
from ctms.records.conditions.kinds import list_operators
from ctms.records.conditions.subjects import Subject, find_subject
from ctms.records.lists.query import CURSOR, RESERVED, VIEW, change_parameters, drop_blanks
from ctms.records.lists.saved_views import ALL
from ctms.records.requests import open_object_or_404

# The parameter of the form that holds the filters which it does not show, as part of an address.
KEPT = "kept"
# The parameter that names the field whose conditions the form shows; without it, it shows all.
ABOUT = "field"


@require_safe
@login_required
def show_filters(request: HttpRequest, object_name: str) -> HttpResponse:
    """Show the form of all conditions in the address, with their groups."""
    access = open_object_or_404(request, object_name)
    parameters = drop_blanks(request.GET)
    asker = UserAsker(access=access)
    address = read_address(asker=asker, object_name=object_name, parameters=_list_filters(parameters))
    form = ConditionsForm(asker=asker, user=access.user, object_name=object_name, stored=address.stored)
    return _show(request, access=access, form=form, state=_list_state(parameters), kept=QueryDict())


@require_safe
@login_required
def show_filter(request: HttpRequest, object_name: str, field_name: str) -> HttpResponse:
    """Show the form of the conditions in the address about a field, or of a new one."""
    access = open_object_or_404(request, object_name)
    asker = UserAsker(access=access)
    subject = find_subject(asker=asker, object_name=object_name, path=field_name)
    if subject is None or not list_operators(asker=asker, field=subject.field):
        raise Http404(f"{access.vault_object.plural_title} cannot be filtered by {field_name}.")
    parameters = drop_blanks(request.GET)
    filters = _list_filters(parameters)
    address = read_address(asker=asker, object_name=object_name, parameters=filters)
    own = {(index,): each for index, each in enumerate(address.stored) if each.get("field") == field_name}
    names = [name for place in own for name in address.list_parameters(place)]
    kept = change_parameters(filters, **dict.fromkeys(names))
    form = ConditionsForm(asker=asker, user=access.user, object_name=object_name, stored=list(own.values()))
    if not own:
        form.add(path=field_name)
    return _show(request, access=access, form=form, state=_list_state(parameters), kept=kept, subject=subject)


@require_safe
@login_required
def change_filters(request: HttpRequest, object_name: str) -> HttpResponse:
    """Read the form: lead to the list that its conditions describe, or show the form again as a button changed it."""
    access = open_object_or_404(request, object_name)
    asker = UserAsker(access=access)
    form = ConditionsForm(asker=asker, user=access.user, object_name=object_name, data=request.GET)
    state, kept = _list_state(request.GET), QueryDict(request.GET.get(KEPT, ""))
    if form.act() or not form.check():
        subject = find_subject(asker=asker, object_name=object_name, path=request.GET.get(ABOUT, ""))
        return _show(request, access=access, form=form, state=state, kept=kept, subject=subject, is_again=True)
    parameters = QueryDict(mutable=True)
    for name, value in [*_list_pairs(state), *_list_pairs(kept), *write_address(form.read())]:
        parameters.appendlist(name, value)
    query = parameters.urlencode() or f"{VIEW}={ALL}"
    return HttpResponseRedirect(f"{reverse('record_list', args=(object_name,))}?{query}")


def _show(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    form: ConditionsForm,
    state: QueryDict,
    kept: QueryDict,
    subject: Subject | None = None,
    is_again: bool = False,
) -> HttpResponse:
    object_name = access.shape.api_name
    others = QueryDict(mutable=True)
    for name, value in [*_list_pairs(state), *_list_pairs(kept)]:
        others.appendlist(name, value)
    context: dict[str, Any] = {
        "access": access,
        "form": form,
        "subject": subject,
        "state": _list_pairs(state),
        "kept": kept.urlencode(),
        "change_url": reverse("record_filters_change", args=(object_name,)),
        "without_url": f"{reverse('record_list', args=(object_name,))}?{others.urlencode() or f'{VIEW}={ALL}'}",
    }
    response = render(request, "records/list_filter.html", context)
    if is_again and request.headers.get("HX-Target") == "list-results":
        # The form expected to replace the list. It replaces itself instead.
        response["HX-Retarget"] = "closest [data-filter-holder]"
        response["HX-Reswap"] = "innerHTML"
        response["HX-Reselect"] = "#filter-form"
        response["HX-Push-Url"] = "false"
    return response


def _list_filters(parameters: QueryDict) -> QueryDict:
    return change_parameters(parameters, **dict.fromkeys(RESERVED))


def _list_state(parameters: QueryDict) -> QueryDict:
    """Return search, order, columns, size and view of the list, which its filters leave alone."""
    state = QueryDict(mutable=True)
    for name in parameters:
        if name in RESERVED - {CURSOR}:
            state.setlist(name, [value for value in parameters.getlist(name) if value.strip()])
    return state


def _list_pairs(parameters: QueryDict) -> list[tuple[str, str]]:
    return [(name, value) for name, values in parameters.lists() for value in values]
