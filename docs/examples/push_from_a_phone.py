"""Log activities without a network, and push them when there is one: each is saved once, however often it is sent.

    python push_from_a_phone.py outbox.sqlite3 log '{"person__v": {"external_id__v": "HCP-000688"}, "date__v": …}'
    python push_from_a_phone.py outbox.sqlite3 change 3f0c… '"1"' '{"complete__v": true}'
    VAULT_TOKEN=vault_… python push_from_a_phone.py outbox.sqlite3 push https://vault.example.org/api/v1
    python push_from_a_phone.py outbox.sqlite3 correct 2 '{"person__v": …}'
    python push_from_a_phone.py outbox.sqlite3 drop 3

An entry stays in the outbox until the Vault has answered it. It is sent again under the same Idempotency-Key, and the
uid of a new record is chosen here, so that what was saved is known again even after the key was forgotten. What the
Vault refuses is shown to the person, who corrects or drops it. Needs Python 3.10 or newer and nothing else.
"""

import http.client
import json
import os
import sqlite3
import sys
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus

OBJECT = "crm_activity__v"
TABLE = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY, uid TEXT, etag TEXT, body TEXT, key TEXT, state TEXT DEFAULT 'waiting', said TEXT
)
"""
# Refusals that say nothing about the entry: it is sent again later. Every other one is for the person to look at.
LATER = {"not-authenticated", "too-many-requests", "too-slow"}


def log(outbox: sqlite3.Connection, values: dict) -> None:
    """Keep a new record with a uid chosen here."""
    uid = str(uuid.uuid4())
    _insert(outbox, uid=uid, etag=None, body={"uid__sys": uid, **values})


def log_change(outbox: sqlite3.Connection, *, uid: str, etag: str, values: dict) -> None:
    """Keep a change of a record that was read with this ETag."""
    _insert(outbox, uid=uid, etag=etag, body=values)


def _insert(outbox: sqlite3.Connection, *, uid: str, etag: str | None, body: dict) -> None:
    row = (uid, etag, json.dumps(body), str(uuid.uuid4()))
    with outbox:
        outbox.execute("INSERT INTO entry (uid, etag, body, key) VALUES (?, ?, ?, ?)", row)


def correct(outbox: sqlite3.Connection, number: int, values: dict) -> None:
    """Replace the values of an entry. It is another request then, and has another key; its uid stays."""
    (body,) = outbox.execute("SELECT body FROM entry WHERE number = ?", (number,)).fetchone()
    own = {name: value for name, value in json.loads(body).items() if name == "uid__sys"}
    row = (json.dumps(own | values), str(uuid.uuid4()), number)
    with outbox:
        outbox.execute("UPDATE entry SET body = ?, key = ?, state = 'waiting', said = NULL WHERE number = ?", row)


def drop(outbox: sqlite3.Connection, number: int) -> None:
    """Give an entry up."""
    with outbox:
        outbox.execute("DELETE FROM entry WHERE number = ?", (number,))


def push(outbox: sqlite3.Connection, vault: str, *, token: str) -> None:
    """Send what waits, in the order in which it was logged. An entry waits for those before it of the same record."""
    held = {uid for (uid,) in outbox.execute("SELECT uid FROM entry WHERE state = 'refused'")}
    waiting = outbox.execute("SELECT number, uid, etag, body, key FROM entry WHERE state = 'waiting' ORDER BY number")
    for number, uid, etag, body, key in waiting.fetchall():
        if uid in held:
            continue
        try:
            status, answer = send(vault, uid=uid, etag=etag, body=body, key=key, token=token)
        except (OSError, http.client.HTTPException):
            return  # no network, or the answer was lost: whether it was saved is found out by sending it again
        state = judge(status, answer, uid=uid)
        if state == "done":
            with outbox:
                outbox.execute("UPDATE entry SET state = 'done' WHERE number = ?", (number,))
            continue
        held.add(uid)
        if state == "refused":
            with outbox:
                outbox.execute("UPDATE entry SET state = 'refused', said = ? WHERE number = ?", (answer, number))
        elif status != HTTPStatus.INTERNAL_SERVER_ERROR:  # a fault with one entry is none with the others
            return


def send(vault: str, *, uid: str, etag: str | None, body: str, key: str, token: str) -> tuple[int, str]:
    """Send an entry; return status and text of the answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
    address, method = f"{vault}/{OBJECT}/", "POST"
    if etag is not None:
        address, method, headers["If-Match"] = f"{address}{uid}/", "PATCH", etag
    request = urllib.request.Request(address, data=body.encode(), headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def judge(status: int, answer: str, *, uid: str) -> str:
    """Return what becomes of the entry. Only the Vault's own answer counts, not that of a hotspot's log-in page."""
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return "waiting"
    if status in (200, 201) and said.get("uid__sys") == uid:
        return "done"
    code = said.get("code", "")
    if code == "already-created":
        return "done"
    return "refused" if code and code not in LATER else "waiting"


def describe(answer: str) -> str:
    """Return in words why the Vault refused an entry, and what the person can do."""
    said = json.loads(answer)
    errors = [
        f"{each.get('field') or each.get('parameter') or 'all'}: {each['detail']}" for each in said.get("errors", [])
    ]
    advice = {
        "other-values": "It was saved before with other values. Look at both, and change the one that is there.",
        "key-taken": "Another record has this value. Send another value, or use that record.",
        "stale-version": "Somebody changed the record meanwhile. Drop this, read it again, and log your change anew.",
        "unconfirmed": "Correct it, or name the fields in confirmed__sys.",
    }
    parts = [said["code"], said["detail"], *errors, advice.get(said["code"], ""), said.get("existing", "")]
    return " ".join(part for part in parts if part)


def main() -> None:
    """Do what the command line asks, and say what the outbox holds."""
    path, command, *arguments = sys.argv[1:]
    outbox = sqlite3.connect(path)
    outbox.execute(TABLE)
    if command == "log":
        log(outbox, json.loads(arguments[0]))
    elif command == "change":
        log_change(outbox, uid=arguments[0], etag=arguments[1], values=json.loads(arguments[2]))
    elif command == "correct":
        correct(outbox, int(arguments[0]), json.loads(arguments[1]))
    elif command == "drop":
        drop(outbox, int(arguments[0]))
    elif command == "push":
        push(outbox, arguments[0], token=os.environ["VAULT_TOKEN"])
    counts = dict(outbox.execute("SELECT state, count(*) FROM entry GROUP BY state"))
    print(", ".join(f"{counts.get(state, 0)} {state}" for state in ("done", "waiting", "refused")))
    for number, answer in outbox.execute("SELECT number, said FROM entry WHERE state = 'refused' ORDER BY number"):
        print(f"{number}: {describe(answer)}")
    outbox.close()


if __name__ == "__main__":
    main()
