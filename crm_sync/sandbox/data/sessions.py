"""The sessions of one organisation, and the number of API calls of the last 24 hours."""

import secrets
import threading
import time
from dataclasses import dataclass

from crm_sync.sandbox.data.database import Database

DAY_MINUTES = 24 * 60
STORE_SECONDS = 60


@dataclass(slots=True)
class Session:
    """One access token. `used` is the time of its last call, `stored` that in the file, in seconds since 1970."""

    token: str
    user_id: str
    used: float
    stored: float


class SessionStore:
    """The sessions of an organisation. They are stored, so that they outlive a restart of the sandbox.

    The time of last use is stored once a minute and on closing.
    """

    def __init__(self, database: Database, *, organisation_id: str, idle_seconds: float) -> None:
        """Read the sessions of an earlier run."""
        self.idle_seconds = idle_seconds
        self._database = database
        self._organisation_id = organisation_id
        self._sessions = {
            token: Session(token, user_id, used, used)
            for token, user_id, used in database.fetch_all("SELECT token, user_id, used FROM sandbox_sessions")
        }

    def open_session(self, *, user_id: str) -> Session:
        """Log a user in and return the new session."""
        token = f"{self._organisation_id[:15]}!AQ{secrets.token_urlsafe(70).replace('-', '.')}"
        now = time.time()
        session = Session(token, user_id, now, now)
        self._sessions[token] = session
        self._database.execute(
            "INSERT INTO sandbox_sessions (token, user_id, used) VALUES (?, ?, ?)", (token, user_id, now)
        )
        return session

    def find_session(self, token: str) -> Session | None:
        """Return the session of a token and restart its idle time, or None when there is none or it has ended."""
        session = self._sessions.get(token)
        now = time.time()
        if session is None:
            return None
        if now - session.used > self.idle_seconds:
            self.close_session(token)
            return None
        session.used = now
        if now - session.stored >= STORE_SECONDS:
            self._store(session)
        return session

    def save(self) -> None:
        """Write the times of last use to the data file."""
        with self._database.transaction():
            for session in self._sessions.values():
                self._store(session)

    def _store(self, session: Session) -> None:
        """Write a session's time of last use to the data file."""
        session.stored = session.used
        self._database.execute("UPDATE sandbox_sessions SET used = ? WHERE token = ?", (session.used, session.token))

    def close_session(self, token: str) -> bool:
        """End the session of a token and return whether there was one."""
        self._database.execute("DELETE FROM sandbox_sessions WHERE token = ?", (token,))
        return self._sessions.pop(token, None) is not None

    def expire_all(self) -> int:
        """End every session and return how many there were."""
        count = len(self._sessions)
        self._sessions.clear()
        self._database.execute("DELETE FROM sandbox_sessions")
        return count


class UsageMeter:
    """The count of API calls of the last 24 hours, kept by the minute."""

    def __init__(self, database: Database, *, limit: int) -> None:
        """Read the counts of an earlier run."""
        self.limit = limit
        self._database = database
        self._lock = threading.Lock()
        self._minutes: dict[int, int] = dict(database.fetch_all("SELECT minute, calls FROM sandbox_usage"))
        self._used = sum(self._minutes.values())
        self._minute = 0
        self._saved_minute = 0

    @property
    def used(self) -> int:
        """The number of calls of the last 24 hours."""
        with self._lock:
            self._forget_old()
            return self._used

    @property
    def exhausted(self) -> bool:
        """Whether no call is left."""
        return self.used >= self.limit

    def _forget_old(self) -> int:
        """Drop the minutes that are older than a day. Returns the minute that it is now."""
        minute = int(time.time() // 60)
        if minute != self._minute:
            self._minute = minute
            for old in [entry for entry in self._minutes if entry <= minute - DAY_MINUTES]:
                self._used -= self._minutes.pop(old)
        return minute

    def count_call(self) -> None:
        """Count one call. The counts are written to the data file once a minute and on closing."""
        with self._lock:
            minute = self._forget_old()
            self._minutes[minute] = self._minutes.get(minute, 0) + 1
            self._used += 1
            if minute == self._saved_minute:
                return
            self._saved_minute = minute
        self.save()

    def save(self) -> None:
        """Write the counts to the data file."""
        with self._lock:
            rows = list(self._minutes.items())
        with self._database.transaction():
            self._database.execute("DELETE FROM sandbox_usage")
            self._database.execute_many("INSERT INTO sandbox_usage (minute, calls) VALUES (?, ?)", rows)

    def reset(self) -> None:
        """Forget every call made so far."""
        with self._lock:
            self._minutes.clear()
            self._used = 0
        self.save()
