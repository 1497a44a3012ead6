"""The example `docs/examples/nightly_delta.py`, over HTTP: its copy has what its user sees, and nothing else."""

from __future__ import annotations

import json
import runpy
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from ctms.audit.services import delete_record
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudyPersonFactory
from tests.records.api.changes.feeds import change
from tests.records.api.conftest import Caller, build_limited_caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

EXAMPLE = Path(__file__).resolve().parents[4] / "docs" / "examples" / "nightly_delta.py"
OBJECT = "study_person__clin"


def read_copy(path: Path) -> dict[str, Any]:
    copy = sqlite3.connect(path)
    rows = dict(copy.execute("SELECT uid, body FROM record WHERE object = ?", (OBJECT,)).fetchall())
    copy.close()
    return {uid: json.loads(body) for uid, body in rows.items()}


def list_seen(caller: Caller) -> dict[str, Any]:
    return {each["uid__sys"]: each for each in caller.get(f"{OBJECT}/", size=200).json()["results"]}


def test_the_copy_follows_changes_deletions_and_what_its_user_sees(
    live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = StudyFactory.create_batch(2)
    caller = build_limited_caller(f"{OBJECT}:read", sees_all_studies=False)
    assignment = StudyAssignmentFactory.create(user=caller.user, study=first)
    in_first, in_second = (
        [StudyPersonFactory.create(site=None, study=study) for _ in range(3)] for study in (first, second)
    )
    path = tmp_path / "copy.sqlite3"
    monkeypatch.setenv("VAULT_TOKEN", caller.authorization.removeprefix("Bearer "))
    monkeypatch.setattr(sys, "argv", ["nightly_delta.py", f"{live_server.url}/api/v1", OBJECT, str(path)])

    def do_nothing() -> None:
        pass

    def delete_one() -> None:
        delete_record(record=in_first[0], actor=build_admin_actor())

    def change_and_create() -> None:
        change(in_first[1], external_id="X-1")
        StudyPersonFactory.create(site=None, study=first)

    def hide_one() -> None:
        change(in_first[2], study=second)

    def show_second() -> None:
        StudyAssignmentFactory.create(user=caller.user, study=second)

    def hide_first() -> None:
        delete_record(record=assignment, actor=build_admin_actor())

    def delete_hidden_and_seen() -> None:
        delete_record(record=in_second[0], actor=build_admin_actor())
        in_first[1].refresh_from_db()
        delete_record(record=in_first[1], actor=build_admin_actor())

    nights: list[tuple[Callable[[], None], int]] = [
        (do_nothing, 3),
        (do_nothing, 3),
        (delete_one, 2),
        (change_and_create, 3),
        (hide_one, 2),
        (show_second, 6),
        (hide_first, 4),
        (delete_hidden_and_seen, 3),
    ]
    for happens, records in nights:
        happens()
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        assert capsys.readouterr().out == f"{OBJECT}: {records} records after 1 pages\n"
        assert read_copy(path) == list_seen(caller), happens


def test_a_run_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    functions = runpy.run_path(str(EXAMPLE))
    copy = sqlite3.connect(tmp_path / "copy.sqlite3")
    pages = iter(
        [
            {"reset": True, "results": [_tell("a"), _tell("b")], "bookmark": "1", "more": False},
            {"reset": True, "results": [_tell("a")], "bookmark": "2", "more": True},
            ConnectionError("broken off"),
            {"reset": False, "results": [_tell("c")], "bookmark": "3", "more": False},
        ]
    )
    asked = []

    def ask(url: str, *, token: str) -> Any:
        asked.append(url)
        page = next(pages)
        if isinstance(page, Exception):
            raise page
        return page

    refresh = functions["refresh"]
    refresh.__globals__["ask"] = ask

    def list_copied() -> list[str]:
        return [uid for (uid,) in copy.execute("SELECT uid FROM record ORDER BY uid")]

    refresh("v", "x", copy=copy, token="t")
    assert list_copied() == ["a", "b"]
    with pytest.raises(ConnectionError):
        refresh("v", "x", copy=copy, token="t")
    assert list_copied() == ["a", "b"]
    refresh("v", "x", copy=copy, token="t")
    assert list_copied() == ["a", "c"]
    assert asked == [f"v/x/changes/{query}" for query in ("", "?since=1", "?since=2", "?since=2")]
    copy.close()


def _tell(uid: str) -> dict[str, Any]:
    return {"change": "present", "uid__sys": uid, "at": None, "by": None, "record": {"uid__sys": uid}}
