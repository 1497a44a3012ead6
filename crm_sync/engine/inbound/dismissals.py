"""Leave calls alone until they change: dismissed ones, and as it happens failed ones. See docs/decisions/0017, 0092."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exceptions_log.selectors import list_dismissals

if TYPE_CHECKING:
    from crm_sync.crm.dialect import CrmRow
    from crm_sync.engine.run_session import IntegrationSession


class DismissedCalls:
    """Dismissed calls of the CRM by CRM id, with the values that were read when they failed.

    All values are compared, because the stamp of a change has whole seconds and may be equal after another one. Nothing
    is known of a call that was not shown.
    """

    def __init__(self, session: IntegrationSession) -> None:
        rows = list_dismissals(session.integration).exclude(crm_id="").filter(record_uid=None)
        self._session = session
        self._dismissed = {crm_id: (pk, data) for crm_id, pk, data in rows.values_list("crm_id", "pk", "item_data")}

    def __contains__(self, crm_id: str) -> bool:
        return crm_id in self._dismissed

    def is_same(self, call: CrmRow) -> bool:
        """Whether the call was dismissed with its present values. If they differ, its dismissal is dropped."""
        crm_id = call.crm_id
        _, data = self._dismissed.get(crm_id, (None, None))
        if data and _has_same_values(data, call):
            return True
        self.forget(crm_id)
        return False

    def forget(self, crm_id: str) -> None:
        """Drop the dismissal of a call, because the call has changed."""
        self._dismissed.pop(crm_id, None)

    def keep(self) -> None:
        """Keep the other dismissals at the end of a run: those of calls not met again, or met unchanged."""
        self._session.keep_dismissed(pk for pk, _ in self._dismissed.values())


class FailedCalls:
    """Calls with an open exception item, which a run right after a change leaves to the regular runs until they change.

    For a regular run there are none. Nothing is known of a call that was not shown.
    """

    def __init__(self, session: IntegrationSession) -> None:
        self._failed: dict[str, dict[str, Any]] = {}
        if session.run.is_live and session.recorder is not None:
            items = session.recorder.list_open().exclude(crm_id="").filter(record_uid=None)
            self._failed = dict(items.values_list("crm_id", "item_data"))

    def __contains__(self, crm_id: str) -> bool:
        return crm_id in self._failed

    def is_same(self, call: CrmRow) -> bool:
        """Whether the call failed with its present values."""
        data = self._failed.get(call.crm_id)
        return bool(data) and not call.is_deleted and _has_same_values(data or {}, call)


def _has_same_values(data: dict[str, Any], call: CrmRow) -> bool:
    """Whether the fields that were read both times are equal; the rules may have changed in between."""
    return all(call.values[name] == value for name, value in data.items() if name in call.values)
