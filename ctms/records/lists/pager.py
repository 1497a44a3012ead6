"""The pager below a list: which rows are shown, and the other pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctms.records.lists.columns import PAGE_SIZES
from ctms.records.lists.order.keyset_pagination import COUNT_CAP, FIRST, LAST, Page
from ctms.records.lists.query import CURSOR


def describe_count(number: int) -> str:
    """Return a number of records as far as they were counted, such as `1,000+`."""
    return f"{COUNT_CAP:,}+" if number > COUNT_CAP else f"{number:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """The pages beside one of a list. `build_url` returns the URL of the list with other parameters.

    `total` is at most `COUNT_CAP` + 1. A URL is empty if there is no such page.
    """

    page: Page
    total: int
    size: int
    opens_on_today: bool
    has_today: bool
    has_cursor: bool
    build_url: Callable[..., str]

    @property
    def rows_text(self) -> str:
        """Return which rows of how many are shown, such as `1–50 of 1,234`, as far as they were counted."""
        rows, before = len(self.page.rows), self.page.before
        if before is None and self.page.is_last and self.total <= COUNT_CAP:
            before = self.total - rows
        count = describe_count(self.total)
        return f"{rows} of {count}" if before is None else f"{before + 1:,}–{before + rows:,} of {count}"

    @property
    def first_url(self) -> str:
        if self.page.is_first:
            return ""
        # Without a cursor, a list that is sorted by its day opens on today.
        return self.build_url(**{CURSOR: FIRST if self.opens_on_today else None})

    @property
    def today_url(self) -> str:
        """Return the URL of the page that the list opens on, if another one is shown that has no today."""
        is_elsewhere = self.opens_on_today and self.has_cursor and not self.has_today
        return self.build_url() if is_elsewhere else ""

    @property
    def previous_url(self) -> str:
        return self.build_url(**{CURSOR: self.page.previous_cursor}) if self.page.previous_cursor else ""

    @property
    def next_url(self) -> str:
        return self.build_url(**{CURSOR: self.page.next_cursor}) if self.page.next_cursor else ""

    @property
    def last_url(self) -> str:
        return "" if self.page.is_last else self.build_url(**{CURSOR: LAST})

    @property
    def sizes(self) -> list[tuple[int, bool]]:
        """Return the page sizes to choose from, and whether each is the present one."""
        return [(size, size == self.size) for size in PAGE_SIZES]
