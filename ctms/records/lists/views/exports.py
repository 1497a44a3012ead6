"""View that exports a list to a file."""

from __future__ import annotations

from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from ctms.accounts.login_resume import login_required
from ctms.core.rate_limits import count_request
from ctms.records.lists.columns import choose_columns, get_preference
from ctms.records.lists.exports import Export, note_export, open_export, stream_csv, write_workbook
from ctms.records.lists.query import InvalidListError, read_list
from ctms.records.requests import build_actor, open_object_or_404

_CSV, _XLSX = "csv", "xlsx"


@require_GET
@login_required
def export_list(request: HttpRequest, object_name: str, file_format: str) -> HttpResponseBase:
    """Send the list of the address as a file. If a parameter is not valid, redirect to the list, which says so."""
    access = open_object_or_404(request, object_name)
    if file_format not in (_CSV, _XLSX):
        raise Http404(f"Lists are exported as {_CSV} or {_XLSX}, not as {file_format}.")
    count_request(scope="exports", key=access.user.pk)
    listed = read_list(access=access, parameters=request.GET)
    preference = get_preference(user=access.user, object_name=object_name)
    columns = choose_columns(listed=listed, preference=preference)
    try:
        export = open_export(listed=listed, columns=columns)
    except InvalidListError:
        return HttpResponseRedirect(f"{reverse('record_list', args=(object_name,))}?{request.GET.urlencode()}")
    note_export(listed=listed, columns=columns, file_format=file_format, actor=build_actor(request))
    response = _send_csv(export) if file_format == _CSV else _send_workbook(export)
    name = f"{slugify(access.vault_object.plural_label)}-{timezone.localdate():%Y-%m-%d}.{file_format}"
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Cache-Control"] = "no-store"
    return response


def _send_csv(export: Export) -> HttpResponseBase:
    return StreamingHttpResponse(stream_csv(export), content_type="text/csv; charset=utf-8")


def _send_workbook(export: Export) -> HttpResponseBase:
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return FileResponse(write_workbook(export), content_type=content_type)
