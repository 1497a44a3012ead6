"""The links that a batch writes, and their one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from crm_sync.choices import LinkState
from crm_sync.engine.json_rows import insert_rows
from crm_sync.models import TransferLink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

_UNIQUE = ("integration_id", "record_uid")
_WRITTEN = (
    *("crm_id", "version", "dependency_version", "digest", "deletion_base"),
    *("account_id", "crm_modstamp", "state", "pending"),
)


@dataclass(slots=True, kw_only=True)
class OutboundLink:
    """A link as `TransferLink` stores it, of a record that is being sent; far cheaper than the model's instance."""

    pk: int | None
    integration_id: int
    record_uid: UUID | None
    crm_id: str
    version: int
    dependency_version: int
    digest: str
    deletion_base: str
    account_id: str = ""
    crm_modstamp: datetime | None = None
    state: str = LinkState.LIVE.value
    pending: bool = False


AnyLink = TransferLink | OutboundLink


def store_links(links: Sequence[AnyLink], *, columns: Sequence[str]) -> None:
    """Write links of one integration; of a record that has one, only these columns are changed."""
    if not links:
        return
    adapt = connection.ops.adapt_datetimefield_value
    insert_rows(
        model=TransferLink,
        common={"integration_id": links[0].integration_id},
        columns=("record_uid", *_WRITTEN),
        rows=[
            {
                "record_uid": link.record_uid,
                "crm_id": link.crm_id,
                "version": link.version,
                "dependency_version": link.dependency_version,
                "digest": link.digest,
                "deletion_base": link.deletion_base,
                "account_id": link.account_id,
                "crm_modstamp": adapt(link.crm_modstamp),
                "state": link.state,
                "pending": link.pending,
            }
            for link in links
        ],
        unique=_UNIQUE,
        update=columns,
    )
