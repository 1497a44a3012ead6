"""What a reconciliation asks the CRM for once and remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.engine.outbound.crm_deletions import read_deleted_ids

if TYPE_CHECKING:
    from crm_sync.engine.run_session import RunSession


class Deletions:
    """Ids of an object's records that the CRM says it deleted lately, even if they are purged; read at first need."""

    def __init__(self, *, run: RunSession, object_name: str) -> None:
        self._run = run
        self._object_name = object_name
        self._ids: set[str] | None = None

    def __contains__(self, crm_id: str) -> bool:
        if self._ids is None:
            self._ids = read_deleted_ids(self._run, crm_object=self._object_name)
        return crm_id in self._ids
