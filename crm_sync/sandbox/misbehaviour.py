"""Misbehaviour on request: rules that say which calls go wrong and how, and settings that hold until changed."""

import itertools
import random
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal

from crm_sync.sandbox.organisation import Organisation

OBJECT_IN_PATH = re.compile(r"/sobjects/(?:composite/)?([A-Za-z]\w*)")
OBJECT_IN_QUERY = re.compile(r"\bFROM\s+([A-Za-z]\w*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a rule is about; what is not said matches every call.

    ``path`` is a regular expression searched in the path. ``object`` is an object's name in path or query. ``nth``:
    only from the nth matching call on (the first is 1). ``count``: at most so many times (with ``nth`` alone: once).
    ``probability``: by a die thrown with ``seed``.
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
    """What goes wrong; several may be combined.

    ``status`` with ``error_code`` and ``message``: that answer instead of the call. ``retry_after``: seconds in its
    header. ``row_errors``: error code (or ``{"code", "message"}``) by external id or record id, for rows of a write.
    ``delay_ms``: wait first. ``drop``: close the connection before the call, or after its commit. ``page_size``: pages
    of at most so many rows. ``html``: a page instead of JSON. ``truncate``: cut the answer's body in half.
    """

    status: int | None = None
    error_code: str | None = None
    message: str | None = None
    retry_after: int | None = None
    row_errors: Mapping[str, Any] = field(default_factory=dict)
    delay_ms: float = 0.0
    drop: Literal["before", "after"] | None = None
    page_size: int | None = None
    expire_sessions: bool = False
    limit_exhausted: bool = False
    html: bool = False
    truncate: bool = False


NO_EFFECT = Effect()


@dataclass(slots=True)
class Rule:
    """A rule with what it has seen and done so far."""

    id: int
    match: Match
    effect: Effect
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random, repr=False)

    def fires(self, *, method: str, path: str, sobject: str) -> bool:
        """Whether the rule applies to this call; counts it."""
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
        """Return the rule for the control interface, without what it does not say."""
        return {
            "id": self.id,
            "match": {key: value for key, value in asdict(self.match).items() if value not in {None, 0}},
            "effect": {key: value for key, value in asdict(self.effect).items() if value},
            "seen": self.seen,
            "fired": self.fired,
        }


class Misbehaviour:
    """The rules and settings of one organisation; may be changed from any thread while it is served."""

    def __init__(self, organisation: Organisation) -> None:
        """Begin well-behaved."""
        self._organisation = organisation
        self._rules: list[Rule] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        #: Every API call waits so long first; others are served meanwhile.
        self.latency_ms = 0.0
        #: The password flow is answered as by an organisation that blocks it.
        self.block_password_flow = False

    @property
    def rules(self) -> list[Rule]:
        """The rules, in the order in which they are asked."""
        with self._lock:
            return list(self._rules)

    @property
    def clock_skew_seconds(self) -> float:
        """How far the organisation's clock is ahead of the machine's."""
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
        """Add a rule; ``match`` and ``effect`` have the names of :class:`Match` and :class:`Effect`.

        Raises ValueError for an unknown name or an unreadable path expression.
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
        rule = Rule(next(self._numbers), Match(**match), Effect(**effect))
        rule.dice.seed(rule.match.seed)
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove_rule(self, rule_id: int) -> bool:
        """Remove a rule; returns whether there was one of that number."""
        with self._lock:
            before = len(self._rules)
            self._rules = [rule for rule in self._rules if rule.id != rule_id]
            return len(self._rules) < before

    def clear(self) -> None:
        """Behave well again: no rules, no latency, no skew, no blocked flow."""
        with self._lock:
            self._rules.clear()
        self.latency_ms = 0.0
        self.block_password_flow = False
        self.clock_skew_seconds = 0.0

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
        }

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        """Change settings by name. Raises ValueError for an unknown name or a value of the wrong kind."""
        known = self.read_settings()
        for name, value in settings.items():
            if name not in known:
                raise ValueError(f"Unknown setting: {name}. Known: {', '.join(known)}.")
            if isinstance(known[name], bool) != isinstance(value, bool) or not isinstance(value, bool | int | float):
                raise ValueError(f"{name} must be {'true or false' if isinstance(known[name], bool) else 'a number'}.")
        for name, value in settings.items():
            setattr(self, name, value)
