"""How long single calls to a CRM took, as a small histogram that is added up over runs.

A bucket is a span of times: its number `n` stands for 2 ** (n / 4) milliseconds, so that a figure that is read from the
histogram is at most 9 % away from the time that was measured.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STEPS: Final = 4
"""So many buckets lie between a time and its double."""


def find_bucket(milliseconds: float) -> int:
    """Return the bucket of a time; what takes less than a millisecond is counted as one."""
    return round(_STEPS * math.log2(max(milliseconds, 1.0)))


def store_times(times: Mapping[int, int]) -> dict[str, int]:
    """Return numbers of calls by bucket as they are kept in JSON, without empty buckets."""
    return {str(bucket): number for bucket, number in sorted(times.items()) if number > 0}


def add_up(stored: Iterable[Mapping[str, int]]) -> Counter[int]:
    """Return the calls of several histograms in one."""
    total: Counter[int] = Counter()
    for each in stored:
        total.update({int(bucket): number for bucket, number in each.items()})
    return total


def find_time(times: Mapping[int, int], *, share: float) -> float | None:
    """Return the milliseconds within which this share of the calls was answered; None if there was none."""
    number = sum(times.values())
    if not number:
        return None
    wanted, reached = math.ceil(number * share), 0
    for bucket in sorted(times):
        reached += times[bucket]
        if reached >= wanted:
            break
    return float(2 ** (bucket / _STEPS))
