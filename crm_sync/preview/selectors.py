"""Read the preview of a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from crm_sync.models import PreviewRow, TransferPreview

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from connections.models import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNumber:
    """How many rows of a preview one integration has with one outcome."""

    integration_id: int
    outcome: str
    number: int


def get_preview(connection: Connection) -> TransferPreview | None:
    """Return the finished preview of a connection, if there is one."""
    return TransferPreview.objects.filter(connection=connection, finished_at__isnull=False).first()


def count_rows(rows: QuerySet[PreviewRow]) -> list[RowNumber]:
    """Return the numbers of rows of a preview by integration and outcome, in one statement."""
    counted = rows.order_by().values_list("integration_id", "outcome").annotate(number=Count("pk"))
    return [
        RowNumber(integration_id=integration_id, outcome=outcome, number=number)
        for integration_id, outcome, number in counted
    ]
