"""Find a record by a key: an external ID, a person identifier, or the study and number of a site.

    export VAULT_TOKEN=vault_…
    python look_up_by_key.py https://vault.example.org/api/v1 person__sys external_id__v=HCP-000688
    python look_up_by_key.py https://vault.example.org/api/v1 person__sys person_identifier__v=1043-7
    python look_up_by_key.py https://vault.example.org/api/v1 site__v study__v.name__v=S-1 name__v=101

It prints the record as JSON, or says on standard error what stands against it, and ends with 1. Needs Python 3.10 or
newer and nothing else.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request


class AmbiguousKeyError(Exception):
    """Several records have the key: it takes another one, such as an external ID."""


def find(vault: str, name: str, key: dict[str, str], *, token: str) -> dict | None:
    """Return the record of an object that has the key; None if there is none, or if the user does not see it."""
    address = f"{vault}/{name}/by-key/?{urllib.parse.urlencode(key)}"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if "json" not in error.headers.get("Content-Type", ""):
            raise
        with error:
            problem = json.load(error)
        if problem.get("code") == "not-found":
            return None
        if problem.get("code") == "ambiguous":
            raise AmbiguousKeyError(problem["detail"]) from error
        errors = [f"{each.get('parameter', 'key')}: {each['detail']}" for each in problem.get("errors", [])]
        sys.exit(" ".join([problem["detail"], *errors]))


def main() -> None:
    """Print the record that the command line names."""
    vault, name, *parts = sys.argv[1:]
    key = dict(part.split("=", 1) for part in parts)
    try:
        record = find(vault, name, key, token=os.environ["VAULT_TOKEN"])
    except AmbiguousKeyError as error:
        sys.exit(str(error))
    if record is None:
        sys.exit("There is none, or you do not see it.")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
