"""What stands against a request has a code, and the same conflict is the same refusal at every verb."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from ctms.audit.services import delete_record, save_record
from ctms.configuration.models import ReasonRule
from ctms.records.api.problems import PROBLEM_TYPES
from ctms.records.models import MergedRecord
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.imports import ROOT
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller

pytestmark = pytest.mark.django_db


def read_problem(response: Any) -> tuple[int, str, str | None, str | None]:
    """Return status, code, field and `existing` of a refusal."""
    body = response.json()
    assert body["type"] == f"/api/v1/problems/{body['code']}/"
    assert PROBLEM_TYPES[body["code"]].status == response.status_code
    return response.status_code, body["code"], body.get("field"), body.get("existing")


def test_a_creation_sent_again_is_told_apart_from_lost_data(caller: Caller) -> None:
    body = {"uid__sys": str(uuid.uuid4()), "name__v": "S-1", "sponsor__v": "Acme"}
    assert caller.post("study__v/", body).status_code == 201
    address = f"/api/v1/study__v/{body['uid__sys']}/"
    assert read_problem(caller.post("study__v/", body)) == (409, "already-created", "uid__sys", address)
    assert read_problem(caller.post("study__v/", body | {"sponsor__v": " Acme "}))[1] == "already-created"
    for other in ({"sponsor__v": "Other"}, {"sponsor__v": 7}, {"colour__c": "red"}):
        answer = read_problem(caller.post("study__v/", body | other))
        assert answer == (409, "other-values", "uid__sys", address), other


def test_an_external_id_that_another_record_has_is_refused_alike_at_every_verb(caller: Caller) -> None:
    taken, other = StudyFactory.create(external_id="E-1"), StudyFactory.create()
    expected = (409, "key-taken", "external_id__v", f"/api/v1/study__v/{taken.uid}/")
    assert read_problem(caller.post("study__v/", {"name__v": "S-9", "external_id__v": "E-1"})) == expected
    changed = caller.patch(f"study__v/{other.uid}/", {"external_id__v": "E-1"}, etag="*")
    assert read_problem(changed) == expected
    assert [(each["field"], each["code"]) for each in changed.json()["errors"]] == [("external_id__v", "taken")]
    same = {"name__v": taken.name, "external_id__v": "E-1"}
    assert read_problem(caller.post("study__v/", same))[1] == "already-created"


def test_a_name_and_a_unique_value_of_another_record_are_taken(caller: Caller) -> None:
    study = StudyFactory.create(name="AB-1")
    answer = read_problem(caller.post("study__v/", {"name__v": "ab-1"}))
    assert answer == (409, "key-taken", "name__v", f"/api/v1/study__v/{study.uid}/")
    name = add_custom_field(kind="text", is_unique=True)
    one, two = PersonFactory.create(), PersonFactory.create()
    assert caller.patch(f"person__sys/{one.uid}/", {name: "X"}, etag="*").status_code == 200
    answer = read_problem(caller.patch(f"person__sys/{two.uid}/", {name: "X"}, etag="*"))
    assert answer == (409, "key-taken", name, f"/api/v1/person__sys/{one.uid}/")


def test_what_is_wrong_beside_a_conflict_is_told_first(caller: Caller) -> None:
    study = StudyFactory.create(name="AB-1")
    other = StudyFactory.create()
    response = caller.patch(f"study__v/{other.uid}/", {"name__v": study.name, "external_id__v": "x" * 300}, etag="*")
    assert read_problem(response)[:2] == (400, "invalid")


def test_a_hidden_owner_is_not_named_at_any_verb() -> None:
    StudyFactory.create(name="AB-1", external_id="E-1")
    limited = build_limited_caller("study__v:read", "study__v:create", "study__v:edit", sees_all_studies=False)
    own = StudyAssignmentFactory.create(user=limited.user).study
    for body in ({"external_id__v": "E-1"}, {"name__v": "AB-1"}):
        expected = (409, "key-taken", *body, None)
        assert read_problem(limited.post("study__v/", {"name__v": "S-2"} | body)) == expected
        assert read_problem(limited.patch(f"study__v/{own.uid}/", body, etag="*")) == expected


def test_the_uid_of_a_deleted_record_is_told_to_who_sees_all(caller: Caller) -> None:
    study = StudyFactory.create()
    body = {"uid__sys": str(study.uid), "name__v": "S-2"}
    delete_record(record=study, actor=build_admin_actor())
    assert read_problem(caller.post("study__v/", body)) == (409, "uid-deleted", "uid__sys", None)
    assert read_problem(caller.post("person__sys/", body))[1] == "key-taken"
    limited = build_limited_caller("study__v:read", "study__v:create", sees_all_studies=False)
    assert read_problem(limited.post("study__v/", body)) == (409, "key-taken", "uid__sys", None)


def test_a_merged_record_is_merged_at_every_verb(caller: Caller) -> None:
    winner, loser = PersonFactory.create(), PersonFactory.create()
    uid = loser.uid
    delete_record(record=loser, actor=build_admin_actor())
    MergedRecord.objects.create(of_object="person__sys", record_uid=uid, into_uid=winner.uid)
    address = f"/api/v1/person__sys/{winner.uid}/"
    path = f"person__sys/{uid}/"
    answers = [
        caller.get(path),
        caller.patch(path, {}, etag="*"),
        caller.delete(path, etag="*"),
        caller.post("person__sys/", {"uid__sys": str(uid), "last_name__sys": "X", "object_type__v": "person__v"}),
    ]
    assert {read_problem(each) for each in answers} == {(410, "merged", None, address)}


def test_versions_reasons_and_references_have_codes(caller: Caller) -> None:
    site = StudySiteFactory.create()
    path = f"site__v/{site.uid}/"
    study = f"study__v/{site.study.uid}/"
    assert read_problem(caller.patch(path, {"city__v": "Bonn"}))[:2] == (428, "version-required")
    assert read_problem(caller.patch(path, {"city__v": "Bonn"}, etag='"7"'))[:2] == (412, "stale-version")
    assert read_problem(caller.delete(study, etag="*"))[:2] == (409, "in-use")
    rule = ReasonRule(of_object="site__v", field_name="city__v")
    save_record(record=rule, actor=build_admin_actor())
    assert read_problem(caller.patch(path, {"city__v": "Bonn"}, etag="*"))[:2] == (400, "reason-required")
    assert read_problem(caller.get("site__v/", nothing="1"))[:2] == (400, "invalid-parameters")
    assert read_problem(caller.get(f"site__v/{uuid.uuid4()}/"))[:2] == (404, "not-found")


def test_a_refusal_names_the_request(caller: Caller) -> None:
    response = caller.get(f"site__v/{uuid.uuid4()}/")
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_every_code_is_documented(client: Client) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z-]+)` \| \d", page, flags=re.MULTILINE))
    assert documented == set(PROBLEM_TYPES)
    client.force_login(UserFactory.create())
    every = client.get("/api/v1/problems/").content.decode()
    for code, each in PROBLEM_TYPES.items():
        one = client.get(each.url)
        assert (one.status_code, f'id="{code}"' in one.content.decode(), f'id="{code}"' in every) == (200, True, True)
    assert "The record is at <code>existing</code>." in every
    assert "`" not in every
    assert client.get("/api/v1/problems/nothing/").status_code == 404
