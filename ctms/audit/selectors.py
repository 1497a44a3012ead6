"""Reading the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime


def list_deleted_uids(*, object_name: str, since: datetime | None) -> list[UUID]:
    """Records of an object that were deleted after `since` (ever, if None)."""
    entries = AuditEntry.objects.filter(object_name=object_name, action=AuditAction.DELETED)
    if since is not None:
        entries = entries.filter(at__gt=since)
    return [uid for uid in entries.order_by().values_list("record_uid", flat=True) if uid is not None]
