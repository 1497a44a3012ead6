"""View that makes a quick change of a record, such as *Complete*, from a list or from the record's page."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ctms.accounts.login_resume import login_required
from ctms.core.errors import StaleRecordError
from ctms.records.access import AccessRefusedError
from ctms.records.addresses import get_object_url, get_record_url
from ctms.records.fields.titles import get_title
from ctms.records.requests import build_actor, get_record_or_404, open_object_or_404, read_version
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.services import write_values

# Where a list says which list it is, so that the user comes back to it; and how a row says its version.
LIST = "query"


@require_POST
@login_required
def change_quickly(request: HttpRequest, object_name: str, uid: UUID, change_name: str) -> HttpResponse:
    """Set the values of a quick change, unless somebody else has changed the record since it was shown."""
    access = open_object_or_404(request, object_name)
    record = get_record_or_404(access=access, uid=uid)
    change = next((each for each in access.vault_object.quick_changes if each.api_name == change_name), None)
    if change is None or change.asks:
        raise Http404(f"{access.vault_object.title} has no change {change_name}.")
    title, actor = get_title(record), build_actor(request)
    try:
        write_values(
            access=access,
            record=record,
            values=dict(change.values),
            actor=actor,
            expected_version=read_version(request),
        )
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    except StaleRecordError as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, f"{title}: {' '.join(error.messages)}")
    else:
        tell_saved(request, text=f"{change.label}: {title} was saved.", actor=actor)
    if LIST not in request.POST:
        return redirect(get_record_url(record))
    query = request.POST[LIST]
    address = get_object_url("record_list", object_name)
    return redirect(f"{address}?{query}" if query else address)
