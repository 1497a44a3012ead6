"""The example `docs/examples/push_from_a_phone.py`: what was logged is saved once, and what is refused is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.models import Activity
from ctms.audit.models import AuditEntry
from ctms.records.models import KeptAnswer
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory
from tests.records.api.changes.feeds import change
from tests.records.api.conftest import Caller
from tests.records.api.examples.conftest import Run
from tests.records.api.examples.relay import Fate, Relay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

Phone = Callable[..., str]
VALUES = {"person__v": {"external_id__v": "HCP-1"}, "date__v": "2026-03-02", "channel__v": "phone__v"}


@pytest.fixture
def phone(run: Run, relay: Relay, caller: Caller, tmp_path: Path) -> Phone:
    """A phone with an outbox, whose person may do everything."""
    PersonFactory.create(external_id="HCP-1")

    def do(command: str, *arguments: Any, caller: Caller = caller) -> str:
        given = [json.dumps(each) if isinstance(each, dict) else each for each in arguments]
        given += [relay.url] if command == "push" else []
        return run("push_from_a_phone.py", tmp_path / "outbox.sqlite3", command, *given, caller=caller)

    return do


def test_an_answer_that_is_lost_makes_no_second_record(phone: Phone, relay: Relay) -> None:
    phone("log", VALUES)
    relay.fates.extend([Fate.LOST, Fate.ANSWER_LOST, Fate.ANSWER_LOST])
    for records in (0, 1, 1):
        assert phone("push") == "0 done, 1 waiting, 0 refused\n"
        assert Activity.objects.count() == records
    assert phone("push") == phone("push") == "1 done, 0 waiting, 0 refused\n"
    assert (Activity.objects.count(), len(relay.requests)) == (1, 4)


def test_what_was_saved_is_known_after_the_key_was_forgotten(phone: Phone, relay: Relay) -> None:
    phone("log", VALUES)
    relay.fates.append(Fate.ANSWER_LOST)
    phone("push")
    KeptAnswer.objects.all().delete()
    assert phone("push") == "1 done, 0 waiting, 0 refused\n"
    assert Activity.objects.count() == 1


def test_other_values_under_the_uid_of_a_record_are_shown_to_the_person(phone: Phone, relay: Relay) -> None:
    phone("log", VALUES)
    relay.fates.append(Fate.ANSWER_LOST)
    phone("push")
    phone("correct", 1, VALUES | {"channel__v": "video__v"})
    said = phone("push")
    assert said.startswith("0 done, 0 waiting, 1 refused\n1: other-values ")
    assert said.endswith(f"/api/v1/crm_activity__v/{Activity.objects.get().uid}/\n")
    assert Activity.objects.get().channel == "phone__v"


def test_a_key_that_another_record_has_is_shown_and_corrected(phone: Phone) -> None:
    ActivityFactory.create(external_id="A-1")
    phone("log", VALUES | {"external_id__v": "A-1"})
    phone("log", VALUES)
    said = phone("push")
    assert said.startswith("1 done, 0 waiting, 1 refused\n1: key-taken ")
    assert phone("push") == said
    phone("correct", 1, VALUES | {"external_id__v": "A-2"})
    assert phone("push") == "2 done, 0 waiting, 0 refused\n"
    assert set(Activity.objects.values_list("external_id", flat=True)) >= {"A-1", "A-2"}


def test_what_is_wrong_is_named_and_can_be_dropped(phone: Phone) -> None:
    phone("log", VALUES | {"channel__v": "pigeon__v"})
    phone("log", VALUES | {"date__v": "2099-01-01"})
    lines = phone("push").splitlines()
    assert lines[0] == "0 done, 0 waiting, 2 refused"
    assert [line.split(" ")[:2] for line in lines[1:]] == [["1:", "invalid"], ["2:", "unconfirmed"]]
    assert ("channel__v: " in lines[1], "date__v: " in lines[2]) == (True, True)
    assert phone("drop", 1).startswith("0 done, 0 waiting, 1 refused\n2: ")


def test_a_change_is_made_once_and_a_stale_one_shown(phone: Phone, relay: Relay) -> None:
    activity = ActivityFactory.create(subject="")
    phone("change", str(activity.uid), '"1"', {"subject__v": "Dose"})
    relay.fates.append(Fate.ANSWER_LOST)
    assert phone("push") == "0 done, 1 waiting, 0 refused\n"
    assert phone("push") == "1 done, 0 waiting, 0 refused\n"
    activity.refresh_from_db()
    assert (activity.subject, activity.version) == ("Dose", 2)
    change(activity, subject="Of somebody else")
    phone("change", str(activity.uid), '"2"', {"subject__v": "Mine"})
    phone("change", str(activity.uid), '"2"', {"subject__v": "Mine, later"})
    assert phone("push").startswith("1 done, 1 waiting, 1 refused\n2: stale-version ")
    activity.refresh_from_db()
    assert activity.subject == "Of somebody else"
    assert AuditEntry.objects.filter(source="api", record_uid=activity.uid).count() == 1


def test_what_says_nothing_about_an_entry_leaves_it_waiting(phone: Phone, relay: Relay, caller: Caller) -> None:
    phone("log", VALUES)
    phone("log", VALUES)
    relay.fates.append(Fate.LOG_IN_PAGE)
    assert phone("push") == "0 done, 2 waiting, 0 refused\n"
    assert (
        phone("push", caller=replace(caller, authorization="Bearer vault_unknown")) == "0 done, 2 waiting, 0 refused\n"
    )
    assert len(relay.requests) == 2
    relay.fates.append(Fate.FAULT)
    assert phone("push") == "1 done, 1 waiting, 0 refused\n"
    assert phone("push") == "2 done, 0 waiting, 0 refused\n"
