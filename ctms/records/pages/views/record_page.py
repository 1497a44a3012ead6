"""Views of the record page: the page, its timeline, and actions of its Actions menu."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from ctms.accounts.login_resume import login_required
from ctms.accounts.sessions import BACKGROUND_HEADER
from ctms.audit.reasons import ReasonRequiredError
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.titles import get_title
from ctms.records.merging.redirects import find_winner
from ctms.records.pages.actions import run_action
from ctms.records.pages.favourites import note_view
from ctms.records.pages.places import list_places
from ctms.records.pages.record_page import build_record_page
from ctms.records.pages.timeline import read_timeline
from ctms.records.requests import (
    LIST,
    MOST_DIGITS,
    build_actor,
    find_way_back,
    get_record_or_404,
    get_user,
    open_object_or_404,
    read_version,
)
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.services import write_values


@require_safe
@login_required
def show_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show the page of a record, and note that the user opened it."""
    access = open_object_or_404(request, object_name)
    try:
        record = get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
    except Http404:
        winner = find_winner(access=access, uid=uid)
        if winner is None:
            raise
        return redirect(get_record_url(winner))
    if request.method == "GET":
        note_view(user=get_user(request), record=record)
    return render(request, "records/record.html", {"page": build_record_page(access=access, record=record)})


@require_safe
@login_required
def show_peek(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show the record beside a list: the page's head, fields and history. Without JavaScript, lead to the page.

    A peek is no visit: the record does not come among those that the user opened.
    """
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
    if "HX-Request" in request.headers:
        page = build_record_page(access=access, record=record, with_related=False)
        response = render(request, "records/list/peek.html", {"page": page})
    else:
        response = redirect(get_record_url(record))
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_safe
@login_required
def show_places(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show where the record is now; its page asks for it while a line is about to change. No page of its own."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
    if BACKGROUND_HEADER not in request.headers:
        return redirect(get_record_url(record))
    places = list_places(access=access, record=record)
    page = {"access": access, "record": record, "places": places, "is_moving": any(each.is_moving for each in places)}
    response = render(request, "records/record/places.html", {"page": page})
    patch_vary_headers(response, [BACKGROUND_HEADER])
    return response


@require_safe
@login_required
def show_timeline(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Show older entries of the timeline: more rows for htmx, otherwise a page of its own."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    timeline = read_timeline(access=access, record=record, before=_read_before(request))
    template = (
        "records/record/timeline_entries.html" if "HX-Request" in request.headers else "records/record_timeline.html"
    )
    response = render(request, template, {"access": access, "record": record, "timeline": timeline})
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
@login_required
def set_status(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Activate or deactivate the record. Where a reason is needed and was not given, a page asks for it."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    status = request.POST.get("status", "")
    if status not in RecordStatus.values:
        raise BadRequest(f"status is one of {', '.join(RecordStatus.values)}.")
    actor = build_actor(request)
    version = read_version(request)
    try:
        write_values(
            access=access,
            record=record,
            values={"status__v": status},
            actor=actor,
            expected_version=version,
        )
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except StaleRecordError as error:
        messages.error(request, str(error))
    except ReasonRequiredError as error:
        sent = {"status": status, "expected_version": version}
        label = "Activate" if status == RecordStatus.ACTIVE else "Deactivate"
        return _ask_reason(request, access=access, record=record, label=label, sent=sent, error=error)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        tell_saved(request, text=f"{record} is {RecordStatus(status).label} now.", actor=actor)
    return redirect(find_way_back(request.POST, record=record))


@require_POST
@login_required
def do_action(request: HttpRequest, object_name: str, uid: UUID, action_name: str) -> HttpResponse:
    """Run an action that the object adds to the menu. Where a reason is needed and is missing, a page asks for it."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    if action_name not in access.vault_object.actions:
        raise Http404(f"{access.vault_object.title} has no action {action_name}.")
    actor = build_actor(request)
    try:
        with transaction.atomic():
            done = run_action(access=access, record=record, name=action_name, actor=actor)
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except ReasonRequiredError as error:
        label = access.vault_object.actions[action_name]
        return _ask_reason(request, access=access, record=record, label=label, sent={}, error=error)
    except StaleRecordError as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        tell_saved(request, text=done, actor=actor)
    return redirect(find_way_back(request.POST, record=record))


def _ask_reason(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    record: Any,
    label: str,
    sent: dict[str, Any],
    error: ReasonRequiredError,
) -> HttpResponse:
    """Show a page that asks for the reason and sends the same again with it; nothing was written."""
    context = {
        "access": access,
        "record": record,
        "title": get_title(record),
        "label": label,
        "sent": sent | ({LIST: request.POST[LIST]} if LIST in request.POST else {}),
        "reasoned": {each: each for each in error.labels},
        "back_url": find_way_back(request.POST, record=record),
    }
    return render(request, "records/reason.html", context)


def _read_before(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise Http404("before: the timeline has no such place. Leave it out to begin with the newest.")
    return int(text)
