"""What stands in a daily digest beside the calendar's entries: apps register it from `AppConfig.ready()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from ctms.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRow:
    """A line of the digest. `path` is the address of its page within the Vault, `day` the day that it is about."""

    text: str
    path: str
    note: str = ""
    day: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPart:
    """A heading with lines. `count` is how many there are, `is_more` whether there are more than were counted."""

    title: str
    rows: tuple[DigestRow, ...]
    count: int
    is_more: bool = False

    @property
    def total(self) -> str:
        """Return how many there are, in words."""
        return f"{self.count:,}{' or more' if self.is_more else ''}"

    @property
    def left_out(self) -> str:
        """Return how many are not shown; empty if all are."""
        more = self.count - len(self.rows)
        return f"{more:,}{' or more' if self.is_more else ''}" if more > 0 or self.is_more else ""


_builders: list[Callable[[User], DigestPart | None]] = []


def register_digest_part(build: Callable[[User], DigestPart | None]) -> None:
    """Let `build` add a part to the digest of a user, None for nothing. It may show only what the user may see."""
    if build not in _builders:
        _builders.append(build)


def build_registered(user: User) -> list[DigestPart]:
    """Return the parts that apps registered, in their order, without empty ones."""
    parts = (build(user) for build in _builders)
    return [each for each in parts if each is not None and each.count]
