"""Delete rows that are older than a setting allows, for jobs that do so every day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ctms.jobs.registry import RunContext

_BATCH = 500


def delete_in_batches(*, context: RunContext, rows: QuerySet[Any]) -> int:
    """Delete rows, 500 in a transaction that renews the lease; return how many. Raises the errors of the lease."""
    deleted = 0
    while True:
        context.lease.stop_if_cancelled()
        with transaction.atomic():
            context.lease.renew()
            keys = list(rows.order_by("pk").values_list("pk", flat=True)[:_BATCH])
            if not keys:
                return deleted
            rows.filter(pk__in=keys).delete()
        deleted += len(keys)
