"""Leave records alone whose exception item was dismissed, until they change. See docs/decisions/0017."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING
from uuid import UUID

from crm_sync.engine.outbound.records import read_records
from exceptions_log.selectors import list_dismissals

if TYPE_CHECKING:
    from django.db import models

    from crm_sync.engine.outbound.selection import Selection
    from crm_sync.engine.run_session import IntegrationSession


def leave_dismissed(*, session: IntegrationSession, selection: Selection) -> None:
    """Remove records from a selection whose dismissed failure concerns their present state; count them as unchanged.

    A record's state changes with its own version, and with that of a related record on which its payload depends.
    """
    rows = list_dismissals(session.integration).filter(record_version__isnull=False)
    dismissed = {
        (uid, version, dependencies): pk
        for pk, uid, version, dependencies in rows.values_list(
            "pk", "record_uid", "record_version", "dependency_version"
        )
    }
    if not dismissed:
        return
    model: type[models.Model] = session.plan.vault_object.model
    named = model._base_manager.filter(uid__in=rows.values("record_uid")).order_by("pk")
    chosen = {*selection.in_crm, *selection.new}
    keys = array("q", (pk for pk in named.values_list("pk", flat=True) if pk in chosen))
    left: set[int] = set()
    for records in read_records(plan=session.plan, keys=keys):
        for record in records:
            item = dismissed.get((record.uid, record.version, record.dependency_sum))
            if item is not None:
                left.add(record.pk)
                session.keep_dismissed([item])
    selection.in_crm = array("q", (pk for pk in selection.in_crm if pk not in left))
    selection.new = array("q", (pk for pk in selection.new if pk not in left))
    selection.unchanged += len(left)


def find_dismissed_deletions(session: IntegrationSession) -> set[UUID]:
    """Return UIDs of deleted records whose deletion the CRM refused to show, if that failure was dismissed.

    A deleted record does not change any more, so these dismissals stay for good.
    """
    rows = list_dismissals(session.integration).filter(record_version=None, record_uid__isnull=False)
    found: dict[UUID, int] = {uid: pk for uid, pk in rows.values_list("record_uid", "pk") if uid is not None}
    session.keep_dismissed(found.values())
    return set(found)
