"""Dismissed items within a run: their records are left alone for as long as they are what they were.

See docs/decisions/0017.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crm_sync.candidates import read_records
from exceptions_log.selectors import list_dismissals

if TYPE_CHECKING:
    from django.db import models

    from crm_sync.candidates import Selection
    from crm_sync.context import IntegrationSession


def leave_dismissed(*, session: IntegrationSession, selection: Selection) -> None:
    """Take records out of a selection that failed in their present state and were dismissed; they count as unchanged.

    A record is in another state when it, or a record whose values its payload shows, has another version.
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
    """Records that are gone, and whose deletion the CRM refused to show, which was dismissed: that state is final."""
    rows = list_dismissals(session.integration).filter(record_version=None, record_uid__isnull=False)
    found: dict[UUID, int] = {uid: pk for uid, pk in rows.values_list("record_uid", "pk") if uid is not None}
    session.keep_dismissed(found.values())
    return set(found)


class DismissedCalls:
    """Records of the CRM that failed and were dismissed, by CRM id, with what was read of them then.

    Their SystemModstamp alone does not tell whether they changed: it has whole seconds.
    """

    def __init__(self, session: IntegrationSession) -> None:
        rows = list_dismissals(session.integration).exclude(crm_id="").filter(record_uid=None)
        self._session = session
        self._dismissed = {crm_id: (pk, data) for crm_id, pk, data in rows.values_list("crm_id", "pk", "item_data")}

    def __contains__(self, crm_id: str) -> bool:
        return crm_id in self._dismissed

    def is_same(self, call: dict[str, Any]) -> bool:
        """Whether the record was dismissed as it is now. If it was dismissed as it was before, that is over."""
        crm_id = str(call["Id"])
        _, data = self._dismissed.get(crm_id, (None, None))
        if data is not None and "SystemModstamp" in data and _has_same_values(data, call):
            return True
        self.forget(crm_id)
        return False

    def forget(self, crm_id: str) -> None:
        """The record is not what was dismissed any more."""
        self._dismissed.pop(crm_id, None)

    def keep(self) -> None:
        """At the end of a run: what was not met again, or met unchanged, stays dismissed."""
        self._session.keep_dismissed(pk for pk, _ in self._dismissed.values())


def _has_same_values(data: dict[str, Any], call: dict[str, Any]) -> bool:
    """Of the fields that were read both times: other rules may read others."""
    return all(call[name] == value for name, value in data.items() if name in call)
