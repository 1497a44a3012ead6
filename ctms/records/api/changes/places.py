"""Bookmarks of the changes feed: how far a reader was told of an object, encrypted for that reader and object alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ctms.audit.bookmarks import Bookmark
from ctms.core.errors import EncryptionKeyError
from ctms.records.access import ObjectAccess
from ctms.records.api.errors import InvalidBookmarkError
from ctms.records.api.sealed import seal, unseal

_REFUSED = (
    "This is no bookmark that this Vault gave you for these records. Use the last one that you were given for them, or "
    "leave it out to be told all of them again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the feed. All before `told`, a bookmark of the audit trail, was told to the reader.

    While a reader is being told, page by page, `until` is the place that is reached at the end, and `after` the last
    uid or, where all records are told, the last key.
    """

    sight: str  # what the reader saw then; see sight.py
    told: str
    until: str = ""
    after: str = ""
    tells_all: bool = False

    def is_before(self, now: Bookmark) -> bool:
        """Whether the places are of the present database and not of its future, as after one was restored."""
        places = [Bookmark.parse(text) for text in (self.told, self.until) if text]
        return all(place is not None and place.is_before(now) for place in places)


def write_place(place: Place, *, access: ObjectAccess) -> str:
    """Return the bookmark of a place."""
    return seal(json.dumps(asdict(place)), purpose=_name(access), user=access.user)


def read_place(text: str, *, access: ObjectAccess) -> Place:
    """Return the place of a bookmark. Raises InvalidBookmarkError if it is not one for this reader and object."""
    try:
        return Place(**json.loads(unseal(text, purpose=_name(access), user=access.user)))
    except (EncryptionKeyError, TypeError) as error:
        raise InvalidBookmarkError(_REFUSED) from error


def _name(access: ObjectAccess) -> str:
    return f"changes of {access.shape.api_name}"
