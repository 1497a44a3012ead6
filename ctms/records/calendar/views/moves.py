"""View that moves an entry of the calendar to another day: by drag, by keyboard, or by its form."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import ReasonRequiredError, read_reason
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.calendar.addresses import QUERY, find_calendar
from ctms.records.calendar.entries import name_entry
from ctms.records.calendar.moves import explain_move, get_planned_day, shift_days
from ctms.records.calendar.periods import read_day
from ctms.records.calendar.sources import CalendarSource, find_source
from ctms.records.fields.titles import get_title
from ctms.records.forms.form_state import CONFIRMED
from ctms.records.requests import build_actor, get_record_or_404, open_object_or_404, read_version
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.questions import AskedValue, UnconfirmedError
from ctms.records.writing.services import write_values


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move_entry(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """GET: show the form that asks for the day. POST: move the entry, unless somebody changed the record meanwhile.

    What is unusual is asked about, and the reason where an admin asks for one, on the form.
    """
    access, source = open_object_or_404(request, object_name), find_source(object_name)
    if source is None or not source.moved:
        raise Http404(f"{access.vault_object.plural_title} are not moved in the calendar.")
    record = get_record_or_404(access=access, uid=uid)
    if refusal := explain_move(source=source, access=access, record=record):
        if request.method != "POST":
            raise PermissionDenied(refusal)
        messages.error(request, refusal)
        return redirect(find_calendar(request.POST, uid=uid))
    if request.method != "POST":
        return _ask(request, source=source, access=access, record=record)
    return _move(request, source=source, access=access, record=record)


def _move(request: HttpRequest, *, source: CalendarSource, access: ObjectAccess, record: Any) -> HttpResponse:
    title = name_entry(source=source, access=access, record=record)
    version, actor = read_version(request), build_actor(request)
    text = request.POST.get("date", "")
    try:
        day = read_day(text)
        values = shift_days(source=source, access=access, record=record, day=day)
    except ValueError as error:
        return _ask(request, source=source, access=access, record=record, problems=[str(error)], typed=text)
    try:
        is_written = write_values(
            access=access,
            record=record,
            values=values,
            actor=actor,
            expected_version=version,
            confirmed=request.POST.getlist(CONFIRMED),
        )
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except StaleRecordError as error:
        messages.error(request, str(error))
        return redirect(find_calendar(request.POST, uid=record.uid))
    except UnconfirmedError as error:
        return _ask(request, source=source, access=access, record=record, typed=text, asked=error.asked)
    except ReasonRequiredError:
        reasons = [] if "shown" not in request.POST else ["Say why the day is changed."]
        return _ask(request, source=source, access=access, record=record, typed=text, problems=reasons)
    except ValidationError as error:
        return _ask(request, source=source, access=access, record=record, typed=text, problems=error.messages)
    if is_written:
        tell_saved(request, text=f"{title} was moved to {date_format(day, 'l j F Y')}.", actor=actor)
    return redirect(find_calendar(request.POST, uid=record.uid))


def _ask(
    request: HttpRequest,
    *,
    source: CalendarSource,
    access: ObjectAccess,
    record: Any,
    problems: list[str] | None = None,
    typed: str = "",
    asked: tuple[AskedValue, ...] = (),
) -> HttpResponse:
    """Show the form; nothing is written. The values that were assigned to the record are not saved."""
    given = request.POST if request.method == "POST" else request.GET
    stored = get_record_or_404(access=access, uid=record.uid)
    present = get_planned_day(source=source, access=access, record=stored)
    shown_day: dt.date | str = typed or given.get("date", "") or present
    reasoned = {name: label for name, label in access.list_reasoned().items() if name in source.moved}
    context = {
        "access": access,
        "record": stored,
        "title": get_title(stored),
        "name": name_entry(source=source, access=access, record=stored),
        "present": present,
        "date": str(shown_day),
        "has_end": len(source.moved) > 1,
        "problems": problems or [],
        "asked": asked,
        "reasoned": reasoned,
        "change_reason": read_reason(request),
        "version": str(read_version(request)) if request.method == "POST" else str(stored.version),
        "query": given.get(QUERY, ""),
        "back_url": find_calendar(given, uid=stored.uid),
    }
    return render(request, "calendar/move.html", context)
