"""Opens the report that an address is about, as its user may run it, with the conditions of the address."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, QueryDict

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.records.access import AccessRefusedError
from ctms.records.lists.query import drop_blanks
from ctms.reports.access import StoredReport, UnknownReportError, open_stored, run_stored
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import UnknownGroupError
from ctms.reports.errors import InvalidReportError, Problem

# Parameters that are no conditions: the groups that a figure is of, and the place, order and length of a page.
AT, PLACE, SORT, SIZE = "at", "place", "sort", "size"
_RESERVED = (AT, PLACE, SORT, SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedReport:
    """A report, open for its user; `at` are the groups behind a figure, `conditions` the parameters that narrow it."""

    stored: StoredReport
    opened: OpenReport
    at: tuple[str | None, ...]
    conditions: QueryDict


def open_asked(*, user: User, uid: UUID, parameters: QueryDict, others: Iterable[str] = _RESERVED) -> AskedReport:
    """Open the report that the parameters of an address ask for. `others` are parameters that are no conditions.

    Raises Http404 for reports that the user does not see, PermissionDenied, InvalidReportError and UnknownGroupError.
    """
    try:
        stored = open_stored(user=user, uid=uid)
    except UnknownReportError as error:
        raise Http404(str(error)) from error
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error
    conditions = drop_blanks(parameters)
    for name in others:
        conditions.pop(name, None)
    opened = run_stored(stored, address=conditions)
    if opened.unknown:
        raise InvalidReportError(
            [Problem(part="prompts", text=f"{name}: this is no condition. Leave it out.") for name in opened.unknown]
        )
    opened.require_valid()
    return AskedReport(stored=stored, opened=opened, at=_read_at(parameters.get(AT, "")), conditions=conditions)


def note_export(*, asked: AskedReport, file_format: str, lines: int, actor: Actor) -> None:
    """Record in the audit trail who exports which report, how, and how many lines."""
    stored = asked.stored
    changes = {
        "format": [None, file_format],
        "report": [None, stored.report.name],
        "list": [None, asked.conditions.urlencode()],
        "records": [None, lines],
    }
    if stored.runs_as_other:
        changes["run_as"] = [None, str(stored.runs_as)]
    record_event(
        actor=actor,
        action=AuditAction.EXPORTED,
        object_name=asked.opened.primary.shape.api_name,
        changes=changes,
    )


def _read_at(text: str) -> tuple[str | None, ...]:
    """Read the groups behind a figure: a JSON list with an identity, or null for any, for each group."""
    if not text:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(each is None or isinstance(each, str) for each in found):
        raise UnknownGroupError("The address names no group of the report. Go back to it, and follow its figures.")
    return tuple(found)
