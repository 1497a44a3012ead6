"""Builds and writes the entries of the audit trail. For the audited writer alone; everything else goes through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.text import capfirst

from ctms.audit.models import AuditEntry
from ctms.audit.places import CONNECTION, STUDY, find_places
from ctms.audit.reasons import LONGEST_REASON
from ctms.audit.words import build_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db import models

    from ctms.audit.actors import Actor
    from ctms.audit.choices import AuditAction

ROWS_PER_STATEMENT = 1000


def build_entries(
    *,
    written: Sequence[tuple[models.Model, dict[str, Any]]],
    actor: Actor | None,
    action: AuditAction,
    now: datetime,
    reason: str,
) -> list[AuditEntry]:
    """Return the entries about records of one model, each with its changes."""
    records = [record for record, _ in written]
    entries: list[AuditEntry] = []
    for (record, changes), places, words in zip(written, find_places(records), build_words(written), strict=True):
        entry = build_entry(actor=actor, action=action, now=now, reason=reason, places=places)
        entry.object_name = getattr(record, "object_name", "")
        entry.object_label = str(capfirst(str(record._meta.verbose_name)))
        entry.record_uid = getattr(record, "uid", None)
        entry.record_name = str(record)[:255]
        entry.changes, entry.words = changes, words
        entries.append(entry)
    return entries


def build_entry(
    *,
    actor: Actor | None,
    action: AuditAction,
    now: datetime,
    reason: str,
    places: Mapping[str, UUID],
) -> AuditEntry:
    """Return an entry that says who did it, from where and when."""
    reason = reason or (actor.reason if actor is not None else "")
    entry = AuditEntry(at=now, source="page", action=action, reason=reason[:LONGEST_REASON])
    if actor is not None:
        entry.actor, entry.actor_name, entry.actor_role = actor.user, actor.name[:255], actor.role
        entry.source, entry.reference = actor.source, actor.reference[:100]
        entry.address, entry.time_zone = actor.address, actor.user.time_zone
        entry.connection_uid = actor.connection_uid
    entry.study_uid = places.get(STUDY)
    entry.connection_uid = places.get(CONNECTION) or entry.connection_uid
    return entry


def write_entries(entries: list[AuditEntry]) -> None:
    """Write entries, 1,000 in a statement."""
    AuditEntry.objects.bulk_create(entries, batch_size=ROWS_PER_STATEMENT)
