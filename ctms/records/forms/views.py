"""Views that create, edit and clone records, and log them quickly from any page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import read_reason
from ctms.configuration.fields import OBJECT_TYPE
from ctms.configuration.snapshot import TypeShape
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.record_links import find_page
from ctms.records.fields.references import describe_choice
from ctms.records.forms.edit_conflicts import Conflict, build_conflict, merge_choices
from ctms.records.forms.form_layout import FormLayout, build_page_layout, build_quick_layout
from ctms.records.forms.record_form import RecordForm, list_parents
from ctms.records.requests import build_actor, get_record_or_404, open_object_or_404, read_version
from ctms.records.writing.services import build_clone, build_record, drop_unfit_references

_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(_METHODS)
@login_required
def create_record(request: HttpRequest, object_name: str) -> HttpResponse:
    """Create a record. Where there is a choice, ask for the object type first.

    The parameters of the address fill the form. With `in_place=1` only the form is returned, for a dialog.
    """
    access = open_object_or_404(request, object_name)
    creatable = access.list_creatable_types()
    object_type = request.POST.get(OBJECT_TYPE) or request.GET.get(OBJECT_TYPE, "")
    is_place = "in_place" in request.GET
    if not object_type and len(creatable) > 1 and not is_place:
        return _choose_type(request, access=access, types=creatable)
    object_type = object_type or _get_first_type(access=access, types=creatable)
    record = _build_or_refuse(access=access, object_type=object_type)
    form = _build_new(
        request,
        access=access,
        record=record,
        layout=build_page_layout(access=access, record=record, object_type=object_type),
        auto_id="place_%s" if is_place else "id_%s",
        takes_several=not is_place,
    )
    template = "records/form_in_place.html" if is_place else "records/form.html"
    return _handle_new(request, form=form, template=template, title=f"Create {access.vault_object.label}")


@require_http_methods(_METHODS)
@login_required
def log_quickly(request: HttpRequest, object_name: str) -> HttpResponse:
    """Create a record with only the object's quick fields."""
    access = open_object_or_404(request, object_name)
    if not access.vault_object.quick_fields:
        raise Http404(f"{access.vault_object.title} is not logged quickly.")
    object_type = _get_first_type(access=access, types=access.list_creatable_types())
    record = _build_or_refuse(access=access, object_type=object_type)
    layout = build_quick_layout(access=access, record=record, object_type=object_type)
    form = _build_new(request, access=access, record=record, layout=layout, auto_id="quick_%s")
    form.use_segments()
    return _handle_new(request, form=form, template="records/quick.html", title=f"Log {access.vault_object.label}")


@require_http_methods(_METHODS)
@login_required
def clone_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Create a record whose form is filled with the values of another."""
    access = open_object_or_404(request, object_name)
    original = get_record_or_404(access=access, uid=uid)
    try:
        clone = build_clone(access=access, record=original)
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    object_type = _read_type(request, record=original)
    clone.object_type = object_type
    layout = build_page_layout(access=access, record=clone, object_type=object_type)
    drop_unfit_references(access=access, record=clone, shown={each.api_name for each in layout.writable})
    layout = build_page_layout(access=access, record=clone, object_type=object_type)
    data = request.POST if _is_saving(request, object_type=object_type) else None
    form = RecordForm(access=access, record=clone, object_type=object_type, layout=layout, data=data)
    return _handle_new(
        request, form=form, template="records/form.html", title=f"Clone {original}", back_url=get_record_url(original)
    )


@require_http_methods(_METHODS)
@login_required
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
    form = _build_edit(request, access=access, record=record)
    if form.is_bound:
        return _save_edit(request, form=form)
    if request.method == "POST":
        form.keep(request.POST)
        return _show_edit(request, form=form, version=read_version(request), is_dirty=True)
    return _show_edit(request, form=form, version=record.version)


def _build_edit(request: HttpRequest, *, access: ObjectAccess, record: Any, data: Any = None) -> RecordForm:
    object_type = _read_type(request, record=record)
    layout = build_page_layout(access=access, record=record, object_type=object_type)
    if data is None and _is_saving(request, object_type=object_type):
        data = request.POST
    return RecordForm(access=access, record=record, object_type=object_type, layout=layout, data=data)


def _save_edit(request: HttpRequest, *, form: RecordForm) -> HttpResponse:
    access, record, version = form.access, form.record, read_version(request)
    if "resolve" in request.POST:
        conflict = build_conflict(form=form, data=request.POST, version=version)
        if conflict.is_undecided:
            return _show_conflict(request, access=access, conflict=conflict)
        merged = merge_choices(form=form, data=request.POST)
        form, version = _build_edit(request, access=access, record=record, data=merged), record.version
    if not form.is_valid():
        return _show_edit(request, form=form, version=version)
    if record.version != version:
        conflict = build_conflict(form=form, data=request.POST, version=version)
        return _show_conflict(request, access=access, conflict=conflict)
    try:
        if not form.save(actor=build_actor(request), expected_version=version):
            return _show_edit(request, form=form, version=version)
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except StaleRecordError:
        # The record changed between reading and writing: handle the request again with the record as it is now.
        return edit_record(request, object_name=access.shape.api_name, uid=record.uid)
    messages.success(request, f"{record} was saved.")
    return redirect(find_page(access=access, record=record))


def _show_edit(request: HttpRequest, *, form: RecordForm, version: int, is_dirty: bool = False) -> HttpResponse:
    record = form.record
    context = {
        "title": f"Edit {describe_choice(record)}",
        "back_url": get_record_url(record),
        "record_url": get_record_url(record),
        "version": version,
        "reasoned": form.access.list_reasoned(),
        "change_reason": read_reason(request),
        "is_dirty": is_dirty or form.is_bound,
    }
    return _render_form(request, form=form, template="records/form.html", context=context)


def _show_conflict(request: HttpRequest, *, access: ObjectAccess, conflict: Conflict) -> HttpResponse:
    context = {"access": access, "conflict": conflict, "record_url": get_record_url(conflict.record)}
    return render(request, "records/conflict.html", context)


def _show_lost(request: HttpRequest, *, access: ObjectAccess) -> HttpResponse:
    """Show what was typed for a record that was deleted meanwhile, to be saved as a new one."""
    object_type = request.POST.get(OBJECT_TYPE) or request.POST.get("shown_type", "")
    record = access.vault_object.model(object_type=object_type)
    layout = build_page_layout(access=access, record=record, object_type=object_type)
    form = RecordForm(access=access, record=record, object_type=object_type, layout=layout)
    form.keep(request.POST)
    address = reverse("record_create", args=(access.shape.api_name,))
    context = {
        "title": f"{access.vault_object.title} no longer there",
        "back_url": reverse("record_list", args=(access.shape.api_name,)),
        "action": f"{address}?{urlencode({OBJECT_TYPE: object_type})}",
        "is_lost": True,
        "refusal": access.explain_create(object_type),
        "is_dirty": True,
    }
    return _render_form(request, form=form, template="records/form.html", context=context)


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


def _build_or_refuse(*, access: ObjectAccess, object_type: str) -> Any:
    try:
        return build_record(access=access, object_type=object_type)
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error


def _build_new(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    record: Any,
    layout: FormLayout,
    auto_id: str,
    takes_several: bool = False,
) -> RecordForm:
    object_type = getattr(record, "object_type", "")
    return RecordForm(
        access=access,
        record=record,
        object_type=object_type,
        layout=layout,
        data=request.POST if _is_saving(request, object_type=object_type) else None,
        initial=access.vault_object.initial_values(access.user),
        auto_id=auto_id,
        takes_several=takes_several,
    )


def _read_type(request: HttpRequest, *, record: Any) -> str:
    return str(request.POST.get(OBJECT_TYPE) or getattr(record, "object_type", ""))


def _is_saving(request: HttpRequest, *, object_type: str) -> bool:
    """Whether the POST saves the form; False if it only chose another object type, to show the fields of that."""
    return request.method == "POST" and request.POST.get("shown_type", object_type) == object_type


def _handle_new(
    request: HttpRequest, *, form: RecordForm, template: str, title: str, back_url: str = ""
) -> HttpResponse:
    problems = form.fill(request.GET.dict())
    form.focus_first()
    is_kept = request.method == "POST" and not form.is_bound
    if is_kept:
        form.keep(request.POST)
    try:
        if form.is_bound and form.save(actor=build_actor(request)):
            return _answer_created(request, form=form)
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    context = {
        "title": title,
        "problems": problems,
        "back_url": back_url or _find_back_url(request, form=form),
        "can_create_another": True,
        "is_dirty": form.is_bound or is_kept,
    }
    return _render_form(request, form=form, template=template, context=context)


def _answer_created(request: HttpRequest, *, form: RecordForm) -> HttpResponse:
    access, record = form.access, form.record
    url = find_page(access=access, record=record)
    text = f"{access.vault_object.title} created:"
    next_url = _build_next_url(request, form=form) if "and_create" in request.POST else ""
    if "application/json" in request.headers.get("Accept", ""):
        message = {"text": text, "label": str(record), "url": url}
        saved = {"uid": str(record.uid), "label": describe_choice(record), "message": message, "next": next_url}
        return JsonResponse(saved, status=201)
    links = [(find_page(access=access, record=each), _name_saved(form, each)) for each in form.saved]
    if len(links) > 1:
        text = f"{len(links)} {access.vault_object.plural_label} created:"
    messages.success(request, format_html("{} {}", text, format_html_join(", ", '<a href="{}">{}</a>', links)))
    return redirect(next_url or url)


def _name_saved(form: RecordForm, record: Any) -> str:
    """Return the record's name; if several were saved, with the reference that tells them apart before it."""
    repeated = form.access.vault_object.create_one_per
    if len(form.saved) == 1:
        return str(record)
    return f"{getattr(record, form.access.shape.fields[repeated].attribute)}: {record}"


def _build_next_url(request: HttpRequest, *, form: RecordForm) -> str:
    """Return the URL of an empty form with the parent references that this one was opened with."""
    parameters = list_parents(access=form.access, parameters=request.GET.dict())
    if len(form.access.list_creatable_types()) > 1:
        parameters[OBJECT_TYPE] = form.object_type
    view = "record_quick" if request.resolver_match and request.resolver_match.url_name == "record_quick" else None
    address = reverse(view or "record_create", args=(form.access.shape.api_name,))
    return f"{address}?{urlencode(parameters)}" if parameters else address


def _find_back_url(request: HttpRequest, *, form: RecordForm) -> str:
    """Return the URL of the record from whose page the new one is created, or of the list."""
    for name in list_parents(access=form.access, parameters=request.GET.dict()):
        parent = form.initial.get(name)
        if isinstance(parent, list):
            parent = next(iter(parent), None)
        if hasattr(parent, "object_name"):
            return get_record_url(parent)
    return reverse("record_list", args=(form.access.shape.api_name,))


def _render_form(request: HttpRequest, *, form: RecordForm, template: str, context: dict[str, Any]) -> HttpResponse:
    given = {"access": form.access, "form": form, "sections": form.build_sections()}
    return render(request, template, given | context)
