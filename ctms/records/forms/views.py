"""Views that create, edit and clone records, and log them quickly from any page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import ReasonRequiredError, read_reason
from ctms.configuration.fields import OBJECT_TYPE
from ctms.configuration.snapshot import TypeShape
from ctms.core.errors import StaleRecordError
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.record_links import find_page
from ctms.records.fields.references import describe_choice
from ctms.records.forms.edit_conflicts import Conflict, build_conflict, merge_choices
from ctms.records.forms.form_layout import FormLayout, PageLayout, QuickLayout, build_clone_layout
from ctms.records.forms.form_page import render_form
from ctms.records.forms.form_state import FormState
from ctms.records.forms.form_templates import TemplateOffer
from ctms.records.forms.new_records import CREATE, IN_PLACE, NewPage, is_saving, issue_token, save_or_show_new
from ctms.records.forms.origin import FROM, read_origin
from ctms.records.requests import (
    build_actor,
    get_record_or_404,
    open_object_or_404,
    read_version,
    shows_refusals,
)
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.services import build_record

_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(_METHODS)
@login_required
@shows_refusals
def create_record(request: HttpRequest, object_name: str) -> HttpResponse:
    """Create a record. Where there is a choice, ask for the object type first.

    The parameters of the address fill the form. With `in_place=1` only the form is returned, for a dialog.
    """
    access = open_object_or_404(request, object_name)
    actor = build_actor(request)
    types = access.list_creatable_types()
    object_type = request.POST.get(OBJECT_TYPE) or request.GET.get(OBJECT_TYPE, "")
    is_in_place = "in_place" in request.GET
    if not object_type and len(types) > 1 and not is_in_place:
        return _choose_type(request, access=access, types=types)
    object_type = object_type or _get_first_type(access=access, types=types)
    layout = PageLayout(
        access=access,
        record=build_record(access=access, object_type=object_type),
        object_type=object_type,
        suggested=access.vault_object.initial_values(access.user),
        repeated="" if is_in_place else access.vault_object.create_one_per,
    )
    origin = read_origin(access=access, text=request.GET.get(FROM, ""))
    page = NewPage(title=f"Create {access.vault_object.label}", origin=origin)
    if is_in_place:
        page = replace(page, template="records/form_in_place.html", auto_id="place_%s", form=IN_PLACE)
    return save_or_show_new(request, actor=actor, layout=layout, page=page)


@require_http_methods(_METHODS)
@login_required
@shows_refusals
def log_quickly(request: HttpRequest, object_name: str) -> HttpResponse:
    """Create a record with only the object's quick fields.

    `from` names the record of the page that it is logged from, whose person, site and study it takes over.
    """
    access = open_object_or_404(request, object_name)
    actor = build_actor(request)
    if not access.vault_object.quick_fields:
        raise Http404(f"{access.vault_object.title} is not logged quickly.")
    object_type = _get_first_type(access=access, types=access.list_creatable_types())
    layout = QuickLayout(
        access=access,
        record=build_record(access=access, object_type=object_type),
        object_type=object_type,
        suggested={**access.vault_object.initial_values(access.user), **access.vault_object.quick_values},
        repeated=access.vault_object.create_one_per,
    )
    page = NewPage(
        title=f"Log {access.vault_object.label}",
        template="records/quick.html",
        auto_id="quick_%s",
        form="quick",
        has_segments=True,
        next_view="record_quick",
        origin=read_origin(access=access, text=request.GET.get(FROM, "")),
    )
    return save_or_show_new(request, actor=actor, layout=layout, page=page)


@require_safe
@login_required
def show_templates(request: HttpRequest, object_name: str) -> HttpResponse:
    """Return the part of a form with the templates for what the deciding reference, a parameter, holds now."""
    access = open_object_or_404(request, object_name)
    declared = access.vault_object.templates
    if declared is None:
        raise Http404(f"{access.vault_object.plural_title} have no templates.")
    offer = TemplateOffer(
        access=access,
        object_type=_get_first_type(access=access, types=access.list_creatable_types()),
        uid=read_uid(request.GET.get(declared.by)),
        path=reverse("record_create", args=(access.shape.api_name,)),
    )
    return render(request, "records/form/templates.html", {"offer": offer})


@require_http_methods(_METHODS)
@login_required
@shows_refusals
def clone_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Create a record whose form is filled with the values of another."""
    access = open_object_or_404(request, object_name)
    actor = build_actor(request)
    original = get_record_or_404(access=access, uid=uid)
    layout = build_clone_layout(access=access, original=original, object_type=_read_type(request, record=original))
    page = NewPage(title=f"Clone {original}", form=f"clone:{uid}", back_url=get_record_url(original))
    return save_or_show_new(request, actor=actor, layout=layout, page=page)


@require_http_methods(_METHODS)
@login_required
@shows_refusals
def edit_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Edit a record. Show both versions if another user saved the record meanwhile."""
    access = open_object_or_404(request, object_name)
    try:
        record = get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
    except Http404:
        if "expected_version" not in request.POST:
            raise
        return _show_lost(request, access=access)
    if refusal := access.explain_edit(record):
        raise PermissionDenied(refusal)
    layout = PageLayout(access=access, record=record, object_type=_read_type(request, record=record))
    if not is_saving(request, layout=layout):
        state = FormState(layout=layout, kept=request.POST if request.method == "POST" else None)
        version = read_version(request) if request.method == "POST" else record.version
        return _show_edit(request, state=state, version=version)
    return _save_edit(request, state=FormState(layout=layout, data=request.POST), version=read_version(request))


def _save_edit(request: HttpRequest, *, state: FormState, version: int) -> HttpResponse:
    layout, access, record = state.layout, state.layout.access, state.layout.record
    if "resolve" in request.POST:
        conflict = build_conflict(state=state, data=request.POST, version=version)
        if conflict.is_undecided:
            return _show_conflict(request, access=access, conflict=conflict)
        state = FormState(layout=layout, data=merge_choices(state=state, data=request.POST))
        version = record.version
    actor = build_actor(request)
    change = state.read_change(actor=actor, expected_version=version)
    if change is None:
        return _show_edit(request, state=state, version=version)
    if record.version != version:
        conflict = build_conflict(state=state, data=request.POST, version=version)
        if conflict.rows:
            return _show_conflict(request, access=access, conflict=conflict)
        # All that was typed is stored already, by the same request sent before, or by somebody who meant the same.
        change = replace(change, expected_version=record.version)
    try:
        change.save()
    except ValidationError as error:
        state.refuse(error)
        return _show_edit(request, state=state, version=version, lacks_reason=isinstance(error, ReasonRequiredError))
    except StaleRecordError:
        # The record changed between reading and writing: handle the request again with the record as it is now.
        return edit_record(request, object_name=access.shape.api_name, uid=record.uid)
    tell_saved(request, text=" ".join([f"{record} was saved.", *state.told]), actor=actor)
    return redirect(find_page(access=access, record=record))


def _show_edit(request: HttpRequest, *, state: FormState, version: int, lacks_reason: bool = False) -> HttpResponse:
    record = state.layout.record
    context = {
        "title": f"Edit {describe_choice(record)}",
        "back_url": get_record_url(record),
        "record_url": get_record_url(record),
        "version": version,
        "reasoned": _list_reasoned(state.layout),
        "change_reason": read_reason(request),
        "lacks_reason": lacks_reason,
        "is_dirty": request.method == "POST",
    }
    return render_form(request, state=state, template="records/form.html", context=context)


def _list_reasoned(layout: FormLayout) -> dict[str, str]:
    """Return what needs a reason on the form: the fields of the record, and that child records are removed."""
    reasoned = layout.access.list_reasoned()
    for each in layout.child_pickers:
        if each.can_remove and "" in each.access.list_reasoned():
            reasoned = {**reasoned, each.definition.name: each.title}
    return reasoned


def _show_conflict(request: HttpRequest, *, access: ObjectAccess, conflict: Conflict) -> HttpResponse:
    context = {"access": access, "conflict": conflict, "record_url": get_record_url(conflict.record)}
    return render(request, "records/conflict.html", context)


def _show_lost(request: HttpRequest, *, access: ObjectAccess) -> HttpResponse:
    """Show what was typed for a record that was deleted meanwhile, to be saved as a new one."""
    object_type = request.POST.get(OBJECT_TYPE) or request.POST.get("shown_type", "")
    record = access.vault_object.model(object_type=object_type)
    layout = PageLayout(access=access, record=record, object_type=object_type)
    state = FormState(layout=layout, kept=request.POST)
    address = reverse("record_create", args=(access.shape.api_name,))
    context = {
        "title": f"{access.vault_object.title} no longer there",
        "back_url": reverse("record_list", args=(access.shape.api_name,)),
        "action": f"{address}?{urlencode({OBJECT_TYPE: object_type})}",
        "form_token": issue_token(user=access.user, form=f"{access.shape.api_name}:{CREATE}"),
        "is_lost": True,
        "refusal": access.explain_create(object_type),
        "is_dirty": True,
    }
    return render_form(request, state=state, template="records/form.html", context=context)


def _choose_type(request: HttpRequest, *, access: ObjectAccess, types: list[TypeShape]) -> HttpResponse:
    """Show the object types as links that keep the other parameters of the address."""
    choices = []
    for each in types:
        parameters = request.GET.copy()
        parameters[OBJECT_TYPE] = each.api_name
        choices.append({"label": each.label, "url": f"?{parameters.urlencode()}"})
    context = {"access": access, "choices": choices, "title": f"Create {access.vault_object.label}"}
    return render(request, "records/form_type.html", context)


def _get_first_type(*, access: ObjectAccess, types: list[TypeShape]) -> str:
    """Return the first type that can be created; if there is none, the first type, whose refusal says why."""
    return types[0].api_name if types else next(iter(access.shape.types))


def _read_type(request: HttpRequest, *, record: Any) -> str:
    return str(request.POST.get(OBJECT_TYPE) or getattr(record, "object_type", ""))
