"""Reads the audit trail, and counts the rows that refer to records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import models

from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry

# How many of a user's latest audit entries are searched for recent records.
_RECENT_ENTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependants:
    """Other rows that refer to records, as counts by the plural name of their model."""

    protecting: dict[str, int] = field(default_factory=dict)  # prevent the deletion of the records
    going_along: dict[str, int] = field(default_factory=dict)  # are deleted with the records


def list_dependants(records: Sequence[models.Model]) -> Dependants:
    """Count the rows that refer to records of one model, with one statement for each relation."""
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
    """Return the user's latest entry for each record that the user created or changed recently, latest first."""
    entries = AuditEntry.objects.filter(
        actor=user,
        action__in=(AuditAction.CREATED, AuditAction.CHANGED, AuditAction.RESTORED),
        record_uid__isnull=False,
    ).order_by("-id")[:_RECENT_ENTRIES]
    latest: dict[object, AuditEntry] = {}
    for entry in entries:
        latest.setdefault(entry.record_uid, entry)
    return list(latest.values())[:limit]


def is_uid_known(uid: UUID) -> bool:
    """Whether a record of any object has or had this uid; it must not be given to another one."""
    return AuditEntry.objects.filter(record_uid=uid).exists()


def find_deleted_names(uids: Collection[UUID]) -> dict[UUID, str]:
    """Return the last names of those of these records that were deleted."""
    deletions = AuditEntry.objects.filter(record_uid__in=uids, action=AuditAction.DELETED).order_by("pk")
    named = deletions.values_list("record_uid", "record_name")
    return {uid: name for uid, name in named if uid is not None}


def list_seen_deletions(*, uids: Collection[UUID], user: User) -> set[UUID]:
    """Return those of these records that were deleted, and of which the user still sees the entries.

    A record of no study, such as a person, is seen by whoever reads of it: it was named where they may look.
    """
    deletions = AuditEntry.objects.filter(record_uid__in=uids, action=AuditAction.DELETED).order_by()
    seen = deletions.filter(
        models.Q(study_uid__isnull=True) | models.Q(pk__in=list_visible(deletions, user).values("pk"))
    )
    return {uid for uid in seen.values_list("record_uid", flat=True) if uid is not None}


def list_seen_uids(*, uids: Collection[UUID], user: User) -> set[UUID]:
    """Return those of these records whose names the user may know: of which the user sees the entries."""
    if not uids:
        return set()
    entries = list_visible(AuditEntry.objects.filter(record_uid__in=uids).order_by(), user)
    seen = {uid for uid in entries.values_list("record_uid", flat=True).distinct() if uid is not None}
    unseen = set(uids) - seen
    return seen | (list_seen_deletions(uids=unseen, user=user) if unseen else set())


def find_last_name(uid: UUID) -> str:
    """Return the name of a record as its last entry has it; the uid if there is none."""
    name = AuditEntry.objects.filter(record_uid=uid).order_by("-id").values_list("record_name", flat=True).first()
    return name or str(uid)


def find_deletions(uids: Collection[UUID]) -> dict[UUID, bool]:
    """Return of those of these uids that a record had whether it was deleted; if not, it is there or was lost."""
    entries = AuditEntry.objects.filter(record_uid__in=uids).order_by().values_list("record_uid")
    last = {
        f"last_{action}": models.Max("id", filter=models.Q(action=action), default=0)
        for action in (AuditAction.DELETED, AuditAction.RESTORED)
    }
    return {uid: deleted > restored for uid, deleted, restored in entries.annotate(**last) if uid is not None}


def list_known_uids(uids: Collection[UUID]) -> set[UUID]:
    """Return those of these uids that a record of any object has or had."""
    found = AuditEntry.objects.filter(record_uid__in=uids).order_by().values_list("record_uid", flat=True)
    return {uid for uid in found.distinct() if uid is not None}


def list_deleted_uids(uids: Collection[UUID], *, object_name: str) -> set[UUID]:
    """Return those of these uids whose records, of that object, were deleted at some time."""
    deletions = AuditEntry.objects.filter(
        record_uid__in=uids, object_name=object_name, action=AuditAction.DELETED
    ).order_by()
    return {uid for uid in deletions.values_list("record_uid", flat=True) if uid is not None}
