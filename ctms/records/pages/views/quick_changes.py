"""View that makes a quick change of a record, such as *Complete*, from a list or from the record's page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.audit.reasons import ReasonRequiredError
from ctms.configuration.quick_changes import QuickChange
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.fields.titles import get_title
from ctms.records.forms.form_state import CONFIRMED
from ctms.records.requests import (
    MOST_DIGITS,
    build_actor,
    find_way_back,
    get_record_or_404,
    keep_way_back,
    open_object_or_404,
    read_version,
)
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.questions import UnconfirmedError
from ctms.records.writing.services import put_values, write_values

# How a row says its version.
_VERSION = "expected_version"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change_quickly(request: HttpRequest, object_name: str, uid: UUID, change_name: str) -> HttpResponse:
    """POST: set the values of a quick change, unless somebody else has changed the record since it was shown.

    What is unusual is asked about first, and the reason where an admin asks for one: GET shows both on a page.
    """
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    change = next((each for each in access.vault_object.quick_changes if each.api_name == change_name), None)
    if change is None or change.asks:
        raise Http404(f"{access.vault_object.title} has no change {change_name}.")
    if request.method != "POST":
        return _ask(request, access=access, record=record, change=change)
    title, actor, version = get_title(record), build_actor(request), read_version(request)
    try:
        write_values(
            access=access,
            record=record,
            values=change.list_values(access.user),
            actor=actor,
            expected_version=version,
            confirmed=request.POST.getlist(CONFIRMED),
        )
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except StaleRecordError as error:
        messages.error(request, str(error))
    except (UnconfirmedError, ReasonRequiredError):
        kept = {_VERSION: version} | keep_way_back(request.POST)
        url = f"{request.path}?{urlencode(kept)}"
        return HttpResponse(headers={"HX-Redirect": url}) if "HX-Request" in request.headers else redirect(url)
    except ValidationError as error:
        messages.error(request, f"{title}: {' '.join(error.messages)}")
    else:
        tell_saved(request, text=f"{change.label}: {title} was saved.", actor=actor)
    return redirect(find_way_back(request.POST, record=record))


def _ask(request: HttpRequest, *, access: ObjectAccess, record: Any, change: QuickChange) -> HttpResponse:
    """Show what is asked before the change is made; nothing is written."""
    title, back_url = get_title(record), find_way_back(request.GET, record=record)
    version = request.GET.get(_VERSION, "")
    version = version if version.isdecimal() and len(version) <= MOST_DIGITS else str(record.version)
    try:
        asked = put_values(access=access, record=record, values=change.list_values(access.user))
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except ValidationError as error:
        messages.error(request, f"{title}: {' '.join(error.messages)}")
        return redirect(back_url)
    context = {
        "access": access,
        "record": record,
        "title": title,
        "change": change,
        "asked": asked,
        "reasoned": {
            name: label for name, label in access.list_reasoned().items() if name in change.list_values(access.user)
        },
        "version": version,
        "way_back": keep_way_back(request.GET),
        "back_url": back_url,
    }
    return render(request, "records/quick_change.html", context)
