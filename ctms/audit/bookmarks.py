"""Find what was written since a place in the audit trail, whatever the clocks of the Vault's hosts show.

On PostgreSQL the place is a snapshot: it knows which transactions had ended, so an entry of any other, which may have a
lower id or an earlier time, counts as written later. SQLite writes one transaction at a time, so that the ids of the
entries are in the order of their commits.

Source: PostgreSQL manual, "Transaction ID and Snapshot Information Functions".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from django.db import connection
from django.db.models import BooleanField, Max
from django.db.models.expressions import RawSQL

from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from django.db.models import QuerySet

# More changes than this are not listed one by one: to look at every record costs less then.
MAX_CHANGES = 20_000

_READ_SNAPSHOT = """
    SELECT system_identifier::text, pg_current_snapshot()::text, pg_current_xact_id_if_assigned()::text
    FROM pg_control_system()
"""
_IS_VISIBLE = "pg_visible_in_snapshot(transaction_number::text::xid8, %s::pg_snapshot)"
# A database that was restored into another cluster holds numbers that this one has not given out yet: such entries are
# from before the restore, and so from before any place of this cluster.
IS_OF_THIS_CLUSTER = (
    "transaction_number <= GREATEST(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "COALESCE(pg_current_xact_id_if_assigned()::text::bigint, 0))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A place in the audit trail of one database; its text form is stored.

    `snapshot` is one of PostgreSQL, such as `10:20:10,14`, or on SQLite the id of the last entry. A database that was
    restored from a dump counts transactions from another number, so places of different databases are not compared.
    """

    database: str
    snapshot: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the bookmark of a text that `str` made; None if the text is empty."""
        database, _, snapshot = text.partition(":")
        return cls(database=database, snapshot=snapshot) if snapshot else None

    def __str__(self) -> str:
        return f"{self.database}:{self.snapshot}"

    @property
    def horizon(self) -> int:
        """The number below which everything had been written, of transactions or of entries."""
        return int(self.snapshot.partition(":")[0])

    def is_before(self, later: Bookmark) -> bool:
        """Whether both are of one database and this is the earlier place, or the same."""
        return self.database == later.database and self.horizon <= later.horizon


def read_bookmark() -> Bookmark:
    """Return the present place. What is not visible yet to this process counts as written after it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_READ_SNAPSHOT)
            database, snapshot, own = cursor.fetchone()
        return Bookmark(database=database, snapshot=_add_running(snapshot, own) if own else snapshot)
    last = AuditEntry.objects.aggregate(last=Max("id"))["last"] or 0
    return Bookmark(database=connection.vendor, snapshot=str(last))


def _add_running(snapshot: str, own: str) -> str:
    """Return the snapshot with the transaction that took it among the running ones: it may go on writing."""
    horizon, end, running = snapshot.split(":")
    if int(own) >= int(end):
        return snapshot
    numbers = sorted({*map(int, filter(None, running.split(","))), int(own)})
    return f"{horizon}:{end}:{','.join(map(str, numbers))}"


def list_changed_uids(
    *, object_names: Collection[str], since: Bookmark, field: str = "", most: int | None = None
) -> dict[str, set[UUID]] | None:
    """Return by object the uids of the records that were created, changed or deleted since a place.

    With `field`, only those in which that field was changed. None if there are more than `most`, or `MAX_CHANGES`.
    """
    most = MAX_CHANGES if most is None else most
    changed: dict[str, set[UUID]] = {name: set() for name in object_names}
    entries = list_since(since).filter(object_name__in=changed, record_uid__isnull=False)
    if field:
        entries = entries.filter(changes__has_key=field)
    rows = list(entries.order_by().values_list("object_name", "record_uid").distinct()[: most + 1])
    if len(rows) > most:
        return None
    for name, uid in rows:
        if uid is not None:
            changed[name].add(uid)
    return changed


def list_deleted_uids(*, object_name: str, since: Bookmark | None) -> list[UUID]:
    """Return the uids of an object's records that were deleted since a place, or at any time if it is None."""
    entries = list_since(since) if since is not None else AuditEntry.objects.all()
    deleted = entries.filter(object_name=object_name, action=AuditAction.DELETED).order_by()
    return [uid for uid in deleted.values_list("record_uid", flat=True) if uid is not None]


def list_since(since: Bookmark) -> QuerySet[AuditEntry]:
    """Return the entries that were written since a place."""
    if connection.vendor != "postgresql":
        return AuditEntry.objects.filter(id__gt=since.horizon)
    was_visible = RawSQL(_IS_VISIBLE, [since.snapshot], output_field=BooleanField())  # noqa: S611  a constant text
    is_of_this_cluster = RawSQL(IS_OF_THIS_CLUSTER, [], output_field=BooleanField())  # noqa: S611  a constant text
    later = AuditEntry.objects.filter(is_of_this_cluster, transaction_number__gte=since.horizon)
    return later.exclude(was_visible)
