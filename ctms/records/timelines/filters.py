"""The filters of a timeline, as its address holds them: kind, channel, study, open or done, days, words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import UUID

from django.http import QueryDict

from ctms.records.fields.comparing.periods import describe_period, list_days, read_period
from ctms.records.timelines.sources import TimelineKind, get_channel

KIND, CHANNEL, STUDY, STATE, PERIOD, FROM, TO, WORDS = (
    "kind",
    "channel",
    "study",
    "state",
    "period",
    "from",
    "to",
    "q",
)
NAMES = (KIND, CHANNEL, STUDY, STATE, PERIOD, FROM, TO, WORDS)
OPEN, DONE = "open", "done"
STATES = ((OPEN, "Open"), (DONE, "Done"))
LAST_90_DAYS = "last_90_days"
PERIODS = ("last_30_days", LAST_90_DAYS, "last_12_months", "this_year", "next_30_days", "next_90_days")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineFilters:
    """The filters in force, and `problems`: parameter → what is wrong with it. What is wrong limits to nothing."""

    kind: str = ""
    channel: str = ""
    study: UUID | None = None
    state: str = ""
    period: str = ""
    first: dt.date | None = None
    last: dt.date | None = None
    words: str = ""
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """The filters as parameters of an address."""
        written = {
            KIND: self.kind,
            CHANNEL: self.channel,
            STUDY: str(self.study or ""),
            STATE: self.state,
            PERIOD: self.period,
            FROM: self.first.isoformat() if self.first else "",
            TO: self.last.isoformat() if self.last else "",
            WORDS: self.words,
        }
        return {name: text for name, text in written.items() if text}

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is left out."""
        return bool(self.parameters or self.problems)

    def list_days(self, today: dt.date) -> tuple[dt.date | None, dt.date | None]:
        """Return the first and the last day; None if it is open on that side."""
        first, last = list_days(period=self.period, today=today) if self.period else (None, None)
        firsts = [each for each in (first, self.first) if each]
        lasts = [each for each in (last, self.last) if each]
        return max(firsts, default=None), min(lasts, default=None)

    def build_query(self, **others: str) -> str:
        """Return the query string, with further parameters, and a question mark before it; empty if there are none."""
        written = urlencode(self.parameters | {name: text for name, text in others.items() if text})
        return f"?{written}" if written else ""


def read_filters(*, parameters: QueryDict, kinds: list[TimelineKind]) -> TimelineFilters:
    """Read the filters of an address; `kinds` are those that the user may see."""
    problems: dict[str, str] = {}
    texts = {name: parameters.get(name, "").strip() for name in NAMES}
    if texts[KIND] and texts[KIND] not in {each.name for each in kinds}:
        names = ", ".join(each.name for each in kinds)
        problems[KIND] = f"There is no kind {texts[KIND]!r} that you may see. Choose one of: {names}."
    if texts[CHANNEL] and get_channel(texts[CHANNEL]) is None:
        problems[CHANNEL] = f"There is no channel {texts[CHANNEL]!r}. Choose one from the list."
    if texts[STATE] and texts[STATE] not in {OPEN, DONE}:
        problems[STATE] = f"Enter {OPEN} or {DONE}, or nothing for both."
    period = ""
    try:
        period = read_period(texts[PERIOD]) if texts[PERIOD] else ""
    except ValueError as error:
        problems[PERIOD] = str(error)
    first, last = (_read_day(texts[name], name=name, problems=problems) for name in (FROM, TO))
    if first and last and first > last:
        problems[TO] = "The last day lies before the first. Enter a later one."
    study = _read_study(texts[STUDY], problems=problems)
    texts |= dict.fromkeys(problems, "")
    return TimelineFilters(
        kind=texts[KIND],
        channel=texts[CHANNEL],
        study=study,
        state=texts[STATE],
        period=period,
        first=first,
        last=last,
        words=texts[WORDS],
        problems=problems,
    )


def describe_days(period: str) -> str:
    """Return a period as a choice, such as `Last 90 days`."""
    words = describe_period(period).removeprefix("in the ")
    return words[:1].upper() + words[1:]


def _read_day(text: str, *, name: str, problems: dict[str, str]) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        problems[name] = f"{text!r} is no day. Enter one such as 2026-01-31."
        return None


def _read_study(text: str, *, problems: dict[str, str]) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        problems[STUDY] = "This is no study. Choose one from the list."
        return None
