"""A request with an Idempotency-Key is done once, however often it is sent."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from ctms.accounts.models import SecurityProfile
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person, Study
from ctms.core.clock import get_now
from ctms.records.models import KeptAnswer
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory
from tests.housekeeping import keep_house
from tests.records.api.conftest import Caller, build_caller, build_limited_caller, list_errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PERSON = {"last_name__sys": "Doe", "object_type__v": "person__v"}


def send(caller: Caller, method: str, path: str, body: Any = None, *, key: str, etag: str = "*") -> Any:
    headers = {"Idempotency-Key": key, "If-Match": etag}
    return getattr(caller.client, method)(f"/api/v1/{path}", body, headers=headers)


def test_a_creation_sent_again_is_answered_as_before_and_creates_nothing(caller: Caller) -> None:
    first = send(caller, "post", "person__sys/", PERSON, key="k-1")
    again = send(caller, "post", "person__sys/", dict(reversed(PERSON.items())), key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert [again.headers[name] for name in ("ETag", "Location")] == [first.headers[n] for n in ("ETag", "Location")]
    assert (again.headers["Idempotency-Replayed"], "Idempotency-Replayed" in first.headers) == ("true", False)
    assert Person.objects.count() == 1


def test_a_change_and_a_deletion_sent_again_are_no_conflicts(caller: Caller) -> None:
    study = StudyFactory.create()
    path = f"study__v/{study.uid}/"
    answers = [send(caller, "patch", path, {"sponsor__v": "Acme"}, key="k-1", etag='"1"') for _ in range(2)]
    assert [(each.status_code, each.json()["version"]) for each in answers] == [(200, 2), (200, 2)]
    assert [send(caller, "delete", path, key="k-2", etag='"2"').status_code for _ in range(2)] == [204, 204]
    assert AuditEntry.objects.filter(record_uid=study.uid).count() == 3


def test_another_request_under_the_same_key_is_refused(caller: Caller) -> None:
    study = StudyFactory.create()
    send(caller, "post", "person__sys/", PERSON, key="k-1")
    others = [
        send(caller, "post", "person__sys/", PERSON | {"last_name__sys": "Roe"}, key="k-1"),
        send(caller, "post", "study__v/", PERSON, key="k-1"),
        send(caller, "delete", f"study__v/{study.uid}/", key="k-1"),
    ]
    assert {(each.status_code, each.json()["code"]) for each in others} == {(422, "idempotency-key-reused")}
    assert (Person.objects.count(), Study.objects.count()) == (1, 1)


def test_a_refused_request_leaves_its_key_to_be_used_again(caller: Caller) -> None:
    assert send(caller, "post", "person__sys/", {"last_name__sys": "Doe"}, key="k-1").status_code == 400
    assert not KeptAnswer.objects.exists()
    assert send(caller, "post", "person__sys/", PERSON, key="k-1").status_code == 201


def test_a_key_belongs_to_its_user(caller: Caller) -> None:
    other = build_caller(UserFactory.create(is_superuser=True))
    for each in (caller, other):
        assert send(each, "post", "person__sys/", PERSON, key="k-1").status_code == 201
    assert Person.objects.count() == 2


def permit(caller: Caller, permission: str) -> None:
    profile = SecurityProfile.objects.get(users=caller.user)
    profile.permissions = [permission]
    save_record(record=profile, actor=build_admin_actor())


def test_an_answer_is_given_again_as_far_as_the_record_is_still_seen() -> None:
    limited = build_limited_caller("person__sys:read", "person__sys:create")
    first = send(limited, "post", "person__sys/", PERSON, key="k-1")
    assert first.status_code == 201
    person = Person.objects.get()
    permit(limited, "study__v:read")
    assert send(limited, "post", "person__sys/", PERSON, key="k-1").status_code == 403
    permit(limited, "person__sys:read")
    assert send(limited, "post", "person__sys/", PERSON, key="k-1").status_code == 201
    delete_record(record=person, actor=build_admin_actor())
    assert send(limited, "post", "person__sys/", PERSON, key="k-1").status_code == 404


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "schlüssel"])
def test_a_key_that_cannot_be_kept_is_refused(caller: Caller, key: str) -> None:
    response = caller.client.post("/api/v1/person__sys/", PERSON, HTTP_IDEMPOTENCY_KEY=key)
    assert list(list_errors(response)) == ["Idempotency-Key"]
    assert Person.objects.count() == 0


def test_nothing_that_was_sent_is_kept_but_a_digest(caller: Caller) -> None:
    send(caller, "post", "person__sys/", PERSON, key="k-1")
    kept = KeptAnswer.objects.get()
    assert (kept.status, kept.record_uid, kept.results) == (201, Person.objects.get().uid, None)
    assert "Doe" not in str([getattr(kept, each.attname) for each in kept._meta.concrete_fields])


def test_housekeeping_deletes_answers_of_days_ago(caller: Caller) -> None:
    with time_machine.travel(get_now() - timedelta(days=3), tick=False):
        KeptAnswer.objects.create(user=caller.user, key="old", digest="x")
    KeptAnswer.objects.create(user=caller.user, key="new", digest="x")
    keep_house()
    assert [each.key for each in KeptAnswer.objects.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_the_second_waits_and_is_answered_as_the_first() -> None:
    caller = build_caller(UserFactory.create(is_superuser=True))
    uid, together = str(uuid.uuid4()), threading.Barrier(2)
    answers: list[Any] = []

    def run() -> None:
        try:
            together.wait(60)
            answers.append(send(caller, "post", "person__sys/", PERSON | {"uid__sys": uid}, key="k-1"))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert [each.status_code for each in answers] == [201, 201]
    assert sorted("Idempotency-Replayed" in each.headers for each in answers) == [False, True]
    assert Person.objects.count() == 1
