"""Requests that are sent again create nothing again: the uid of a new record stands for the request that creates it.

Pages sign the uid into their form, callers of the API choose it. That no record gets a uid twice is a constraint of the
database; that none gets the uid of a deleted one follows from the audit trail.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from ctms.audit.selectors import is_uid_known
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess

_AT_ONCE = 50


class RepeatedError(VaultError):
    """The request was carried out before; `uid` is that of the record, or of the first of several."""

    def __init__(self, *, uid: UUID) -> None:
        super().__init__("This was saved already; nothing was saved again.")
        self.uid = uid


def is_made(uid: UUID) -> bool:
    """Whether a record of any object has or had the uid."""
    return is_uid_known(uid)


def derive_uid(uid: UUID, number: int) -> UUID:
    """Return the uid of the `number`th record of one request, counted from 0; `uid` is that of the first."""
    return uuid5(uid, str(number)) if number else uid


def list_made(*, access: ObjectAccess, uid: UUID) -> list[Any]:
    """Return the records that one request created, in their order, as far as the user sees them."""
    made: list[Any] = []
    start = 0
    while True:
        uids = [derive_uid(uid, number) for number in range(start, start + _AT_ONCE)]
        found = {each.uid: each for each in access.list_records().filter(uid__in=uids)}
        made += [found[each] for each in uids if each in found]
        if not found or uids[-1] not in found:
            return made
        start += _AT_ONCE
