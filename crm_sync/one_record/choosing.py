"""The records of an integration that a user may choose for a test: a few new ones, those that fail, or by search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from crm_sync.dialects import is_crm_id
from crm_sync.models import TransferLink
from ctms.audit.selectors import find_deleted_names, list_seen_deletions
from ctms.records.lists.search import search_records
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connections.models import Integration
    from ctms.records.access import ObjectAccess

MOST_OFFERED: Final = 10
MOST_FOUND: Final = 20
_NAME: Final = "name__v"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A record to test; `detail` is what it is about and `problem` why it fails; either may be empty."""

    uid: UUID
    name: str
    detail: str = ""
    problem: str = ""
    is_deleted: bool = False


class RecordChooser:
    """Offers the records of one outbound integration that a user sees."""

    def __init__(self, *, integration: Integration, access: ObjectAccess) -> None:
        self._integration = integration
        self._access = access

    def list_newest(self) -> list[Choice]:
        """Return the records created last, of the object type that the integration sends."""
        records = self._access.list_records()
        if self._integration.rule.vault_object_type:
            records = records.filter(object_type=self._integration.rule.vault_object_type)
        return self._choose(records.order_by("-pk")[:MOST_OFFERED])

    def list_failing(self) -> list[Choice]:
        """Return records with an open exception of the integration, those that failed last first."""
        visible = self._access.list_records()
        items = (
            list_open_items()
            .filter(integration=self._integration, record_uid__in=visible.order_by().values("uid"))
            .order_by("-last_failed_at")
        )
        problems = {item.record_uid: item.error_message for item in items[:MOST_OFFERED]}
        found = {each.uid: each for each in self._choose(visible.filter(uid__in=problems))}
        return [
            replace(found[uid], problem=problem)
            for uid, problem in problems.items()
            if uid is not None and uid in found
        ]

    def search(self, query: str) -> list[Choice]:
        """Return records by their UID, by the id of their record in the CRM, or by the words of the object's search."""
        uid = _read_uid(query) or self._find_by_crm_id(query)
        if uid is not None:
            found = self.find(uid)
            return [found] if found is not None else []
        access = self._access
        records = search_records(
            access=access, records=access.list_records(), vault_object=access.vault_object, query=query
        )
        return self._choose(records.order_by("name", "pk")[:MOST_FOUND])

    def find(self, uid: UUID) -> Choice | None:
        """Return a record by its UID, also a deleted one that the transfer knows; None if the user sees none."""
        record = self._access.list_records().filter(uid=uid).first()
        if record is not None:
            return Choice(uid=uid, name=str(record))
        is_known = TransferLink.objects.filter(integration=self._integration, record_uid=uid).exists()
        if not is_known or not list_seen_deletions(uids=[uid], user=self._access.user):
            return None
        return Choice(uid=uid, name=find_deleted_names([uid]).get(uid, str(uid)), is_deleted=True)

    def _choose(self, records: Iterable[Any]) -> list[Choice]:
        detail = self._find_detail()
        return [
            Choice(uid=each.uid, name=str(each), detail=str(getattr(each, detail) or "") if detail else "")
            for each in records
        ]

    def _find_detail(self) -> str:
        """Return the attribute by which records are found beside their name, such as `subject`; empty if none is."""
        vault_object = self._access.vault_object
        others = [path for path in vault_object.search_fields if "." not in path and path != _NAME]
        return vault_object.get_field(others[0]).attribute if others else ""

    def _find_by_crm_id(self, text: str) -> UUID | None:
        crm_id = text.strip()
        if not is_crm_id(crm_id, connection=self._integration.connection):
            return None
        links = TransferLink.objects.filter(integration=self._integration, crm_id__startswith=crm_id)
        return links.exclude(record_uid=None).values_list("record_uid", flat=True).first()


def _read_uid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
