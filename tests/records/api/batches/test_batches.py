"""Up to 500 records in one request: a result for each row, and statements that do not grow with them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.erasure import erase_person
from ctms.clinical.models import Person, Study, StudySite
from ctms.configuration.models import ReasonRule
from ctms.records.api.batches.planning import BatchPlanner, PlannedRow
from ctms.records.models import KeptAnswer
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller, list_errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def create(**values: Any) -> dict[str, Any]:
    return {"operation": "create", "values": values}


def create_person(name: str, **values: Any) -> dict[str, Any]:
    return create(last_name__sys=name, object_type__v="person__v", **values)


def change(record: Any, *, version: Any = "*", **values: Any) -> dict[str, Any]:
    return {"operation": "change", "key": {"uid__sys": str(record.uid)}, "version": version, "values": values}


def delete(record: Any, *, version: Any = "*") -> dict[str, Any]:
    return {"operation": "delete", "key": {"uid__sys": str(record.uid)}, "version": version}


def upsert(key: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"operation": "upsert", "key": key, "values": values}


def send(caller: Caller, object_name: str, *rows: Any, **switches: bool) -> dict[str, Any]:
    response = caller.post(f"{object_name}/batch/", {"rows": list(rows), **switches})
    assert response.status_code == 200, response.json()
    answer: dict[str, Any] = response.json()
    assert [each["row"] for each in answer["results"]] == list(range(len(rows)))
    return answer


def read_results(answer: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    """Return outcome, status and code of each row."""
    return [
        (each["outcome"], each["status"], each["problem"]["code"] if each["problem"] else None)
        for each in answer["results"]
    ]


def test_rows_are_created_changed_and_deleted_and_each_has_its_result(caller: Caller) -> None:
    one, two, three = PersonFactory.create_batch(3)
    answer = send(
        caller,
        "person__sys",
        create_person("Doe", email__sys="doe@example.org"),
        change(one, version=1, last_name__sys="Changed"),
        change(two, last_name__sys=two.last_name),
        delete(three, version=1),
        create_person(""),
        {"operation": "change", "key": {"uid__sys": str(uuid.uuid4())}, "version": 1, "values": {}},
    )
    assert read_results(answer) == [
        ("created", 201, None),
        ("changed", 200, None),
        ("unchanged", 200, None),
        ("deleted", 204, None),
        ("refused", 400, "invalid"),
        ("refused", 404, "not-found"),
    ]
    assert answer["is_saved"]
    assert answer["counts"] == {"created": 1, "changed": 1, "unchanged": 1, "deleted": 1, "refused": 2}
    created = Person.objects.get(last_name="Doe")
    results = answer["results"]
    assert [(each["uid__sys"], each["version"]) for each in results[:3]] == [
        (str(created.uid), 1),
        (str(one.uid), 2),
        (str(two.uid), 1),
    ]
    assert {each["field"] for each in results[4]["problem"]["errors"]} == {"last_name__sys"}
    entries = AuditEntry.objects.filter(source="api")
    assert (entries.count(), entries.values("reference").distinct().count()) == (3, 1)


def test_all_or_none_writes_nothing_if_one_row_is_refused(caller: Caller) -> None:
    person = PersonFactory.create()
    event = MonitoringEventFactory.create()
    answer = send(caller, "person__sys", create_person("Doe"), create_person(""), delete(person), all_or_none=True)
    assert read_results(answer) == [
        ("not_written", 424, None),
        ("refused", 400, "invalid"),
        ("not_written", 424, None),
    ]
    assert (answer["is_saved"], Person.objects.filter(pk=person.pk).exists()) == (False, True)
    # A deletion is refused by what is found while it is done: what was written before it is taken back.
    rows = [change(event.study, sponsor__v="Acme"), delete(event.study)]
    assert send(caller, "study__v", rows[0], all_or_none=True)["is_saved"]
    other = StudyFactory.create()
    answer = send(caller, "study__v", change(other, sponsor__v="Acme"), rows[1], all_or_none=True)
    assert read_results(answer) == [("not_written", 424, None), ("refused", 409, "in-use")]
    other.refresh_from_db()
    assert (other.sponsor, other.version) == ("", 1)


def test_a_dry_run_says_what_would_be_and_writes_nothing(caller: Caller) -> None:
    one, two = PersonFactory.create_batch(2)
    number = AuditEntry.objects.count()
    rows = [create_person("Doe"), change(one, last_name__sys="X"), delete(two), create_person("")]
    answer = send(caller, "person__sys", *rows, dry_run=True)
    assert [each[0] for each in read_results(answer)] == ["created", "changed", "deleted", "refused"]
    assert (answer["is_saved"], answer["results"][0]["uid__sys"]) == (False, None)
    assert (Person.objects.count(), AuditEntry.objects.count()) == (2, number)


def test_an_upsert_creates_what_is_not_there_and_changes_what_is(caller: Caller) -> None:
    person = PersonFactory.create(external_id="HCP-1")
    values = {"last_name__sys": "Doe", "object_type__v": "person__v"}
    rows = [upsert({"external_id__v": f"HCP-{number}"}, **values) for number in (1, 2)]
    assert [each[0] for each in read_results(send(caller, "person__sys", *rows))] == ["changed", "created"]
    assert set(Person.objects.values_list("external_id", "last_name")) == {("HCP-1", "Doe"), ("HCP-2", "Doe")}
    again = send(caller, "person__sys", *rows)
    assert [(each["outcome"], each["version"]) for each in again["results"]] == [("unchanged", 2), ("unchanged", 1)]
    uid = str(uuid.uuid4())
    answer = send(caller, "person__sys", upsert({"uid__sys": uid}, **values), upsert({"uid__sys": str(person.uid)}))
    assert [(each["outcome"], each["uid__sys"]) for each in answer["results"]] == [
        ("created", uid),
        ("unchanged", str(person.uid)),
    ]


def test_a_site_is_found_by_study_and_number(caller: Caller) -> None:
    country = StudyCountryFactory.create()
    study = country.study
    body = {"study_country__v": str(country.uid), "site_name__v": "Hospital"}
    keys: list[dict[str, Any]] = [
        {"study__v": {"name__v": study.name}, "name__v": "101"},
        {"study__v": str(study.uid), "name__v": "102"},
        {"study__v": {"name__v": "no such study"}, "name__v": "101"},
    ]
    answer = send(caller, "site__v", *[upsert(key, **body) for key in keys])
    assert [each[0] for each in read_results(answer)] == ["created", "created", "refused"]
    assert set(StudySite.objects.values_list("study__name", "name")) == {(study.name, "101"), (study.name, "102")}
    answer = send(caller, "site__v", *[upsert(key, city__v="Bonn") for key in keys[:2]])
    assert [each[0] for each in read_results(answer)] == ["changed", "changed"]


def test_references_are_named_by_keys(caller: Caller) -> None:
    person = PersonFactory.create(external_id="HCP-1")
    PersonFactory.create(external_id="HCP-2", status="inactive__v")
    PersonFactory.create_batch(2, email="same@example.org")
    body = {"date__v": "2026-03-02", "channel__v": "phone__v"}
    keys = [{"external_id__v": "HCP-1"}, {"external_id__v": "HCP-2"}, {"email__sys": "same@example.org"}, {"x": "1"}]
    answer = send(caller, "crm_activity__v", *[create(person__v=key, **body) for key in keys])
    assert read_results(answer) == [("created", 201, None), *[("refused", 400, "invalid")] * 3]
    errors = [each["problem"]["errors"] for each in answer["results"][1:]]
    assert [(each[0]["field"], each[0].get("code")) for each in errors] == [
        ("person__v", None),
        ("person__v", "ambiguous"),
        ("person__v", None),
    ]
    single = caller.post("crm_activity__v/", {"person__v": {"external_id__v": "HCP-1"}, **body})
    assert single.json()["person__v"]["uid__sys"] == str(person.uid)
    refused = caller.post("crm_activity__v/", {"person__v": {"external_id__v": "HCP-2"}, **body})
    assert "HCP-2" in list_errors(refused)["person__v"]


def test_a_key_of_several_records_is_ambiguous(caller: Caller) -> None:
    PersonFactory.create_batch(2, person_identifier="7")
    answer = send(caller, "person__sys", upsert({"person_identifier__v": "7"}), upsert({"colour": "red"}))
    assert read_results(answer) == [("refused", 409, "ambiguous"), ("refused", 400, "invalid")]


def test_rows_of_one_batch_that_are_about_the_same_record_are_refused(caller: Caller) -> None:
    person, uid = PersonFactory.create(external_id="HCP-1"), str(uuid.uuid4())
    answer = send(
        caller,
        "person__sys",
        change(person, last_name__sys="One"),
        upsert({"external_id__v": "HCP-1"}, last_name__sys="Two"),
        create_person("Doe", uid__sys=uid),
        create_person("Roe", uid__sys=uid),
        create_person("Doe", external_id__v="HCP-2"),
        create_person("Roe", external_id__v="HCP-2"),
        upsert({"external_id__v": "HCP-3"}, last_name__sys="Doe", object_type__v="person__v"),
        upsert({"external_id__v": "HCP-3"}, last_name__sys="Roe", object_type__v="person__v"),
    )
    assert [each[2] for each in read_results(answer)] == [
        None,
        "duplicate-row",
        None,
        "duplicate-row",
        None,
        "key-taken",
        None,
        "duplicate-row",
    ]
    assert set(Person.objects.values_list("last_name", flat=True)) == {"One", "Doe"}


def test_conflicts_are_those_of_single_requests(caller: Caller) -> None:
    there = PersonFactory.create(external_id="HCP-1", last_name="Doe", first_name="", object_type="person__v")
    deleted = PersonFactory.create()
    uid = str(deleted.uid)
    delete_record(record=deleted, actor=build_admin_actor())
    answer = send(
        caller,
        "person__sys",
        create_person("Doe", uid__sys=str(there.uid)),
        create_person("Roe", uid__sys=str(there.uid)),
        create_person("Roe", external_id__v="HCP-1"),
        create_person("Roe", uid__sys=uid),
        create_person("Roe", uid__sys=str(StudyFactory.create().uid)),
        change(there, version=7, last_name__sys="X"),
    )
    assert read_results(answer) == [
        ("refused", 409, "already-created"),
        ("refused", 409, "duplicate-row"),
        ("refused", 409, "key-taken"),
        ("refused", 409, "uid-deleted"),
        ("refused", 409, "key-taken"),
        ("refused", 412, "stale-version"),
    ]
    address = f"/api/v1/person__sys/{there.uid}/"
    assert [each["problem"].get("existing") for each in answer["results"]] == [address, None, address, None, None, None]
    unversioned = {"operation": "change", "key": {"external_id__v": "HCP-1"}, "values": {}}
    assert read_results(send(caller, "person__sys", unversioned)) == [("refused", 428, "version-required")]


def test_rights_are_those_of_each_row() -> None:
    reader = build_limited_caller("crm_activity__v:read", "crm_activity__v:edit", "person__sys:read")
    own, medical = ActivityFactory.create(), MedicalActivityFactory.create()
    body = {"person__v": str(own.person.uid), "date__v": "2026-03-02", "channel__v": "phone__v"}
    answer = send(
        reader,
        "crm_activity__v",
        change(own, subject__v="New"),
        change(medical, subject__v="New"),
        delete(own),
        create(**body),
    )
    assert read_results(answer) == [("changed", 200, None), *[("refused", 403, "not-allowed")] * 3]
    assert build_limited_caller("study__v:read").post("person__sys/batch/", {"rows": [create()]}).status_code == 403


@pytest.mark.usefixtures("stopped_clock")
def test_what_is_hidden_is_missing() -> None:
    hidden = StudySiteFactory.create(external_id="S-1")
    everything = [
        f"{name}:{action}" for name in ("study__v", "site__v") for action in ("read", "create", "edit", "delete")
    ]
    limited = build_limited_caller(*everything, "study_country__v:read", sees_all_studies=False)
    StudyAssignmentFactory.create(user=limited.user)

    def tell(uid: str, text: str, study: str) -> Any:
        rows = [
            {"operation": "change", "key": {"uid__sys": uid}, "version": 1, "values": {"city__v": "Bonn"}},
            {"operation": "delete", "key": {"external_id__v": text}, "version": 1},
            {"operation": "change", "key": {"study__v": study, "name__v": text}, "version": 1, "values": {}},
            create(study__v={"name__v": text}, name__v="1"),
        ]
        with CaptureQueriesContext(connection) as statements:
            answer = send(limited, "site__v", *rows)
        shown = str(answer).replace(uid, "UID").replace(text, "TEXT").replace(study, "STUDY")
        return shown, len(statements)

    tell(str(uuid.uuid4()), "S-3", str(uuid.uuid4()))  # what is read once in a process
    there = tell(str(hidden.uid), "S-1", str(hidden.study.uid))
    assert there == tell(str(uuid.uuid4()), "S-2", str(uuid.uuid4()))
    assert "not-found" in there[0]


def test_unusual_values_are_confirmed_row_by_row(caller: Caller) -> None:
    body = {"person__v": str(PersonFactory.create().uid), "channel__v": "phone__v", "date__v": "2099-01-01"}
    answer = send(caller, "crm_activity__v", create(**body), create(**body, confirmed__sys=["date__v"]))
    assert read_results(answer) == [("refused", 400, "unconfirmed"), ("created", 201, None)]
    assert answer["results"][0]["problem"]["errors"][0]["field"] == "date__v"


def test_a_reason_is_asked_for_where_an_admin_asks(caller: Caller) -> None:
    save_record(record=ReasonRule(of_object="site__v", field_name="city__v"), actor=build_admin_actor())
    one, two = StudySiteFactory.create_batch(2, city="Berlin")
    rows = [change(one, city__v="Bonn"), change(two, site_name__v="Other"), change(two, city__v="Bonn")]
    answer = send(caller, "site__v", *rows[:2])
    assert read_results(answer) == [("refused", 400, "reason-required"), ("changed", 200, None)]
    response = caller.client.post(
        "/api/v1/site__v/batch/", {"rows": rows[::2]}, headers={"X-Change-Reason": "Moved%20to%20Bonn"}
    )
    assert [each["outcome"] for each in response.json()["results"]] == ["changed", "changed"]
    assert AuditEntry.objects.filter(record_uid=one.uid).latest("id").reason == "Moved to Bonn"


def test_a_batch_sent_again_under_its_key_is_answered_as_before(caller: Caller) -> None:
    body = {"rows": [create_person("Doe"), create_person("")]}

    def push(rows: Any) -> Any:
        return caller.client.post("/api/v1/person__sys/batch/", rows, headers={"Idempotency-Key": "k-1"})

    first, again = push(body), push(body)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert Person.objects.count() == 1
    assert push({"rows": [create_person("Roe")]}).status_code == 422


def test_an_erasure_cleans_what_a_kept_answer_quotes(caller: Caller) -> None:
    person = PersonFactory.create(external_id="HCP-000688", status="inactive__v")
    body = {"date__v": "2026-03-02", "channel__v": "phone__v"}
    rows = [
        create(person__v=str(PersonFactory.create().uid), **body),
        create(person__v={"external_id__v": "HCP-000688"}, **body),
    ]
    caller.client.post("/api/v1/crm_activity__v/batch/", {"rows": rows}, headers={"Idempotency-Key": "k-1"})
    assert "HCP-000688" in str(KeptAnswer.objects.get().results)
    erase_person(person=person, actor=build_admin_actor(), reason="Asked for by letter")
    assert "HCP-000688" not in str(KeptAnswer.objects.get().results)


def test_a_batch_that_wrote_nothing_leaves_its_key(caller: Caller) -> None:
    for switches in ({"dry_run": True}, {"all_or_none": True}):
        body = {"rows": [create_person("Doe"), create_person("")], **switches}
        caller.client.post("/api/v1/person__sys/batch/", body, headers={"Idempotency-Key": "k-1"})
        assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ({}, "rows"),
        ({"rows": []}, "rows"),
        ({"rows": "x"}, "rows"),
        ({"rows": [7]}, "rows[0]"),
        ({"rows": [{"operation": "drop"}]}, "rows[0].operation"),
        ({"rows": [create(), {"operation": "create"}]}, "rows[1].values"),
        ({"rows": [create() | {"key": {}}]}, "rows[0].key"),
        ({"rows": [create() | {"colour": 1}]}, "rows[0].colour"),
        ({"rows": [{"operation": "delete", "key": {}, "version": "1"}]}, "rows[0].version"),
        ({"rows": [{"operation": "delete", "key": {}, "version": True}]}, "rows[0].version"),
        ({"rows": [{"operation": "delete", "key": 7}]}, "rows[0].key"),
        ({"rows": [create()], "dry_run": "yes"}, "dry_run"),
        ({"rows": [create()], "mode": 1}, "mode"),
    ],
)
def test_a_body_of_another_shape_is_refused_as_a_whole(caller: Caller, body: Any, field: str) -> None:
    response = caller.post("person__sys/batch/", body)
    assert (response.status_code, list(list_errors(response))) == (400, [field])


def test_a_batch_has_at_most_500_rows(caller: Caller) -> None:
    response = caller.post("person__sys/batch/", {"rows": [create()] * 501})
    assert (response.status_code, response.json()["code"]) == (413, "too-large")


def count_statements(caller: Caller, object_name: str, rows: list[Any]) -> int:
    with CaptureQueriesContext(connection) as statements:
        answer = send(caller, object_name, *rows)
    assert not {"refused", "not_written"} & answer["counts"].keys(), answer
    return len(statements)


@pytest.mark.usefixtures("stopped_clock")
def test_statements_do_not_grow_with_the_rows(caller: Caller) -> None:
    add_custom_field(kind="text", is_unique=True)
    add_custom_field(kind="reference", reference_object="person__sys")
    friend = PersonFactory.create(external_id="HCP-0")
    site = StudySiteFactory.create(external_id="S-1")

    def build_people(start: int, stop: int) -> list[Any]:
        return [
            upsert(
                {"external_id__v": f"P-{number}"},
                last_name__sys=f"Doe {number}",
                object_type__v="person__v",
                email__sys=f"doe.{number}@example.org",
                text__c=f"T-{number}",
                reference__c={"external_id__v": friend.external_id},
            )
            for number in range(start, stop)
        ]

    def build_activities(number: int) -> list[Any]:
        body = {"date__v": "2026-03-02", "channel__v": "phone__v", "site__v": {"external_id__v": site.external_id}}
        return [create(person__v={"external_id__v": f"P-{each}"}, **body) for each in range(number)]

    send(caller, "person__sys", *build_people(1000, 1001))  # what is read once in a process
    created = [count_statements(caller, "person__sys", build_people(*span)) for span in ((0, 5), (5, 45))]
    assert created[0] == created[1]
    for row_count in (5, 40):
        rows = [each | {"values": {"phone__v": "+49 228 1"}} for each in build_people(0, row_count)]
        created.append(count_statements(caller, "person__sys", rows))
        Person.objects.filter(phone__gt="").count()
        send(caller, "person__sys", *[each | {"values": {"phone__v": ""}} for each in build_people(0, row_count)])
    assert created[2] == created[3]
    activities = [count_statements(caller, "crm_activity__v", build_activities(number)) for number in (5, 40)]
    assert activities[0] == activities[1]


@pytest.mark.usefixtures("stopped_clock")
def test_refused_rows_take_no_statements_of_their_own(caller: Caller) -> None:
    people = PersonFactory.create_batch(40)

    def count(number: int) -> int:
        rows = [create_person("Doe", uid__sys=str(each.uid)) for each in people[:number]]
        with CaptureQueriesContext(connection) as statements:
            send(caller, "person__sys", *rows)
        return len(statements)

    count(1)
    assert count(5) == count(40)


def test_what_others_wrote_meanwhile_is_planned_again(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first attempt meets a record that was changed after it was read."""
    study = StudyFactory.create()
    plan, attempts = BatchPlanner.plan, list[int]()

    def plan_early(planner: BatchPlanner) -> list[PlannedRow]:
        rows = plan(planner)
        attempts.append(1)
        if len(attempts) == 1:
            stored = Study.objects.get(pk=study.pk)
            stored.sponsor = "Other"
            save_record(record=stored, actor=build_admin_actor())
        return rows

    monkeypatch.setattr(BatchPlanner, "plan", plan_early)
    answer = send(caller, "study__v", change(study, version=1, study_name__v="New"), create(name__v="S-9"))
    assert read_results(answer) == [("refused", 412, "stale-version"), ("created", 201, None)]
    assert len(attempts) == 2
