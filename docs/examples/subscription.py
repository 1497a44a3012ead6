"""Receive the events of a subscription, and keep a copy of the records that they are about, in a SQLite file.

    VAULT_TOKEN=vault_… VAULT_SECRETS=whsec_… python subscription.py https://vault.example.org/api/v1 copy.sqlite3 8080

An event is answered when it is stored, and only then; its id is stored once, so an event that comes again does nothing.
Afterwards the record is read as it is now: what an event says may be older than the record, and the order of events
does not matter. While a secret is replaced, VAULT_SECRETS has both, parted by a blank. The program speaks HTTP on
127.0.0.1: the Vault reaches it through your web server, over https. Needs Python 3.10 or newer and nothing else.
"""

import base64
import contextlib
import hmac
import http.server
import json
import os
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message

TABLES = """
CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, body TEXT, done INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS record (object TEXT, uid TEXT, body TEXT, PRIMARY KEY (object, uid));
"""
TOLERANCE = 300  # seconds between the clocks of the Vault and of this machine, at most
LARGEST = 100_000  # bytes of an event
PAUSE = 60  # seconds until what could not be read is read again


def is_signed(headers: Message, body: bytes, secrets: list[str]) -> bool:
    """Whether one of the secrets signed the event, and not long ago."""
    timestamp = headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    content = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    given = [each.encode() for each in headers.get("webhook-signature", "").split(" ")]
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = b"v1," + base64.b64encode(hmac.digest(key, content, "sha256"))
        if any(hmac.compare_digest(expected, each) for each in given):
            return True
    return False


class Copy:
    """The copy in the file at `path`, of what the user of the token sees in the Vault."""

    def __init__(self, vault: str, path: str, *, token: str, secrets: list[str]) -> None:
        self.vault, self.path, self.token, self.secrets = vault, path, token, secrets
        self.has_work = threading.Event()
        with self.open() as copy:
            copy.executescript(TABLES)

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open the file; what was written is kept if nothing fails."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as copy, copy:
            yield copy

    def receive(self, headers: Message, body: bytes) -> int:
        """Store an event that has not come before; return the status of the answer."""
        if not is_signed(headers, body, self.secrets):
            return 401
        with self.open() as copy:
            copy.execute("INSERT OR IGNORE INTO event (id, body) VALUES (?, ?)", (headers["webhook-id"], body.decode()))
        self.has_work.set()
        return 204

    def work(self) -> int:
        """Do what the stored events ask for, the oldest first; return how many are left because it failed."""
        with self.open() as copy:
            events = copy.execute("SELECT id, body FROM event WHERE NOT done ORDER BY rowid").fetchall()
        left = 0
        for key, body in events:
            event = json.loads(body)
            try:
                self.follow(event["type"].rpartition(".")[2], event["data"])
            except (OSError, ValueError) as error:  # the Vault did not answer, or something else did
                print(f"{event['type']}: {error}; tried again later", file=sys.stderr)
                left += 1
                continue
            with self.open() as copy:
                copy.execute("UPDATE event SET done = 1 WHERE id = ?", (key,))
        return left

    def follow(self, change: str, data: dict) -> None:
        """Read the record that an event is about; after a reset all records of the object. A test has neither."""
        if change == "reset":
            self.read_all(data["object"])
        elif change != "test":
            self.read(data["object"], data["uid__sys"])

    def read(self, name: str, uid: str) -> None:
        """Store a record as it is now; forget it if it is gone, or not seen any more."""
        record = self.ask(f"{name}/{uid}/")
        with self.open() as copy:
            if record is None:
                copy.execute("DELETE FROM record WHERE object = ? AND uid = ?", (name, uid))
            else:
                copy.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (name, uid, json.dumps(record)))

    def read_all(self, name: str) -> None:
        """Store all records of an object, and forget those that are not among them."""
        rows, page = {}, {"more": True, "bookmark": ""}
        while page["more"]:
            query = "?" + urllib.parse.urlencode({"since": page["bookmark"]}) if page["bookmark"] else ""
            page = self.ask(f"{name}/changes/{query}")
            if page is None:
                break
            if page["reset"]:
                rows = {}
            for told in page["results"]:
                rows[told["uid__sys"]] = told["record"]
        with self.open() as copy:
            copy.execute("DELETE FROM record WHERE object = ?", (name,))
            kept = [(name, uid, json.dumps(record)) for uid, record in rows.items() if record is not None]
            copy.executemany("INSERT INTO record VALUES (?, ?, ?)", kept)

    def ask(self, path: str) -> dict | None:
        """Return an answer of the Vault as JSON; None if it says that this is not there, or not for this user."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.vault}/{path}", headers=headers)) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code in (403, 404) and error.headers.get_content_type() == "application/problem+json":
                return None
            raise


class Receiver(http.server.ThreadingHTTPServer):
    """Hands the events that come in to a copy."""

    def __init__(self, copy: Copy, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.copy = copy


class Handler(http.server.BaseHTTPRequestHandler):
    """One event."""

    timeout = 30

    def do_POST(self) -> None:
        """Answer with 204 if the event is stored."""
        length = int(self.headers.get("Content-Length") or 0)
        status = self.server.copy.receive(self.headers, self.rfile.read(length)) if 0 < length <= LARGEST else 413
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Receive events until the program is ended."""
    vault, path, port = sys.argv[1:]
    secrets = os.environ["VAULT_SECRETS"].split()
    copy = Copy(vault, path, token=os.environ["VAULT_TOKEN"], secrets=secrets)
    threading.Thread(target=Receiver(copy, int(port)).serve_forever, daemon=True).start()
    while True:
        copy.has_work.clear()
        copy.work()
        copy.has_work.wait(timeout=PAUSE)


if __name__ == "__main__":
    main()
