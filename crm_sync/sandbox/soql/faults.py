"""What can be wrong with the pages of a query's answer, on request: rows twice or out of order, wrong ends."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

RowFault = Literal["twice", "overlapping", "reversed", "shuffled", "pages-reversed", "pages-shuffled"]
NextPageFault = Literal["endless", "broken", "foreign", "missing"]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageFaults:
    """The faults of one query. Its first call chooses `rows` and `next_page` for all its pages.

    `page_size`: the most rows of this page. `rows`: each row of a page `twice`; pages `overlapping` by a row; the rows
    within each page `reversed` or `shuffled`; all rows of the answer so, over its pages (`pages-…`). `next_page`: the
    last page leads to itself (`endless`), every page leads to one that is not there (`broken`), to another host
    (`foreign`), or says that there is more and not where (`missing`).
    """

    page_size: int | None = None
    rows: RowFault | None = None
    next_page: NextPageFault | None = None

    @property
    def in_force(self) -> bool:
        """Whether rows or the next page are to be wrong."""
        return self.rows is not None or self.next_page is not None

    def arrange_answer(self, ids: list[str]) -> list[str]:
        """Return the ids of a whole answer in the order in which its pages are to give them."""
        return arrange(ids, (self.rows or "").removeprefix("pages-")) if "pages-" in (self.rows or "") else ids

    def arrange_page(self, rows: list[Item]) -> list[Item]:
        """Return the rows of one page as they are to be sent."""
        if self.rows == "twice":
            return [row for row in rows for _ in range(2)]
        return arrange(rows, self.rows or "")


def arrange(rows: Sequence[Item], order: str) -> list[Item]:
    """Return rows `reversed`, `shuffled` (each time alike) or, for any other order, as they are."""
    arranged = list(rows)
    if order == "reversed":
        arranged.reverse()
    elif order == "shuffled":
        random.Random(len(arranged)).shuffle(arranged)  # noqa: S311  a fault to test with, no secret
    return arranged
