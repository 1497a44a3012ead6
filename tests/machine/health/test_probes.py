"""What load balancers are told, and that nothing else has a say before."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from django.test import Client

from ctms.machine.health.probes import QUESTIONS, Answer, Question, ask_all


def test_a_process_is_alive_without_database_and_session(client: Client) -> None:
    response = client.get("/livez", headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.json(), response.cookies) == (200, {"status": "alive"}, {})
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_vault_is_ready_whatever_host_and_scheme_it_is_asked_by(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    # A busy machine may take longer than a probe has to import all migrations for the first time.
    monkeypatch.setattr("ctms.machine.health.middleware.ask_all", partial(ask_all, limit=60))
    response = client.get("/readyz", headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ready", "checks": {"database": "ok", "migrations": "ok", "redis": "ok"}},
    )


@pytest.mark.parametrize(
    ("name", "status"),
    [("database", 503), ("migrations", 503), ("redis", 200)],
    ids=["database", "migrations", "redis"],
)
def test_pages_need_the_database_and_not_redis(
    name: str, status: int, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in QUESTIONS:
        answer = Answer.FAILS if each == name else Answer.OK
        monkeypatch.setitem(QUESTIONS, each, Question(partial(Answer, answer)))
    assert client.get("/readyz").status_code == status


def test_a_probe_changes_nothing(client: Client) -> None:
    assert client.post("/livez").status_code == 405


def test_what_hangs_is_told_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release, asked = threading.Event(), threading.Event(), []

    def hang() -> Answer:
        asked.append(1)
        begun.set()
        release.wait()
        return Answer.OK

    monkeypatch.setitem(QUESTIONS, "redis", Question(hang))
    QUESTIONS["redis"].start()
    assert begun.wait(60)
    answers = [ask_all(("redis",), limit=0.05)["redis"] for _ in range(3)]
    assert (answers, len(asked)) == ([Answer.HANGS] * 3, 1)
    release.set()
    QUESTIONS["redis"].start().thread.join(60)
    assert ask_all(("redis",), limit=60)["redis"] is Answer.OK


def test_a_fault_that_nobody_foresaw_is_a_failure() -> None:
    def fail() -> Answer:
        raise RuntimeError("canary")

    asking = Question(fail).start()
    asking.thread.join(60)
    assert asking.answer is Answer.FAILS
