"""Sessions and API usage of one organisation: who is logged in, and how many calls were made in the last 24 hours."""

import secrets
import threading
import time
from dataclasses import dataclass

from crm_sync.sandbox.database import Database

DAY_MINUTES = 24 * 60


@dataclass(slots=True)
class Session:
    """One access token. ``used`` is the time of the last call (seconds since the epoch); a session idles out."""

    token: str
    user_id: str
    used: float


class SessionStore:
    """The sessions of an organisation; they outlive a restart of the sandbox, as they outlive one of the real CRM."""

    def __init__(self, database: Database, *, organisation_id: str, idle_seconds: float) -> None:
        """Read the sessions of an earlier run."""
        self.idle_seconds = idle_seconds
        self._database = database
        self._organisation_id = organisation_id
        self._sessions = {
            token: Session(token, user_id, created)
            for token, user_id, created in database.fetch_all("SELECT token, user_id, created FROM sandbox_sessions")
        }

    def open_session(self, *, user_id: str) -> Session:
        """Log a user in and return the new session."""
        token = f"{self._organisation_id[:15]}!AQ{secrets.token_urlsafe(70).replace('-', '.')}"
        session = Session(token, user_id, time.time())
        self._sessions[token] = session
        self._database.execute(
            "INSERT INTO sandbox_sessions (token, user_id, created) VALUES (?, ?, ?)", (token, user_id, session.used)
        )
        return session

    def find_session(self, token: str) -> Session | None:
        """Return the live session of a token and renew it, or None."""
        session = self._sessions.get(token)
        now = time.time()
        if session is None:
            return None
        if now - session.used > self.idle_seconds:
            self.close_session(token)
            return None
        session.used = now
        return session

    def close_session(self, token: str) -> bool:
        """Log out; returns whether there was such a session."""
        self._database.execute("DELETE FROM sandbox_sessions WHERE token = ?", (token,))
        return self._sessions.pop(token, None) is not None

    def expire_all(self) -> int:
        """End every session and return how many there were."""
        count = len(self._sessions)
        self._sessions.clear()
        self._database.execute("DELETE FROM sandbox_sessions")
        return count


class UsageMeter:
    """API calls of the last 24 hours, counted by the minute and rolled over as minutes fall out of the window."""

    def __init__(self, database: Database, *, limit: int) -> None:
        """Read the counts of an earlier run."""
        self.limit = limit
        self._database = database
        self._lock = threading.Lock()
        self._minutes: dict[int, int] = dict(database.fetch_all("SELECT minute, calls FROM sandbox_usage"))
        self._used = sum(self._minutes.values())
        self._saved_minute = 0

    @property
    def used(self) -> int:
        """Calls counted in the last 24 hours."""
        return self._used

    @property
    def exhausted(self) -> bool:
        """Whether no call is left."""
        return self._used >= self.limit

    def count_call(self) -> None:
        """Count one call now. Written to the data file once a minute and on closing."""
        minute = int(time.time() // 60)
        with self._lock:
            self._minutes[minute] = self._minutes.get(minute, 0) + 1
            self._used += 1
            if minute == self._saved_minute:
                return
            self._saved_minute = minute
            for old in [entry for entry in self._minutes if entry <= minute - DAY_MINUTES]:
                self._used -= self._minutes.pop(old)
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
