"""Writes the audit entries of tracked rows, such as users: what Django's own means wrote, and who did it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Model

from ctms.audit.acting import get_actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.audit.values import list_changes, read_values
from ctms.core.tracking import TrackedModel, Write


def record_writes(writes: Sequence[Write]) -> None:
    """Write an entry for each row that was created, changed or deleted, by whoever acts at present."""
    for before, after in writes:
        row = after if after is not None else before
        if row is not None:
            record_event(
                actor=get_actor(),
                action=_name_action(before, after),
                object_name=row.audit_name,
                record=row,
                changes=list_changes(before=_read(before), after=_read(after)),
            )


def _name_action(before: Model | None, after: Model | None) -> AuditAction:
    if before is None:
        return AuditAction.CREATED
    return AuditAction.DELETED if after is None else AuditAction.CHANGED


def _read(row: TrackedModel | None) -> dict[str, Any]:
    return read_values(row) if row is not None else {}
