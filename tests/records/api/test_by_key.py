"""Records are found by keys in the address; what is hidden is missing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller, list_errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def find(caller: Caller, object_name: str, **key: str) -> Any:
    return caller.get(f"{object_name}/by-key/", **{name.replace("___", "."): value for name, value in key.items()})


def test_a_record_is_found_as_it_is_read_by_its_uid(caller: Caller) -> None:
    person = PersonFactory.create(external_id="HCP-1", person_identifier="1043-7", email="doe@example.org")
    PersonFactory.create(external_id="HCP-2", person_identifier="1043-8")
    read = caller.get(f"person__sys/{person.uid}/")
    for key in (
        {"external_id__v": "HCP-1"},
        {"person_identifier__v": "1043-7"},
        {"email__sys": "doe@example.org"},
        {"uid__sys": str(person.uid)},
    ):
        found = find(caller, "person__sys", **key)
        assert (found.status_code, found.json(), found.headers["ETag"]) == (200, read.json(), read.headers["ETag"])
        assert found.headers["Content-Location"] == f"/api/v1/person__sys/{person.uid}/"


def test_a_site_is_found_by_study_and_number(caller: Caller) -> None:
    site = StudySiteFactory.create(name="101")
    StudySiteFactory.create(name="101")
    for key in ({"study__v___name__v": site.study.name}, {"study__v": str(site.study.uid)}):
        found = find(caller, "site__v", name__v="101", **key)
        assert (found.status_code, found.json()["uid__sys"]) == (200, str(site.uid))


def test_a_unique_custom_field_is_a_key(caller: Caller) -> None:
    name = add_custom_field(kind="text", is_unique=True)
    created = caller.post("person__sys/", {"last_name__sys": "Doe", "object_type__v": "person__v", name: "T-1"})
    assert find(caller, "person__sys", **{name: "T-1"}).json() == created.json()
    assert find(caller, "person__sys", **{name: "T-2"}).status_code == 404


def test_a_key_of_several_records_is_ambiguous(caller: Caller) -> None:
    PersonFactory.create_batch(2, person_identifier="7")
    refused = find(caller, "person__sys", person_identifier__v="7")
    assert (refused.status_code, refused.json()["code"]) == (409, "ambiguous")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", [""]),
        ("name__v=101", [""]),
        ("study__v=x&name__v=101", [""]),
        ("study__v.name__v=S-1", [""]),
        ("external_id__v=", [""]),
        ("external_id__v=a&external_id__v=b", ["external_id__v"]),
        ("external_id__v=a&colour=red", ["colour"]),
        ("external_id__v=a&size=1", ["size"]),
        ("study__v=x&study__v.name__v=S-1&name__v=101", ["study__v"]),
    ],
)
def test_what_is_no_key_is_refused(caller: Caller, query: str, names: list[str]) -> None:
    response = caller.client.get(f"/api/v1/site__v/by-key/?{query}")
    assert (response.status_code, response.json()["code"], list(list_errors(response))) == (
        400,
        "invalid-parameters",
        names,
    )


@pytest.mark.usefixtures("stopped_clock")
def test_what_is_hidden_is_missing() -> None:
    country = StudyCountryFactory.create(study=StudyFactory.create(name="S-1"))
    hidden = StudySiteFactory.create(external_id="S-1", name="S-1", study_country=country)
    limited = build_limited_caller("study__v:read", "site__v:read", sees_all_studies=False)
    StudyAssignmentFactory.create(user=limited.user)

    def tell(uid: str, text: str, study: str) -> list[Any]:
        keys: list[dict[str, str]] = [
            {"uid__sys": uid},
            {"external_id__v": text},
            {"study__v": study, "name__v": text},
            {"study__v___name__v": text, "name__v": text},
        ]
        told = []
        for key in keys:
            with CaptureQueriesContext(connection) as statements:
                answer = find(limited, "site__v", **key).json()
            answer.pop("request_id", None)
            told.append((answer, len(statements)))
        return told

    tell(str(uuid.uuid4()), "S-3", str(uuid.uuid4()))  # what is read once in a process
    there = tell(str(hidden.uid), "S-1", str(hidden.study.uid))
    assert there == tell(str(uuid.uuid4()), "S-2", str(uuid.uuid4()))
    assert [answer["status"] for answer, _ in there] == [404] * 4


def test_what_a_profile_does_not_read_is_refused() -> None:
    limited = build_limited_caller("study__v:read")
    assert find(limited, "person__sys", external_id__v="HCP-1").status_code == 403
