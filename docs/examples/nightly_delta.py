"""Keep a copy of the records that you see of an object, in a SQLite file. Run it every night, or every minute.

    VAULT_TOKEN=vault_… python nightly_delta.py https://vault.example.org/api/v1 site__v copy.sqlite3

It asks the Vault what happened since the last time: what was created, changed or deleted, and what you see now or do
not see any more. Each page is stored together with the bookmark for the next one, so a run that breaks off goes on
where it was. Needs Python 3.10 or newer and nothing else.
"""

import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TABLES = """
CREATE TABLE IF NOT EXISTS record (object TEXT, uid TEXT, body TEXT, round INTEGER, PRIMARY KEY (object, uid));
CREATE TABLE IF NOT EXISTS place (object TEXT PRIMARY KEY, bookmark TEXT, round INTEGER);
"""
TRIES = 5


def ask(url: str, *, token: str) -> dict:
    """Return the answer as JSON. Where the Vault asks to wait, wait as long as it says and ask again."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
    for _ in range(TRIES - 1):
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(int(error.headers.get("Retry-After", "10")))
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.load(response)


def store_page(page: dict, *, copy: sqlite3.Connection, name: str, current: int) -> int:
    """Store what a page tells and its bookmark, all or nothing; return the number of the round."""
    with copy:
        if page["reset"]:
            current += 1  # all records are told from here on; what is not among them is of an earlier round
        for told in page["results"]:
            if told["record"] is None:
                copy.execute("DELETE FROM record WHERE object = ? AND uid = ?", (name, told["uid__sys"]))
            else:
                row = (name, told["uid__sys"], json.dumps(told["record"]), current)
                copy.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", row)
        if not page["more"]:
            copy.execute("DELETE FROM record WHERE object = ? AND round < ?", (name, current))
        copy.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", (name, page["bookmark"], current))
    return current


def refresh(vault: str, name: str, *, copy: sqlite3.Connection, token: str) -> int:
    """Bring the copy up to date; return how many pages that took."""
    copy.executescript(TABLES)
    place = copy.execute("SELECT bookmark, round FROM place WHERE object = ?", (name,)).fetchone()
    bookmark, current = place or ("", 0)
    pages, has_more = 0, True
    while has_more:
        query = "?" + urllib.parse.urlencode({"since": bookmark}) if bookmark else ""
        page = ask(f"{vault}/{name}/changes/{query}", token=token)
        current = store_page(page, copy=copy, name=name, current=current)
        bookmark, has_more = page["bookmark"], page["more"]
        pages += 1
    return pages


def main() -> None:
    """Refresh the copy that the command line names, and say how many records it has."""
    vault, name, path = sys.argv[1:]
    copy = sqlite3.connect(path)
    pages = refresh(vault, name, copy=copy, token=os.environ["VAULT_TOKEN"])
    (records,) = copy.execute("SELECT count(*) FROM record WHERE object = ?", (name,)).fetchone()
    copy.close()
    print(f"{name}: {records} records after {pages} pages")


if __name__ == "__main__":
    main()
