"""Read the results of reconciliations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Max

from crm_sync.models import Reconciliation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connections.models import Connection


def list_latest_reconciliations(connections: Iterable[Connection]) -> dict[int, Reconciliation]:
    """Return the last finished reconciliation by connection (primary key), in one statement."""
    finished = Reconciliation.objects.filter(connection__in=list(connections), finished_at__isnull=False)
    latest = finished.order_by().values("connection").annotate(latest=Max("pk")).values("latest")
    return {each.connection_id: each for each in Reconciliation.objects.filter(pk__in=latest)}


def get_latest_reconciliation(connection: Connection) -> Reconciliation | None:
    """Return the last finished reconciliation of a connection, if there is one."""
    return list_latest_reconciliations([connection]).get(connection.pk)
