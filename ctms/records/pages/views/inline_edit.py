"""View that edits one field in place on the record page; without JavaScript, on a small page of its own."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.actors import Actor
from ctms.audit.reasons import read_reason
from ctms.configuration.fields import ObjectField
from ctms.configuration.record_head import find_place
from ctms.core.errors import StaleRecordError
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.record_links import find_page
from ctms.records.fields.titles import get_title
from ctms.records.forms.edit_conflicts import Conflict, build_conflict
from ctms.records.forms.form_layout import FieldLayout
from ctms.records.forms.form_state import FormState
from ctms.records.pages.record_page import build_record_page, explain_field_edit
from ctms.records.requests import (
    build_actor,
    comes_from_home,
    get_home_url,
    get_record_or_404,
    keep_way_back,
    open_object_or_404,
    read_version,
    shows_refusals,
)
from ctms.records.undo.offers import build_button, tell_saved

# Header of a form that stands in the cell of a list and not on the record's page.
IN_LIST = "X-In-List"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@shows_refusals
def edit_field(request: HttpRequest, object_name: str, uid: UUID, field_name: str) -> HttpResponse:
    """GET: return the form of the field, or, with `?shown`, its value. POST: save the field.

    Return the form again with errors, or with both values if another user changed the record.
    """
    access = open_object_or_404(request, object_name)
    record = _read_record(access=access, uid=uid)
    field = access.shape.fields.get(field_name)
    if field is None:
        raise Http404(f"{access.vault_object.title} has no field {field_name}.")
    if request.method != "POST" and "shown" in request.GET:
        return _show_field(request, access=access, record=record, field=field)
    if refusal := explain_field_edit(access=access, record=record, field=field):
        raise PermissionDenied(refusal)
    state = _read_state(request, access=access, record=record, field=field)
    if request.method != "POST":
        return _show_form(request, state=state, version=record.version)
    return _save(request, state=state, field=field)


def _save(request: HttpRequest, *, state: FormState, field: ObjectField) -> HttpResponse:
    access, record, version = state.layout.access, state.layout.record, read_version(request)
    saved_from = record.version
    actor = build_actor(request)
    change = state.read_change(actor=actor, expected_version=version)
    text = " ".join([f"{field.label} of {record} was saved.", *state.told])
    if change is None:
        return _show_form(request, state=state, version=version)
    try:
        # A value that is stored already, whoever saved it, is not written again.
        if not change.is_empty:
            change.save()
    except ValidationError as error:
        state.refuse(error)
        return _show_form(request, state=state, version=version)
    except StaleRecordError:
        now = _read_record(access=access, uid=record.uid)
        renewed = _read_state(request, access=access, record=now, field=field)
        conflict = build_conflict(state=renewed, data=request.POST, version=version)
        return _show_form(request, state=renewed, version=now.version, conflict=conflict)
    if "HX-Request" not in request.headers:
        tell_saved(request, text=text, actor=actor)
        page = f"{find_page(access=access, record=record)}#field-{field.api_name}"
        return redirect(get_home_url(request.POST) if comes_from_home(request.POST) else page)
    # Other open fields of this user may continue from the version that this save created, unless they were opened with
    # another than the one it was saved from: then they have not shown the changes in between.
    versions = {"was": saved_from, "is": record.version}
    try:
        record = _read_record(access=access, uid=record.uid)
    except Http404:
        # The new value may hide the record from the user, such as another study; or another user deleted it.
        tell_saved(request, text=text, actor=actor)
        return HttpResponse(headers={"HX-Redirect": find_page(access=access, record=record)})
    if IN_LIST in request.headers:
        tell_saved(request, text=text, actor=actor)
    told = " ".join(state.told)
    return _show_saved(request, access=access, record=record, field=field, versions=versions, actor=actor, told=told)


def _show_saved(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    record: Any,
    field: ObjectField,
    versions: dict[str, int],
    actor: Actor,
    told: str,
) -> HttpResponse:
    """Return the parts of the record's page that changed; nothing for a list, which reads itself anew."""
    trigger = json.dumps({"record:saved": versions})
    if IN_LIST in request.headers:
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": trigger})
    page = build_record_page(access=access, record=record, with_related=False)
    context = {"page": page, "saved": field, "undo": build_button(actor), "told": told}
    response = render(request, "records/record/saved.html", context)
    response.headers["HX-Trigger"] = trigger
    return response


def _read_state(request: HttpRequest, *, access: ObjectAccess, record: Any, field: ObjectField) -> FormState:
    object_type = getattr(record, "object_type", "")
    layout = FieldLayout(access=access, record=record, object_type=object_type, field=field)
    return FormState(layout=layout, data=request.POST if request.method == "POST" else None, auto_id="inline-%s")


def _show_field(request: HttpRequest, *, access: ObjectAccess, record: Any, field: ObjectField) -> HttpResponse:
    if "HX-Request" not in request.headers:
        return redirect(f"{get_record_url(record)}#field-{field.api_name}")
    page = build_record_page(access=access, record=record, with_related=False)
    facts = [fact for fact in page.facts if fact.name == field.api_name]
    if not facts:
        raise Http404(f"{field.label} is not on the page of this record.")
    return render(request, "records/record/fact.html", {"fact": facts[0], "title": page.title})


def _show_form(
    request: HttpRequest, *, state: FormState, version: int, conflict: Conflict | None = None
) -> HttpResponse:
    access, record, [field] = state.layout.access, state.layout.record, state.layout.writable
    alone = "HX-Request" not in request.headers
    if alone and not state.questions:
        state.fields[field.api_name].widget.attrs["autofocus"] = True
    context = {
        "access": access,
        "record": record,
        "form": state,
        "field": state[field.api_name],
        "version": version,
        "conflict": conflict,
        "alone": alone,
        "is_wide": kind_of(field).is_wide_inline,
        "place": find_place(vault_object=access.vault_object, name=field.api_name),
        "title": get_title(record),
        "asks_reason": field.api_name in access.list_reasoned(),
        "way_back": keep_way_back(request.POST if request.method == "POST" else request.GET),
        "back_url": get_home_url(request.GET) if comes_from_home(request.GET) else "",
        "change_reason": read_reason(request),
    }
    template = "records/record_field.html" if alone else "records/record/fact_editing.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _read_record(*, access: ObjectAccess, uid: UUID) -> Any:
    return get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
