"""Find the records of an outbound integration that may differ from what the CRM has.

These are the ones that were written since the bookmark of the last complete run, those that depend on a record written
since then, and those that a run left pending. Whether they differ is decided by comparing versions, in `selection`.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from crm_sync.models import TransferLink
from ctms.audit.bookmarks import list_changed_uids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from django.db import models

    from crm_sync.engine.compiled_rules import CompiledIntegration
    from ctms.audit.bookmarks import Bookmark

_UIDS_PER_STATEMENT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Keys of the records to look at, and uids of those that may have been deleted."""

    keys: array[int]
    uids: frozenset[UUID]


def find_candidates(*, plan: CompiledIntegration, since: Bookmark) -> Candidates | None:
    """Return what may differ; None if so much was written since the bookmark that every record is to be looked at."""
    model: Any = plan.vault_object.model
    depended_on = {path: _find_object_name(model, path) for path in plan.dependencies}
    own = plan.vault_object.api_name
    changed = list_changed_uids(object_names={own, *depended_on.values()}, since=since)
    if changed is None:
        return None
    pending = TransferLink.objects.filter(integration=plan.integration, pending=True, record_uid__isnull=False)
    own_uids = changed[own] | {uid for uid in pending.values_list("record_uid", flat=True) if uid is not None}
    keys: set[int] = set()
    for lookup, uids in (("uid", own_uids), *((f"{path}__uid", changed[name]) for path, name in depended_on.items())):
        for chunk in split(uids):
            keys.update(model._base_manager.filter(**{f"{lookup}__in": chunk}).values_list("pk", flat=True))
    return Candidates(keys=array("q", sorted(keys)), uids=frozenset(own_uids))


def _find_object_name(model: type[models.Model], path: str) -> str:
    """Return the API name of the object to which an attribute path leads."""
    found: Any = model
    for step in path.split("__"):
        found = found._meta.get_field(step).related_model
    return str(found.object_name)


def split(uids: Iterable[UUID]) -> Iterator[list[UUID]]:
    """Yield the uids in lists of as many as a statement may name."""
    rest = iter(uids)
    while chunk := list(islice(rest, _UIDS_PER_STATEMENT)):
        yield chunk
