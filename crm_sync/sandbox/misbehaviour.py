"""Misbehaviour on request: rules that say which calls fail and how, and settings for all calls."""

import itertools
import math
import random
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal, get_args

from crm_sync.sandbox.data.duplicates import ALIKE_FIELDS
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.errors import LOG_IN_REFUSALS
from crm_sync.sandbox.soql.faults import NextPageFault, RowFault

OBJECT_IN_PATH = re.compile(r"/sobjects/(?:composite/)?([A-Za-z]\w*)")
OLDEST_VERSION = 31
Drop = Literal["before", "after"]
ConcurrencyLimit = Literal["requests", "long-transactions"]
# What text an effect or a setting may have.
EFFECT_CHOICES: dict[str, tuple[str, ...]] = {
    "drop": get_args(Drop),
    "rows": get_args(RowFault),
    "next_page": get_args(NextPageFault),
    "concurrency_limit": get_args(ConcurrencyLimit),
}
SETTING_CHOICES = {"refuse_log_in": tuple(LOG_IN_REFUSALS), "duplicate_rule": tuple(ALIKE_FIELDS)}
# The least and the most that a number may be. The clock is not set further than 10 years away.
MOST_SECONDS = 10 * 366 * 86_400
NUMBER_RANGES: dict[str, tuple[float, float]] = {
    "nth": (1, math.inf),
    "count": (0, math.inf),
    "probability": (0, 1),
    "seed": (-math.inf, math.inf),
    "status": (200, 599),
    "retry_after": (0, math.inf),
    "delay_ms": (0, MOST_SECONDS * 1000),
    "page_size": (1, math.inf),
    "step_clock_seconds": (-MOST_SECONDS, MOST_SECONDS),
    "clock_skew_seconds": (-MOST_SECONDS, MOST_SECONDS),
    "latency_ms": (0, MOST_SECONDS * 1000),
}
OBJECT_IN_QUERY = re.compile(r"\bFROM\s+([A-Za-z]\w*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a rule applies to. A field that is None matches every call.

    `path` is a regular expression searched in the path. `object` is an object's name in the path or query. `nth`: the
    rule applies from the nth matching call on (the first is 1). `count`: it applies at most this often (default: no
    limit, but once if `nth` is given). `probability`: from 0 to 1, drawn from a generator with the seed `seed`.
    """

    method: str | None = None
    path: str | None = None
    object: str | None = None
    nth: int | None = None
    count: int | None = None
    probability: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule does to a call; effects may be combined.

    `status`, `error_code` and `message`: answer with this error and do not make the call. `retry_after`: seconds in
    the Retry-After header. `row_errors`: refuse rows of a write, by external id or record id, with an error code or
    `{"code", "message"}`. `delay_ms`: wait first. `drop`: close the connection before the call, or after its commit.
    `page_size`: the most rows of a query's page. `rows` and `next_page`: what is wrong with the pages of a query that
    begins with this call, as in `soql.faults.PageFaults`. `expire_sessions`: end all sessions first.
    `step_clock_seconds`: set the organisation's clock ahead (or back) first; stamps that are written stay as they are.
    `limit_exhausted`: answer that no API call is left. `concurrency_limit`: answer that too many run at once. `html`:
    answer with a page instead of JSON. `truncate`: send half of the answer's body.
    """

    status: int | None = None
    error_code: str | None = None
    message: str | None = None
    retry_after: int | None = None
    row_errors: Mapping[str, Any] = field(default_factory=dict)
    delay_ms: float = 0.0
    drop: Drop | None = None
    page_size: int | None = None
    rows: RowFault | None = None
    next_page: NextPageFault | None = None
    expire_sessions: bool = False
    step_clock_seconds: float = 0.0
    limit_exhausted: bool = False
    concurrency_limit: ConcurrencyLimit | None = None
    html: bool = False
    truncate: bool = False


NO_EFFECT = Effect()


@dataclass(slots=True)
class Rule:
    """A rule, with the number of calls that matched it (`seen`) and that it was applied to (`fired`)."""

    id: int
    match: Match
    effect: Effect
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random, repr=False)

    def fires(self, *, method: str, path: str, sobject: str) -> bool:
        """Whether the rule applies to this call. Counts the call in `seen` and `fired`."""
        match = self.match
        if (
            (match.method is not None and match.method.upper() != method)
            or (match.path is not None and not re.search(match.path, path))
            or (match.object is not None and match.object.lower() != sobject.lower())
        ):
            return False
        self.seen += 1
        most = match.count if match.count is not None or match.nth is None else 1
        if self.seen < (match.nth or 0) or (most is not None and self.fired >= most):
            return False
        if match.probability is not None and self.dice.random() >= match.probability:
            return False
        self.fired += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """Return the rule as JSON values for the control interface, without fields that are not set."""
        return {
            "id": self.id,
            "match": {key: value for key, value in asdict(self.match).items() if value not in {None, 0}},
            "effect": {key: value for key, value in asdict(self.effect).items() if value},
            "seen": self.seen,
            "fired": self.fired,
        }


class Misbehaviour:
    """The rules and settings of one organisation. Any thread may change them while it is served."""

    def __init__(self, organisation: Organisation) -> None:
        """Begin without rules."""
        self._organisation = organisation
        self._rules: list[Rule] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        #: Milliseconds that every API call waits first; other calls are served meanwhile.
        self.latency_ms = 0.0
        #: Whether the password flow is refused, as by an organisation that blocks it.
        self.block_password_flow = False
        #: Why every log-in is refused: a key of `LOG_IN_REFUSALS`, or empty.
        self.refuse_log_in = ""
        #: The object whose new and changed records may not be like others, or empty.
        self.duplicate_rule = ""
        #: The oldest version of the API that is not retired.
        self.oldest_api_version = OLDEST_VERSION
        #: How many API calls may be answered at once; 0 is any number.
        self.concurrent_requests = 0

    @property
    def rules(self) -> list[Rule]:
        """The rules, in the order in which they are tried."""
        with self._lock:
            return list(self._rules)

    @property
    def clock_skew_seconds(self) -> float:
        """How many seconds the organisation's clock is ahead of the machine's."""
        return self._organisation.clock_skew.total_seconds()

    @clock_skew_seconds.setter
    def clock_skew_seconds(self, seconds: float) -> None:
        self._organisation.clock_skew = timedelta(seconds=seconds)

    @property
    def api_limit(self) -> int:
        """Calls allowed in 24 hours."""
        return self._organisation.usage.limit

    @api_limit.setter
    def api_limit(self, limit: int) -> None:
        self._organisation.usage.limit = limit

    @property
    def session_seconds(self) -> float:
        """After how many idle seconds a session ends."""
        return self._organisation.sessions.idle_seconds

    @session_seconds.setter
    def session_seconds(self, seconds: float) -> None:
        self._organisation.sessions.idle_seconds = seconds

    def add_rule(self, *, match: Mapping[str, Any] | None = None, effect: Mapping[str, Any]) -> Rule:
        """Add a rule. The keys of `match` and `effect` are the fields of `Match` and `Effect`.

        Raises ValueError for an unknown key, a value of the wrong kind, or an invalid regular expression in `path`.
        """
        match = match or {}
        for given, known in ((match, Match), (effect, Effect)):
            unknown = set(given) - {entry.name for entry in fields(known)}
            if unknown:
                raise ValueError(
                    f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(e.name for e in fields(known))}."
                )
        try:
            re.compile(match.get("path") or "")
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error
        for name, value in (*match.items(), *effect.items()):
            if name in EFFECT_CHOICES:
                check_choice(name, value or "", EFFECT_CHOICES[name])
            elif name in NUMBER_RANGES and value is not None:
                check_number(name, value)
        check_row_errors(effect.get("row_errors", {}))
        rule = Rule(next(self._numbers), Match(**match), Effect(**effect))
        rule.dice.seed(rule.match.seed)
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove_rule(self, rule_id: int) -> bool:
        """Remove the rule with this id and return whether there was one."""
        with self._lock:
            before = len(self._rules)
            self._rules = [rule for rule in self._rules if rule.id != rule_id]
            return len(self._rules) < before

    def clear(self) -> None:
        """Remove all rules, and set every setting as it was at first, but for the API limit and the session length."""
        with self._lock:
            self._rules.clear()
        self.latency_ms = 0.0
        self.block_password_flow = False
        self.refuse_log_in = ""
        self.duplicate_rule = ""
        self.oldest_api_version = OLDEST_VERSION
        self.concurrent_requests = 0
        self.clock_skew_seconds = 0.0

    def step_clock(self, *, seconds: float) -> None:
        """Set the organisation's clock ahead by so many seconds, or back. Stamps that are written stay as they are."""
        self.clock_skew_seconds = max(-MOST_SECONDS, min(self.clock_skew_seconds + seconds, MOST_SECONDS))

    def choose_effect(self, *, method: str, path: str, query: str = "") -> Effect:
        """Return the effect of the first rule that fires for this call, or no effect."""
        with self._lock:
            if not self._rules:
                return NO_EFFECT
            found = OBJECT_IN_PATH.search(path) or OBJECT_IN_QUERY.search(query)
            sobject = found.group(1) if found else ""
            return next(
                (rule.effect for rule in self._rules if rule.fires(method=method, path=path, sobject=sobject)),
                NO_EFFECT,
            )

    def read_settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        return {
            "latency_ms": self.latency_ms,
            "clock_skew_seconds": self.clock_skew_seconds,
            "block_password_flow": self.block_password_flow,
            "api_limit": self.api_limit,
            "session_seconds": self.session_seconds,
            "refuse_log_in": self.refuse_log_in,
            "duplicate_rule": self.duplicate_rule,
            "oldest_api_version": self.oldest_api_version,
            "concurrent_requests": self.concurrent_requests,
        }

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        """Change settings by name. Raises ValueError for an unknown name or a value of the wrong kind."""
        known = self.read_settings()
        for name, value in settings.items():
            if name not in known:
                raise ValueError(f"Unknown setting: {name}. Known: {', '.join(known)}.")
            if name in SETTING_CHOICES:
                check_choice(name, value, SETTING_CHOICES[name])
            elif isinstance(known[name], bool):
                if not isinstance(value, bool):
                    raise ValueError(f"{name} must be true or false.")
            else:
                check_number(name, value)
        for name, value in settings.items():
            setattr(self, name, value)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise ValueError for a value that is neither empty nor one of the choices."""
    if value not in {"", *choices}:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, or empty.")


def check_number(name: str, value: object) -> None:
    """Raise ValueError for a value that is no number, or not within the range of this name."""
    least, most = NUMBER_RANGES.get(name, (0, math.inf))
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        bounds = f"from {least:g} on" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"{name} must be a number {bounds}.")


def check_row_errors(row_errors: object) -> None:
    """Raise ValueError for row errors that give no error code by id."""
    if not isinstance(row_errors, Mapping) or not all(
        isinstance(fault, str) or (isinstance(fault, Mapping) and isinstance(fault.get("code"), str))
        for fault in row_errors.values()
    ):
        raise ValueError('row_errors must give codes by id: {"E1": "CODE"} or {"E1": {"code", "message"}}.')
