"""Load persons from a CSV file: those whose external ID the Vault has are changed, the others are created.

    VAULT_TOKEN=vault_… python load_persons.py https://vault.example.org/api/v1 persons.csv refused.csv

The columns are API names, `external_id__v` among them; an empty cell leaves the value as it is. 500 rows are one
request, so 5,000 persons take ten. What the Vault refuses is written to the second file, with the reason in a last
column: correct it there, and load that file. Loading a file twice changes nothing. Needs Python 3.10 or newer and
nothing else.
"""

import csv
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus
from pathlib import Path

KEY, REASON = "external_id__v", "refused because"
ROWS_IN_A_BATCH = 500
TRIES, PAUSE = 5, 2  # seconds


def write_batch(vault: str, rows: list[dict], *, token: str) -> dict:
    """Send rows in one request; return the answer. If it is lost, the same request is sent again under its key."""
    body = json.dumps({"rows": [build_row(row) for row in rows]}).encode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    }
    for tries_left in reversed(range(TRIES)):
        request = urllib.request.Request(f"{vault}/person__sys/batch/", data=body, headers=headers)
        pause = PAUSE
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code != HTTPStatus.TOO_MANY_REQUESTS:
                sys.exit(f"Refused: {said}")
            if not tries_left:
                raise
            pause = int(error.headers.get("Retry-After", PAUSE))
        except (OSError, http.client.HTTPException):
            if not tries_left:
                raise
        time.sleep(pause)
    raise AssertionError("The last try returns or raises.")


def build_row(row: dict) -> dict:
    """Return a row of the file as a row of a batch."""
    values = {name: value for name, value in row.items() if name and value and name not in (KEY, REASON)}
    return {"operation": "upsert", "key": {KEY: row.get(KEY) or ""}, "values": values}


def explain(problem: dict) -> str:
    """Return in words why a row was refused."""
    errors = [f"{each.get('field', 'all')}: {each['detail']}" for each in problem.get("errors", [])]
    return " ".join([problem["code"], problem["detail"], *errors])


def load(vault: str, source: str, target: str, *, token: str) -> dict[str, int]:
    """Load a file, write what is refused to another; return the number of rows by what became of them."""
    counts: dict[str, int] = {}
    with (
        Path(source).open(encoding="utf-8-sig", newline="") as read,
        Path(target).open("w", encoding="utf-8", newline="") as written,
    ):
        reader = csv.DictReader(read)
        names = [name for name in reader.fieldnames or () if name != REASON]
        refused = csv.DictWriter(written, [*names, REASON], extrasaction="ignore")
        refused.writeheader()
        rows = list(reader)
        for start in range(0, len(rows), ROWS_IN_A_BATCH):
            batch = rows[start : start + ROWS_IN_A_BATCH]
            answer = write_batch(vault, batch, token=token)
            for row, result in zip(batch, answer["results"], strict=True):
                counts[result["outcome"]] = counts.get(result["outcome"], 0) + 1
                if result["problem"]:
                    refused.writerow({**row, REASON: explain(result["problem"])})
    return counts


def main() -> None:
    """Load the file that the command line names, and say what became of its rows."""
    vault, source, target = sys.argv[1:]
    if Path(source).resolve() == Path(target).resolve():
        sys.exit("Name another file for what is refused.")
    counts = load(vault, source, target, token=os.environ["VAULT_TOKEN"])
    print(", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())) or "no rows")


if __name__ == "__main__":
    main()
