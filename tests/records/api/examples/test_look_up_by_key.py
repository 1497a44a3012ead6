"""The example `docs/examples/look_up_by_key.py`: it finds persons and sites, and says what stands against it."""

from __future__ import annotations

import json

import pytest

from tests.factories.clinical import PersonFactory, StudySiteFactory
from tests.records.api.conftest import Caller
from tests.records.api.examples.conftest import Run
from tests.records.api.examples.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = "look_up_by_key.py"


def test_records_are_found_by_their_keys_in_one_request_each(run: Run, relay: Relay, caller: Caller) -> None:
    person = PersonFactory.create(external_id="HCP 1/ä", person_identifier="1043-7")
    site = StudySiteFactory.create(name="101")
    for record, object_name, key in (
        (person, "person__sys", ["external_id__v=HCP 1/ä"]),
        (person, "person__sys", ["person_identifier__v=1043-7"]),
        (site, "site__v", [f"study__v.name__v={site.study.name}", "name__v=101"]),
    ):
        found = json.loads(run(PROGRAM, relay.url, object_name, *key, caller=caller))
        assert found["uid__sys"] == str(record.uid)
    assert len(relay.requests) == 3


def test_what_is_not_found_is_said(run: Run, relay: Relay, caller: Caller) -> None:
    PersonFactory.create_batch(2, person_identifier="7")
    for key, said in (
        ("external_id__v=HCP-1", "There is none"),
        ("person_identifier__v=7", "2 people that you see have this"),
        ("colour=red", "colour: This is no part of a key"),
    ):
        with pytest.raises(SystemExit, match=said):
            run(PROGRAM, relay.url, "person__sys", key, caller=caller)
