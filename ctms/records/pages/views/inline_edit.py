"""View that edits one field in place on the record page; without JavaScript, on a small page of its own."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import read_reason
from ctms.configuration.fields import ObjectField
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.record_links import find_page
from ctms.records.forms.inline_edit import FieldConflict, FieldForm, build_conflict
from ctms.records.pages.record_page import build_record_page, explain_field_edit
from ctms.records.requests import build_actor, get_record_or_404, open_object_or_404, read_version

# Header of a form that stands in the cell of a list and not on the record's page.
IN_LIST = "X-In-List"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
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
    if request.method != "POST":
        form = FieldForm(access=access, record=record, field=field)
        return _show_form(request, form=form, version=record.version)
    return _save(request, form=FieldForm(access=access, record=record, field=field, data=request.POST))


def _save(request: HttpRequest, *, form: FieldForm) -> HttpResponse:
    record, version = form.record, read_version(request)
    saved_from = record.version
    try:
        # A value that is stored already, whoever saved it, is not written again.
        if form.has_changed() and not form.save(actor=build_actor(request), expected_version=version):
            return _show_form(request, form=form, version=version)
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except StaleRecordError:
        now = _read_record(access=form.access, uid=record.uid)
        conflict = build_conflict(record=now, form=form)
        return _show_form(request, form=form, version=now.version, conflict=conflict)
    if "HX-Request" not in request.headers:
        messages.success(request, f"{form.field.label} of {record} was saved.")
        return redirect(f"{find_page(access=form.access, record=record)}#field-{form.field.api_name}")
    # Other open fields of this user may continue from the version that this save created, unless they were opened with
    # another than the one it was saved from: then they have not shown the changes in between.
    versions = {"was": saved_from, "is": record.version}
    try:
        record = _read_record(access=form.access, uid=record.uid)
    except Http404:
        # The new value may hide the record from the user, such as another study; or another user deleted it.
        messages.success(request, f"{form.field.label} of {record} was saved.")
        return HttpResponse(headers={"HX-Redirect": find_page(access=form.access, record=record)})
    if IN_LIST in request.headers:
        # The list reads itself anew.
        saved = json.dumps({"record:saved": versions})
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": saved})
    page = build_record_page(access=form.access, record=record, with_related=False)
    response = render(request, "records/record/saved.html", {"page": page, "saved": form.field})
    response.headers["HX-Trigger"] = json.dumps({"record:saved": versions})
    return response


def _show_field(request: HttpRequest, *, access: ObjectAccess, record: Any, field: ObjectField) -> HttpResponse:
    if "HX-Request" not in request.headers:
        return redirect(f"{get_record_url(record)}#field-{field.api_name}")
    page = build_record_page(access=access, record=record, with_related=False)
    facts = [fact for section in page.sections for fact in getattr(section, "facts", ()) if fact.name == field.api_name]
    if not facts:
        raise Http404(f"{field.label} is not on the page of this record.")
    return render(request, "records/record/fact.html", {"fact": facts[0]})


def _show_form(
    request: HttpRequest, *, form: FieldForm, version: int, conflict: FieldConflict | None = None
) -> HttpResponse:
    alone = "HX-Request" not in request.headers
    context = {
        "access": form.access,
        "record": form.record,
        "form": form,
        "field": form.bound_field,
        "version": version,
        "conflict": conflict,
        "alone": alone,
        "asks_reason": form.field.api_name in form.access.list_reasoned(),
        "change_reason": read_reason(request),
    }
    template = "records/record_field.html" if alone else "records/record/fact_editing.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _read_record(*, access: ObjectAccess, uid: UUID) -> Any:
    return get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
