"""Find the records of an outbound integration that may differ from what the CRM has.

These are the ones that were written since the bookmark of the last complete run, those that depend on a record written
since then, and those that a run left pending. Whether they differ is decided by comparing versions, in `selection`.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef

from crm_sync.engine.rules.paths import RecordPath
from crm_sync.models import TransferLink
from ctms.audit.bookmarks import list_changed_uids
from exceptions_log.selectors import list_unresolved_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from crm_sync.engine.rules.compiled import CompiledIntegration
    from ctms.audit.bookmarks import Bookmark

_UIDS_PER_STATEMENT = 5000


class PendingRecords(Enum):
    """Which of the records that a run left pending the next one looks at, though nothing of them changed."""

    NONE = auto()
    WAITING = auto()  # those that waited for a parent, not those that failed
    ALL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Keys of the records to look at, and uids of those that may have been deleted."""

    keys: array[int]
    uids: frozenset[UUID]


def find_candidates(
    *, plan: CompiledIntegration, since: Bookmark, pending: PendingRecords = PendingRecords.ALL
) -> Candidates | None:
    """Return what may differ; None if so much was written since the bookmark that every record is to be looked at.

    `pending` says which of the records that a run left pending are among them.
    """
    model: Any = plan.vault_object.model
    depended_on = {path: str(path.get_model(model).object_name) for path in plan.dependencies}
    own = plan.vault_object.api_name
    changed = list_changed_uids(object_names={own, *depended_on.values()}, since=since)
    if changed is None:
        return None
    left = _list_left(plan=plan, pending=pending)
    own_uids = changed[own] | {uid for uid in left.values_list("record_uid", flat=True) if uid is not None}
    keys: set[int] = set()
    for path, uids in ((RecordPath(), own_uids), *((path, changed[name]) for path, name in depended_on.items())):
        for chunk in split(uids):
            keys.update(path.find(model, uids=chunk).values_list("pk", flat=True))
    return Candidates(keys=array("q", sorted(keys)), uids=frozenset(own_uids))


def choose_candidate(*, plan: CompiledIntegration, uid: UUID) -> Candidates:
    """Return one record as the only candidate, whether it is there or was deleted."""
    model: Any = plan.vault_object.model
    keys = model._base_manager.filter(uid=uid).values_list("pk", flat=True)
    return Candidates(keys=array("q", keys), uids=frozenset({uid}))


def _list_left(*, plan: CompiledIntegration, pending: PendingRecords) -> QuerySet[TransferLink]:
    left = TransferLink.objects.filter(integration=plan.integration, pending=True, record_uid__isnull=False)
    if pending == PendingRecords.NONE:
        return left.none()
    if pending == PendingRecords.WAITING:
        failing = list_unresolved_items().filter(integration=plan.integration, record_uid=OuterRef("record_uid"))
        return left.exclude(Exists(failing))
    return left


def split(uids: Iterable[UUID]) -> Iterator[list[UUID]]:
    """Yield the uids in lists of as many as a statement may name."""
    rest = iter(uids)
    while chunk := list(islice(rest, _UIDS_PER_STATEMENT)):
        yield chunk
