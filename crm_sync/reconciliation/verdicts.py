"""What a reconciliation says of records: one word of each, and the fields in which the two sides differ."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crm_sync.choices import RecordWord
from exceptions_log.choices import ErrorType
from exceptions_log.selectors import list_unresolved_items

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from connections.models import Integration

CHUNK = 1000
DELETED = "Deleted"
"""Under this name a difference says whether a record is deleted here and there."""

_WORDS = tuple(RecordWord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The word of a record; if it is a difference, nothing explains it. `fields` are `{field: [here, there]}`."""

    word: RecordWord
    is_difference: bool = False
    fields: dict[str, list[Any]] = field(default_factory=dict)

    def excuse(self, *, failure: str | None, is_pending: bool) -> Verdict:
        """Return the word that explains a difference: the record failed (`failure`, an error type), or is pending."""
        if not self.is_difference:
            return self
        if failure is not None:
            return Verdict(word=RecordWord.UNMATCHED if failure == ErrorType.MATCHING else RecordWord.FAILED)
        return Verdict(word=RecordWord.PENDING) if is_pending else self


def build_difference(word: RecordWord, fields: dict[str, list[Any]] | None = None) -> Verdict:
    """Return the verdict that nothing explains a difference in these fields."""
    return Verdict(word=word, is_difference=True, fields=fields or {})


def describe_fields(fields: Mapping[str, list[Any]]) -> list[tuple[str, str]]:
    """Return the fields of a difference, each with both values in words; a deletion as words without a field."""
    return [
        ("", "Deleted in the CRM, not here" if there else "Deleted here, not in the CRM")
        if name == DELETED
        else (name, f"{_show(here)} here, {_show(there)} there")
        for name, (here, there) in fields.items()
    ]


def _show(value: Any) -> str:
    return "–" if value in (None, "") else str(value)


class Ledger:
    """The word of each Vault record, in nine bytes a record; `keys` are the primary keys of all records, ascending."""

    def __init__(self, keys: array[int]) -> None:
        self._keys = keys
        self._words = bytearray(len(keys))

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, key: int, word: RecordWord) -> None:
        """Set the word of a record; a record that was created during the reconciliation has none."""
        if (position := self._find(key)) is not None:
            self._words[position] = _WORDS.index(word) + 1

    def __contains__(self, key: int) -> bool:
        """Whether the record has a word."""
        position = self._find(key)
        return position is not None and self._words[position] > 0

    def list_without_word(self) -> Iterator[array[int]]:
        """Yield the keys of records without a word, in chunks of 1,000."""
        chunk = array("q")
        for position, key in enumerate(self._keys):
            if not self._words[position]:
                chunk.append(key)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = array("q")
        if chunk:
            yield chunk

    def count(self) -> Counter[RecordWord]:
        """Return how many records have each word."""
        found = Counter(self._words)
        return Counter({word: found[index] for index, word in enumerate(_WORDS, start=1) if found[index]})

    def _find(self, key: int) -> int | None:
        position = bisect_left(self._keys, key)
        return position if position < len(self._keys) and self._keys[position] == key else None


def find_failures(*, integration: Integration, keys: Collection[str]) -> dict[str, str]:
    """Return the error types of those records that failed, open or dismissed; keys are UIDs, or CRM ids of calls."""
    items = list_unresolved_items().filter(integration=integration).order_by("pk")
    found: dict[str, str] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), CHUNK):
        found |= dict(items.filter(key__in=wanted[start : start + CHUNK]).values_list("key", "error_type"))
    return found
