"""Views that search while the user types: choices of a reference, and records of every object."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ctms.accounts.login_resume import login_required
from ctms.configuration.fields import ObjectField
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.fields.likely_choices import list_likely
from ctms.records.fields.references import list_choices, list_visible
from ctms.records.forms.origin import FROM, read_origin
from ctms.records.lists.autocomplete import clean_query, find_together
from ctms.records.lists.autocomplete import find_choices as find_choices_of
from ctms.records.lists.duplicates import find_duplicates, has_duplicates
from ctms.records.pages.global_search import search_objects
from ctms.records.requests import get_user, open_object_or_404
from ctms.records.writing.child_records import build_deciders, list_child_choices, open_child_pickers


@require_safe
@login_required
def search_everything(request: HttpRequest) -> HttpResponse:
    """Show the records of every object that match `q`. The palette takes its first results from this page too."""
    query = clean_query(request.GET.get("q", ""))
    groups = search_objects(user=get_user(request), query=query) if query else []
    return render(request, "records/search.html", {"query": query, "groups": groups, "search_term": query})


@require_safe
@login_required
def find_choices(request: HttpRequest, object_name: str, field_name: str) -> HttpResponse:
    """Return choices of a reference. `q` is the typed text; other references of the form limit the choices.

    `uid=…` asks whether that record can be chosen. `any=1`, for filters, also returns inactive records. `from=…` is the
    page from which the record is created, until the form has what it takes over. `together=1` returns what can be
    chosen in one step, such as all people of the site.
    """
    access = open_object_or_404(request, object_name)
    if any(entry.name == field_name for entry in access.vault_object.child_pickers):
        return _find_parts(request, access=access, name=field_name)
    field = access.shape.fields.get(field_name)
    if field is None or field.reference is None:
        raise Http404(f"{access.vault_object.title} has no reference {field_name}.")
    chosen: dict[str, UUID] = {}
    if request.GET.get("any"):
        records = list_visible(access=access, field=field)
    else:
        origin = read_origin(access=access, text=request.GET.get(FROM, "")).taken if FROM in request.GET else {}
        given = {name: uids[0] for name, uids in _read_chosen(request).items() if len(uids) == 1}
        chosen = {name: each.uid for name, each in origin.items() if name != field_name} | given
        records = list_choices(access=access, field=field, chosen=chosen)
    if records is None:
        raise Http404(f"{field.label}: these records are not visible to you.")
    if uid := read_uid(request.GET.get("uid")):
        records = records.filter(uid=uid)
    likely = list_likely(access=access, field=field, chosen=chosen)
    near = frozenset(chosen.values())
    if request.GET.get("together"):
        choices, has_more = find_together(access=access, field=field, records=records, likely=likely, near=near)
    else:
        query = request.GET.get("q", "")
        choices, has_more = find_choices_of(
            access=access, field=field, records=records, query=query, likely=likely, near=near
        )
    return JsonResponse({"results": [asdict(each) for each in choices], "more": has_more})


@require_safe
@login_required
def show_duplicates(request: HttpRequest, object_name: str) -> HttpResponse:
    """Return the part of a page that tells of records which may be the one that is typed; empty if there are none.

    The parameters are texts by API name; `record` is the uid of the record that is edited.
    """
    access = open_object_or_404(request, object_name)
    if not has_duplicates(access):
        raise Http404(f"{access.vault_object.plural_title} are not compared while typing.")
    values = {name: clean_query(str(text)) for name, text in request.GET.items() if name != "record"}
    found = find_duplicates(access=access, values=values, without=read_uid(request.GET.get("record")))
    return render(request, "records/form/duplicates_found.html", {"access": access, "duplicates": found})


def _find_parts(request: HttpRequest, *, access: ObjectAccess, name: str) -> HttpResponse:
    """Return choices of a child picker. `type` is the object type of the form, `record` the record that it edits."""
    object_type = request.GET.get("type", "")
    pickers = open_child_pickers(access=access, object_type=object_type)
    picker = next((each for each in pickers if each.definition.name == name), None)
    if picker is None:
        raise Http404(f"{access.vault_object.title} has no entry {name} for you.")
    uid = read_uid(request.GET.get("record"))
    record = access.list_records().filter(uid=uid).first() if uid else None
    deciders = build_deciders(access=access, object_type=object_type, chosen=_read_chosen(request), record=record)
    records = list_child_choices(picker=picker, deciders=deciders)
    return _answer(request, access=picker.access, field=picker.reference, records=records)


def _read_chosen(request: HttpRequest) -> dict[str, list[UUID]]:
    """Return the uids of the form's references, by name."""
    return {
        name: [uid for text in texts if (uid := read_uid(text))]
        for name, texts in request.GET.lists()
        if name not in ("uid", "record")
    }


def _answer(request: HttpRequest, *, access: ObjectAccess, field: ObjectField, records: QuerySet[Any]) -> HttpResponse:
    choices, has_more = find_choices_of(access=access, field=field, records=records, query=request.GET.get("q", ""))
    return JsonResponse({"results": [asdict(each) for each in choices], "more": has_more})
