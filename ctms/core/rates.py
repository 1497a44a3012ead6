"""How many requests in how much time, as settings say it."""

from __future__ import annotations

import re
from typing import NamedTuple

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.requests:,} {'an' if unit == 'hour' else 'a'} {unit}"


def parse_rate(text: str) -> Rate | None:
    """Read a rate such as `60/minute`; None, which is no limit, if empty. Raises ValueError for anything else."""
    if not text:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour|day)", text)
    if match is None:
        raise ValueError(f"{text!r} is no rate: write e.g. 60/minute (second, minute, hour or day), or nothing.")
    return Rate(int(match[1]), _SECONDS[match[2]])
