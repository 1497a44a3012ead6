"""What the seals of the audit trail are made of, and how the rows that they cover are read.

A seal gives an entry its place in a chain. Its `commitment` is an HMAC-SHA-256, with a salt of the entry's own, over
the columns that may hold personal data; its `hash` is the SHA-256 of the hash before, the place, all other columns and
the commitment. So nothing of an entry can change without its hash, nor can an entry or its place without all that
follow; and values whose salt is gone cannot be guessed from what is left.

The columns are read as bytes, as the database holds them: on SQLite with the type of each value, on PostgreSQL as the
text of the value, which no setting of the session changes.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self

from django.db import models

from ctms.audit.models import AuditEntry
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# The hash before the first.
ORIGIN = bytes(32)


class UnreadableHeadError(VaultError):
    """A text is no head of the chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealFormat:
    """The columns of an entry that a seal covers: those in its hash, and those in its commitment."""

    plain: tuple[str, ...]
    values: tuple[str, ...]


# A seal is checked by the format that it was made with. To cover a new column, add a format, and leave the old ones.
FORMATS = {
    1: SealFormat(
        plain=(
            "id",
            "at",
            "written_at",
            "transaction_number",
            "actor_id",
            "actor_role",
            "time_zone",
            "source",
            "reference",
            "action",
            "object_name",
            "object_label",
            "study_uid",
            "connection_uid",
            "record_uid",
        ),
        values=("actor_name", "address", "record_name", "changes", "words", "reason"),
    ),
}
CURRENT_FORMAT = max(FORMATS)
VALUE_COLUMNS = FORMATS[CURRENT_FORMAT].values
# What stands in a redacted entry instead of a text, of its changes and of their words (as PostgreSQL writes them).
REDACTED = "[redacted]"
# In the entry that a redaction leaves: the ids of the entries that it redacted.
REDACTED_ENTRIES = "redacted_entries"
_REDACTED_JSON = {"changes": '{"[redacted]": ["[redacted]", "[redacted]"]}', "words": "{}"}
COLUMNS = tuple(dict.fromkeys(name for each in FORMATS.values() for name in (*each.plain, *each.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a chain; its text, such as `1250:9f86d0…`, is what is kept outside the database."""

    position: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the head of a text that `str` made. Raises UnreadableHeadError."""
        position, _, digest = text.strip().partition(":")
        try:
            head = cls(position=int(position), hash=bytes.fromhex(digest))
        except ValueError:
            head = None
        if head is None or len(head.hash) != len(ORIGIN) or head.position < 0:
            raise UnreadableHeadError(
                f"{text!r} is no head of the audit trail: it is a number, a colon and 64 hexadecimal digits, as "
                "manage.py verify_audit_trail --head prints them."
            )
        return head

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"


def build_columns(*, vendor: str, alias: str) -> str:
    """Return the select list of `COLUMNS`, each as the text that is sealed."""
    return ", ".join(_build_column(AuditEntry._meta.get_field(name), vendor=vendor, alias=alias) for name in COLUMNS)


def get_redacted_text(name: str) -> str:
    """Return the text of a redacted column of `VALUE_COLUMNS`."""
    return _REDACTED_JSON.get(name, REDACTED)


def is_redacted(*, seal_format: int, row: Sequence[Any]) -> bool:
    """Whether the columns of `build_columns` hold what a redaction leaves."""
    _, pick_values = _get_pickers(seal_format)
    texts = [get_redacted_text(name) for name in FORMATS[seal_format].values]
    return list(pick_values(row)) in (texts, [f"t{text}".encode() for text in texts])


def compute_commitment(*, seal_format: int, salt: bytes, row: Sequence[Any]) -> bytes:
    """Return the commitment of an entry to its values; `row` has the columns of `build_columns`."""
    _, pick_values = _get_pickers(seal_format)
    return hmac.digest(salt, _encode(pick_values(row)), "sha256")


def compute_hash(*, previous: bytes, position: int, seal_format: int, row: Sequence[Any], commitment: bytes) -> bytes:
    """Return the hash of a place in the chain."""
    pick_plain, _ = _get_pickers(seal_format)
    start = b"%b%d.%d." % (previous, position, seal_format)
    return hashlib.sha256(start + _encode(pick_plain(row)) + commitment).digest()


def _build_column(field: Any, *, vendor: str, alias: str) -> str:
    column = f'{alias}."{field.column}"'
    if vendor == "sqlite":
        return f"CAST(substr(typeof({column}), 1, 1) || {column} AS BLOB)"
    if isinstance(field, models.DateTimeField):
        return f"(extract(epoch FROM {column}) * 1000000)::bigint::text"
    return f"{column}::text"


@cache
def _get_pickers(seal_format: int) -> tuple[Callable[[Sequence[Any]], Any], Callable[[Sequence[Any]], Any]]:
    chosen = FORMATS[seal_format]
    return (
        itemgetter(*(COLUMNS.index(name) for name in chosen.plain)),
        itemgetter(*(COLUMNS.index(name) for name in chosen.values)),
    )


def _encode(values: Iterable[Any]) -> bytes:
    """Return the values as bytes, each with its length, so that none can be taken for a part of another."""
    return b"".join(
        b"-" if value is None else b"%d:%b" % (len(value), value)
        for value in (each.encode() if isinstance(each, str) else each for each in values)
    )
