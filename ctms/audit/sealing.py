"""Seals what was written to the audit trail: every committed entry gets its place in the chain, after it was written.

No writer waits for another because of the chain. Which entries are new is found by a bookmark, so that one which became
visible late, with a lower id, is not passed over. No clock decides.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from ctms.audit.bookmarks import IS_OF_THIS_CLUSTER, Bookmark, read_bookmark
from ctms.audit.chain import CURRENT_FORMAT, ORIGIN, Head, build_columns, compute_commitment, compute_hash
from ctms.audit.models import AuditSeal, AuditSealing

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = 5000
_SALT_BYTES = 16
_SINCE_POSTGRESQL = (
    f"entry.transaction_number >= %s AND entry.{IS_OF_THIS_CLUSTER} "
    "AND NOT pg_visible_in_snapshot(entry.transaction_number::text::xid8, %s::pg_snapshot)"
)


def seal_entries(*, batches: int | None = None) -> int:
    """Seal what is not sealed yet, 5,000 entries in a transaction, at most so many transactions; return how many.

    Several processes may do so at the same time: each locks the row of `AuditSealing`.
    """
    place = read_bookmark()
    sealed, last, done = 0, 0, 0
    while batches is None or done < batches:
        with transaction.atomic():
            progress = _lock_progress()
            rows = _list_unsealed(since=_find_since(progress=progress, place=place), after=last)
            head = _append(rows)
            progress.position, progress.hash = head.position, head.hash
            is_last = len(rows) < _BATCH
            if is_last:
                progress.bookmark = str(place)
            progress.save()
        sealed += len(rows)
        if is_last:
            break
        last = rows[-1][0]
        done += 1
    return sealed


def read_head() -> Head:
    """Return the end of the chain; position 0 if there is none."""
    last = AuditSeal.objects.order_by("-position").first()
    return Head(position=last.position, hash=bytes(last.hash)) if last else Head(position=0, hash=ORIGIN)


def _lock_progress() -> AuditSealing:
    AuditSealing.objects.get_or_create(pk=1)
    return AuditSealing.objects.select_for_update().get(pk=1)


def _find_since(*, progress: AuditSealing, place: Bookmark) -> Bookmark | None:
    """Return the bookmark; None, which means that all entries are looked at, if it is of another database."""
    since = Bookmark.parse(progress.bookmark)
    return since if since is not None and since.is_before(place) else None


def _list_unsealed(*, since: Bookmark | None, after: int) -> list[tuple[Any, ...]]:
    """Return the next unsealed entries by id, each as its id and the columns that are sealed."""
    condition, order = "TRUE", "entry.id"
    values: list[int | str] = [after]
    if since is not None and connection.vendor == "postgresql":
        # Not in the order of an index: the database would look at every entry for the few that are new.
        condition, order = _SINCE_POSTGRESQL, "entry.id + 0"
        values += [since.horizon, since.snapshot]
    elif since is not None:
        condition = "entry.id > %s"
        values.append(since.horizon)
    columns = build_columns(vendor=connection.vendor, alias="entry")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT entry.id, {columns} FROM audit_auditentry AS entry WHERE entry.id > %s AND {condition} "  # noqa: S608  names of columns
            "AND NOT EXISTS (SELECT 1 FROM audit_auditseal AS seal WHERE seal.entry_id = entry.id) "
            f"ORDER BY {order} LIMIT {_BATCH}",
            values,
        )
        return list(cursor.fetchall())


def _append(rows: Sequence[tuple[Any, ...]]) -> Head:
    """Put entries at the end of the chain; return its new end."""
    head = read_head()
    seals = []
    for entry_id, *row in rows:
        salt = secrets.token_bytes(_SALT_BYTES)
        commitment = compute_commitment(seal_format=CURRENT_FORMAT, salt=salt, row=row)
        position = head.position + 1
        digest = compute_hash(
            previous=head.hash, position=position, seal_format=CURRENT_FORMAT, row=row, commitment=commitment
        )
        head = Head(position=position, hash=digest)
        seals.append(
            AuditSeal(
                position=position,
                entry_id=entry_id,
                format=CURRENT_FORMAT,
                salt=salt,
                commitment=commitment,
                hash=digest,
            )
        )
    AuditSeal.objects.bulk_create(seals, batch_size=1000)
    return head
