"""Send the worklist of a connection as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import FileResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.rate_limits import count_request
from ctms.records.lists.exports import stream_lines, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.http import HttpRequest, HttpResponseBase

    from connections.models import Connection
    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from crm_sync.unmatched.worklist import Worklist

FORMATS = ("csv", "xlsx")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ROWS_PER_FETCH = 500


def send_worklist(
    request: HttpRequest,
    *,
    connection: Connection,
    worklist: Worklist,
    identifiers: IdentifierMapping,
    file_format: str,
) -> HttpResponseBase:
    """Send persons and accounts as CSV or XLSX, and record that in the audit trail; no cell is run as a formula."""
    count_request(scope="exports", key=get_user(request).pk)
    persons, accounts = worklist.list_person_rows(), worklist.list_account_rows()
    record_event(
        actor=build_actor(request),
        action=AuditAction.EXPORTED,
        object_name=connection.object_name,
        record=connection,
        changes={"unmatched": [None, file_format], "records": [None, persons.count() + accounts.count()]},
    )
    heading = [
        "What",
        "Person or account",
        f"{identifiers.person_field.label} or {identifiers.account_field}",
        "Records waiting",
        "Waiting since (UTC)",
        "Reason",
    ]
    rows = _list_rows(worklist, persons=persons, accounts=accounts)
    response: StreamingHttpResponse | FileResponse
    if file_format == "csv":
        response = StreamingHttpResponse(
            stream_lines(heading=heading, rows=rows), content_type="text/csv; charset=utf-8"
        )
    else:
        response = FileResponse(write_rows(title="Unmatched", heading=heading, rows=rows), content_type=_XLSX)
    name = f"unmatched-{slugify(connection.name)}.{file_format}"
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Cache-Control"] = "no-store"
    return response


def _list_rows(worklist: Worklist, *, persons: Any, accounts: Any) -> Iterator[list[Any]]:
    for person in _in_parts(persons, worklist.build_persons):
        since = person.since.replace(tzinfo=None)
        yield ["Person", str(person.person), person.identifier, person.records, since, person.reason]
    for account in _in_parts(accounts, worklist.build_accounts):
        since = account.since.replace(tzinfo=None)
        yield ["Account", account.account_id, account.identifier, account.calls, since, account.reason]


def _in_parts(rows: Any, build: Callable[[Sequence[Any]], list[Any]]) -> Iterator[Any]:
    found = list(rows)  # one row of numbers for each person or account
    for start in range(0, len(found), _ROWS_PER_FETCH):
        yield from build(found[start : start + _ROWS_PER_FETCH])
