"""Computes how far a run is from the counts that its job stores with every renewal of the lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctms.jobs.choices import RunTrigger

if TYPE_CHECKING:
    from datetime import datetime

    from ctms.jobs.models import JobRun

# Keys of a part's progress that are not counts of its result.
PROGRESS_KEYS = frozenset({"total", "rows", "done"})
_SECONDS_BEFORE_A_RATE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is. `total` is None while unknown; `rate` is in records a second, `remaining` in seconds."""

    done: int
    total: int | None
    rate: float | None
    remaining: float | None

    @property
    def percent(self) -> int | None:
        """The share of the total that is done, 0–100; None while the total is unknown."""
        if not self.total:
            return None
        return min(100, self.done * 100 // self.total)


def compute_progress(*, run: JobRun, progress: dict[str, Any], now: datetime) -> RunProgress:
    """Sum the progress of the parts, given as `{part: counts}`.

    A part has done its `done` or else `selected` records, of `total` or else `rows`. If one part has no total, the run
    has none. A run that took over has no rate, because its counts include what the interrupted run did.
    """
    parts: list[dict[str, int]] = [counts for counts in progress.values() if isinstance(counts, dict)]
    done = sum(part.get("done", part.get("selected", 0)) for part in parts)
    totals = [part.get("total", part.get("rows", 0)) for part in parts]
    total = sum(totals) if totals and all(totals) else None
    seconds = (now - run.started_at).total_seconds() if run.started_at else 0.0
    has_rate = done > 0 and seconds >= _SECONDS_BEFORE_A_RATE and run.trigger != RunTrigger.TAKEOVER
    rate = done / seconds if has_rate else None
    remaining = max(total - done, 0) / rate if rate and total is not None else None
    return RunProgress(done=done, total=total, rate=rate, remaining=remaining)


def describe_progress(progress: RunProgress) -> str:
    """Return e.g. `400 of 1,000 · 1,200 a minute · about 30 s left`, less what is not known."""
    parts = [f"{progress.done:,} of {progress.total:,}" if progress.total is not None else f"{progress.done:,} so far"]
    if progress.rate is not None:
        parts.append(f"{progress.rate * 60:,.0f} a minute")
    if progress.remaining is not None:
        parts.append(f"about {format_seconds(progress.remaining)} left")
    return " · ".join(parts)


def format_seconds(seconds: float) -> str:
    """Return a duration as `0.4 s`, `3 min 5 s` or `2 h 10 min`."""
    if seconds < 60:  # noqa: PLR2004  seconds of a minute
        return f"{seconds:.1f} s" if seconds < 10 else f"{round(seconds)} s"  # noqa: PLR2004  a decimal for short times
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004  minutes of an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
