"""Reading the audit trail, and what depends on records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models

from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

# How far back the trail is searched for a user's recent records.
_RECENT_ENTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependants:
    """Other rows that refer to records, counted by what users call them."""

    protecting: dict[str, int] = field(default_factory=dict)  # keep the records from being deleted
    going_along: dict[str, int] = field(default_factory=dict)  # are deleted with them


def list_dependants(records: Sequence[models.Model]) -> Dependants:
    """What refers to records of one model: one count per relation, however many rows there are."""
    dependants = Dependants()
    if not records:
        return dependants
    counts_by_rule = {models.PROTECT: dependants.protecting, models.CASCADE: dependants.going_along}
    for relation in type(records[0])._meta.get_fields(include_hidden=True):
        if not isinstance(relation, models.ManyToOneRel) or relation.on_delete not in counts_by_rule:
            continue
        children = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": records})
        if number := children.count():
            counts = counts_by_rule[relation.on_delete]
            label = str(relation.related_model._meta.verbose_name_plural)
            counts[label] = counts.get(label, 0) + number
    return dependants


def list_recent_records(*, user: User, limit: int) -> list[AuditEntry]:
    """The user's latest change of each of the records that the user created or changed last, latest first."""
    entries = AuditEntry.objects.filter(
        actor=user, action__in=(AuditAction.CREATED, AuditAction.CHANGED), record_uid__isnull=False
    ).order_by("-id")[:_RECENT_ENTRIES]
    latest: dict[object, AuditEntry] = {}
    for entry in entries:
        latest.setdefault(entry.record_uid, entry)
    return list(latest.values())[:limit]


def is_uid_known(uid: UUID) -> bool:
    """Whether a record of this uid is or was there, of whatever object: no other may be given it."""
    return AuditEntry.objects.filter(record_uid=uid).exists()


def list_deleted_uids(*, object_name: str, since: datetime | None) -> list[UUID]:
    """Records of an object that were deleted after `since` (ever, if None)."""
    entries = AuditEntry.objects.filter(object_name=object_name, action=AuditAction.DELETED)
    if since is not None:
        entries = entries.filter(at__gt=since)
    return [uid for uid in entries.order_by().values_list("record_uid", flat=True) if uid is not None]
