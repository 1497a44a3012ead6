"""The example `docs/examples/load_persons.py`: few requests, no second person, and what is refused is in a file."""

from __future__ import annotations

import csv
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ctms.clinical.models import Person
from tests.factories.clinical import PersonFactory
from tests.records.api.conftest import Caller, build_limited_caller
from tests.records.api.examples.conftest import EXAMPLES, Run
from tests.records.api.examples.relay import Fate, Relay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

PROGRAM = "load_persons.py"
BATCH = "POST /api/v1/person__sys/batch/"


def build_row(number: int, **values: str) -> dict[str, str]:
    return {
        "external_id__v": f"HCP-{number}",
        "last_name__sys": f"Doe {number}",
        "object_type__v": "person__v",
        "email__sys": "",
    } | values


def write_file(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_file(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as read:
        return list(csv.DictReader(read))


def test_500_persons_are_one_request_and_a_second_run_changes_nothing(
    run: Run, relay: Relay, caller: Caller, tmp_path: Path
) -> None:
    source = write_file(tmp_path / "persons.csv", [build_row(number) for number in range(501)])
    target = tmp_path / "refused.csv"
    assert run(PROGRAM, relay.url, source, target, caller=caller) == "501 created\n"
    assert relay.requests == [BATCH] * 2
    assert run(PROGRAM, relay.url, source, target, caller=caller) == "501 unchanged\n"
    assert relay.requests == [BATCH] * 4
    assert (Person.objects.count(), read_file(target)) == (501, [])


def test_what_is_refused_is_corrected_in_its_file_and_loaded(
    run: Run, relay: Relay, caller: Caller, tmp_path: Path
) -> None:
    known = PersonFactory.create(external_id="HCP-1", email="known@example.org")
    rows = [
        build_row(1, last_name__sys="Changed"),
        build_row(2),
        build_row(3, email__sys="not an address"),
        build_row(2, last_name__sys="Again"),
        build_row(4, external_id__v=""),
    ]
    source, target = write_file(tmp_path / "persons.csv", rows), tmp_path / "refused.csv"
    assert run(PROGRAM, relay.url, source, target, caller=caller) == "1 changed, 1 created, 3 refused\n"
    known.refresh_from_db()
    assert (known.last_name, known.email) == ("Changed", "known@example.org")
    refused = read_file(target)
    assert [each.pop("refused because").split(" ")[0] for each in refused] == ["invalid", "duplicate-row", "invalid"]
    assert refused == rows[2:]

    corrected = [row | {"email__sys": "doe@example.org"} for row in read_file(target)[:1]]
    write_file(target, corrected)
    assert run(PROGRAM, relay.url, target, tmp_path / "again.csv", caller=caller) == "1 created\n"
    assert Person.objects.get(external_id="HCP-3").email == "doe@example.org"


def test_an_answer_that_is_lost_is_asked_for_again(relay: Relay, caller: Caller, tmp_path: Path) -> None:
    source = write_file(tmp_path / "persons.csv", [build_row(1), build_row(2)])
    functions = runpy.run_path(str(EXAMPLES / PROGRAM))
    load = functions["load"]
    load.__globals__["PAUSE"] = 0
    relay.fates.extend([Fate.ANSWER_LOST, Fate.FAULT, Fate.LOST])
    token = caller.authorization.removeprefix("Bearer ")
    counts = load(relay.url, str(source), str(tmp_path / "refused.csv"), token=token)
    assert (counts, Person.objects.count(), len(relay.requests)) == ({"created": 2}, 2, 4)


def test_what_the_user_may_not_do_and_a_file_that_is_its_own_target_end_the_program(
    run: Run, relay: Relay, tmp_path: Path
) -> None:
    caller = build_limited_caller("study__v:read")
    source = write_file(tmp_path / "persons.csv", [build_row(1)])
    with pytest.raises(SystemExit, match="not-allowed"):
        run(PROGRAM, relay.url, source, tmp_path / "refused.csv", caller=caller)
    with pytest.raises(SystemExit, match="another file"):
        run(PROGRAM, relay.url, source, source, caller=caller)
    assert read_file(source) == [build_row(1)]
