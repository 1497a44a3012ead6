"""Questions to database and Redis that are answered within a limit, whatever hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import redis
import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

log = structlog.get_logger(__name__)

LIMIT = 2.0  # seconds for all questions of a probe together, which may take 3
_REDIS_LIMIT = 1.5


class Answer(StrEnum):
    """What a probe tells strangers: nothing but this."""

    OK = "ok"
    FAILS = "fails"
    HANGS = "hangs"


@dataclass(slots=True)
class _Asking:
    thread: threading.Thread
    answer: Answer = Answer.HANGS


class Question:
    """Asks in a thread of its own, one at a time: while one hangs, the next is told so and no other thread begins."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._asking: _Asking | None = None

    def start(self) -> _Asking:
        """Ask, or join in while the same is being asked."""
        with self._lock:
            if self._asking is None or not self._asking.thread.is_alive():
                asking = _Asking(thread=threading.Thread(target=lambda: self._work(asking), daemon=True))
                self._asking = asking
                asking.thread.start()
            return self._asking

    def _work(self, asking: _Asking) -> None:
        try:
            asking.answer = self._ask()
        except Exception as error:  # noqa: BLE001  whatever it is, the answer is the same
            asking.answer = Answer.FAILS
            log.warning("probe_failed", question=self._ask.__name__, error=type(error).__name__)


@contextmanager
def open_connection() -> Iterator[BaseDatabaseWrapper]:
    """Open a connection of one's own to the database, outside the pool, whose waiting would look like hanging."""
    own = connections[DEFAULT_DB_ALIAS].copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    try:
        yield own
    finally:
        own.close()


def ask_database() -> Answer:
    """Whether the database answers."""
    with open_connection() as own, own.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Answer.OK


def ask_migrations() -> Answer:
    """Whether every migration of this release is applied; it fails if the database does not answer."""
    with open_connection() as own:
        executor = MigrationExecutor(own)
        is_current = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Answer.OK if is_current else Answer.FAILS


def ask_redis() -> Answer:
    """Whether Redis answers; a Vault whose queue is of files needs none."""
    url = str(settings.CELERY_BROKER_URL)
    if not url.startswith("redis"):
        return Answer.OK
    with redis.Redis.from_url(url, socket_timeout=_REDIS_LIMIT, socket_connect_timeout=_REDIS_LIMIT) as client:
        client.ping()
    return Answer.OK


QUESTIONS = {
    "database": Question(ask_database),
    "migrations": Question(ask_migrations),
    "redis": Question(ask_redis),
}


def ask_all(names: tuple[str, ...] = tuple(QUESTIONS), *, limit: float = LIMIT) -> dict[str, Answer]:
    """Return the answers by name, within `limit` seconds for all of them together."""
    asked = {name: QUESTIONS[name].start() for name in names}
    deadline = _Deadline(limit)
    for asking in asked.values():
        asking.thread.join(deadline.left)
    return {name: asking.answer for name, asking in asked.items()}


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())
