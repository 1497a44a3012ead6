"""A call to a CRM and its answer, as a page shows them: whole, but for secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MASK: Final = "[removed]"
"""Stands in place of a secret."""

LONGEST_SHOWN: Final = 50_000
"""So many characters of an answer are kept; a page of 2,000 rows is far longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call and what came back.

    `body` is what was sent, unpacked if it `was_packed` with gzip. `status` is None if the CRM did not answer, or if
    the call was not sent (`was_sent`); `problem` says what went wrong with it, in words. `milliseconds` is the time
    until the whole answer was there.
    """

    purpose: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)
    was_packed: bool = False
    was_sent: bool = True
    status: int | None = None
    answer: str = field(default="", repr=False)
    problem: str = ""
    milliseconds: int = 0

    @property
    def is_write(self) -> bool:
        """Whether the call is one that changes records in the CRM."""
        return self.method not in ("GET", "HEAD")
