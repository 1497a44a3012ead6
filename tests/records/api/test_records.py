"""One record over the API: read, create, change, delete, whatever its object."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record
from ctms.clinical.models import Person, Study
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller, list_errors

pytestmark = pytest.mark.django_db


def refer_to(record: Any) -> dict[str, str]:
    return {"uid__sys": str(record.uid), "name__v": str(record)}


def test_a_record_has_all_fields_by_api_name_with_times_in_utc_and_references_by_uid_and_name(caller: Caller) -> None:
    site = StudySiteFactory.create(external_id="S-1")
    response = caller.get(f"site__v/{site.uid}/")
    created = site.created_at.isoformat().replace("+00:00", "Z")
    assert response.json() == {
        "uid__sys": str(site.uid),
        "name__v": site.name,
        "status__v": "active__v",
        "external_id__v": "S-1",
        "created_date__v": created,
        "created_by__v": refer_to(site.created_by),
        "modified_date__v": created,
        "modified_by__v": refer_to(site.created_by),
        "study__v": refer_to(site.study),
        "study_country__v": refer_to(site.study_country),
        "site_name__v": site.site_name,
        "principal_investigator__v": refer_to(site.principal_investigator),
        "state__v": "candidate_state__v",
        "city__v": None,
        "address_country__v": None,
        "send_to_crm__v": True,
        "ownerid__v": None,
        "last_contact__v": None,
        "next_contact__v": None,
        "overdue_since__v": None,
        "days_since_contact__v": None,
        "version": 1,
    }
    assert response.status_code == 200


@pytest.mark.parametrize("object_name", OBJECTS)
def test_what_was_read_can_be_sent_back_and_changes_nothing(caller: Caller, object_name: str) -> None:
    record = create_record(object_name)
    path = f"{object_name}/{record.uid}/"
    read = caller.get(path)
    written = caller.patch(path, read.json(), etag=read.headers["ETag"])
    assert (written.status_code, written.json(), written.headers["ETag"]) == (200, read.json(), read.headers["ETag"])
    assert AuditEntry.objects.filter(record_uid=record.uid).count() == 1


@pytest.mark.parametrize("object_name", OBJECTS)
def test_what_was_read_can_be_created_again_by_its_written_fields(caller: Caller, object_name: str) -> None:
    record = create_record(object_name)
    path = f"{object_name}/{record.uid}/"
    read = caller.get(path).json()
    [described] = [each for each in caller.get("objects/").json()["results"] if each["name"] == object_name]
    body = {field["name"]: read[field["name"]] for field in described["fields"] if not field["is_read_only"]}
    body["uid__sys"] = str(uuid.uuid4())
    assert caller.delete(path, etag='"1"').status_code == 204
    created = caller.post(f"{object_name}/", body)
    assert created.status_code == 201, created.json()
    again = created.json()
    assert {name: again[name] for name in body} == body
    assert created.headers["Location"] == f"/api/v1/{object_name}/{body['uid__sys']}/"


def test_an_activity_is_created_as_on_its_page_with_what_follows_from_site_and_author(caller: Caller) -> None:
    site, person = StudySiteFactory.create(), PersonFactory.create()
    response = caller.post(
        "crm_activity__v/",
        {
            "person__v": str(person.uid),
            "date__v": "2026-03-02",
            "channel__v": "phone__v",
            "site__v": str(site.uid),
            "subject__v": "Called",
        },
    )
    assert response.status_code == 201
    body = response.json()
    assert (body["study__v"], body["study_country__v"]) == (refer_to(site.study), refer_to(site.study_country))
    assert (body["from__v"], body["object_type__v"]) == (caller.user.display_contact, "clinical_activity__v")
    activity = Activity.objects.get(uid=body["uid__sys"])
    assert (activity.date, activity.person, activity.version) == (dt.date(2026, 3, 2), person, 1)
    entry = AuditEntry.objects.get(record_uid=activity.uid)
    assert (entry.source, entry.actor) == ("api", caller.user)


def test_a_change_writes_what_differs_and_leaves_an_entry_of_the_api(caller: Caller) -> None:
    activity = ActivityFactory.create()
    path = f"crm_activity__v/{activity.uid}/"
    response = caller.patch(path, {"complete__v": True, "subject__v": activity.subject}, etag='"1"')
    assert (response.status_code, response.json()["version"]) == (200, 2)
    assert response.headers["ETag"] == caller.get(path).headers["ETag"]
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    assert (entry.source, entry.changes) == ("api", {"complete": [False, True]})


def test_null_empties_a_field(caller: Caller) -> None:
    activity = ActivityFactory.create(study=StudyFactory.create(), subject="Something")
    response = caller.patch(
        f"crm_activity__v/{activity.uid}/", {"study__v": None, "subject__v": None, "notes__v": ""}, etag='"1"'
    )
    assert (response.json()["study__v"], response.json()["subject__v"]) == (None, None)
    activity.refresh_from_db()
    assert (activity.study, activity.subject) == (None, "")


def test_a_change_without_if_match_and_one_of_an_old_version_write_nothing(caller: Caller) -> None:
    study = StudyFactory.create()
    path = f"study__v/{study.uid}/"
    body = {"sponsor__v": "Acme"}
    assert caller.patch(path, body).status_code == 428
    assert caller.delete(path).status_code == 428
    assert caller.patch(path, body, etag='"2"').status_code == 412
    assert caller.patch(path, body, etag='W/"2"').status_code == 412
    assert caller.delete(path, etag='"0"').status_code == 412
    study.refresh_from_db()
    assert (study.version, study.sponsor) == (1, "")
    assert caller.patch(path, body, etag='"7", "1"').status_code == 200
    assert caller.patch(path, {"sponsor__v": "Other"}, etag="*").json()["version"] == 3


def test_fields_that_the_vault_fills_are_refused_by_name_unless_they_are_as_they_were(caller: Caller) -> None:
    person = PersonFactory.create()
    response = caller.patch(
        f"person__sys/{person.uid}/",
        {
            "name__v": "Another",
            "full_name__v": person.full_name,
            "created_date__v": person.created_at.isoformat(),
            "modified_date__v": "2020-01-01T00:00:00Z",
            "created_by__v": str(uuid.uuid4()),
            "modified_by__v": str(person.modified_by.uid),
            "uid__sys": str(uuid.uuid4()),
            "version": 2,
        },
        etag='"1"',
    )
    assert response.status_code == 400
    assert list_errors(response) == {
        "name__v": "Name is filled by the Vault and cannot be set.",
        "modified_date__v": "Last modified date is filled by the Vault and cannot be set.",
        "created_by__v": "Created by is filled by the Vault and cannot be set.",
        "uid__sys": "UID is filled by the Vault and cannot be set.",
        "version": "Version is filled by the Vault and cannot be set.",
    }


def test_what_is_wrong_is_said_by_field_and_nothing_is_written(caller: Caller) -> None:
    response = caller.post(
        "crm_activity__v/",
        {
            "date__v": "2 March",
            "channel__v": "fax__v",
            "complete__v": "yes",
            "subject__v": 7,
            "study__v": "not a uid",
            "site__v": (unknown := str(uuid.uuid4())),
            "colour__c": "red",
            "version": 1,
        },
    )
    assert response.status_code == 400
    assert list_errors(response) == {
        "date__v": "Send a date as YYYY-MM-DD, in quotes.",
        "channel__v": ("Choose one of in_person__v, video__v, phone__v, chat_text__v, email__v, other__v."),
        "complete__v": "Send true or false, without quotes.",
        "subject__v": "Send a text in quotes.",
        "study__v": "Send the uid of a record, in quotes.",
        "site__v": f"Choose an active study site that you can see; {unknown} is none.",
        "colour__c": "Activity has no field of this name. Leave it out.",
        "version": "Version is filled by the Vault and cannot be set.",
    }
    assert list_errors(caller.post("crm_activity__v/", {})) == {
        "date__v": "This field is required.",
        "channel__v": "This field is required.",
    }
    response = caller.post("crm_activity__v/", {"date__v": "2026-03-02", "channel__v": "phone__v"})
    assert list_errors(response) == {"person__v": "This field is required."}
    assert Activity.objects.count() == 0


def test_what_the_record_itself_refuses_is_said_by_api_name(caller: Caller) -> None:
    site = StudySiteFactory.create()
    other = StudyFactory.create()
    activity = ActivityFactory.create(site=site)
    response = caller.patch(f"crm_activity__v/{activity.uid}/", {"study__v": str(other.uid)}, etag='"1"')
    assert response.status_code == 400
    assert set(list_errors(response)) <= {"study__v", "study_country__v", "site__v"}
    assert Activity.objects.get().study == site.study


def test_the_same_request_sent_twice_creates_one_record_and_names_it(caller: Caller) -> None:
    uid = str(uuid.uuid4())
    by_uid = {"uid__sys": uid, "name__v": "S-1"}
    assert caller.post("study__v/", by_uid).json()["uid__sys"] == uid
    again = caller.post("study__v/", by_uid)
    assert (again.status_code, again.json()["existing"]) == (409, f"/api/v1/study__v/{uid}/")
    by_external_id = {"external_id__v": "E-2", "name__v": "S-2"}
    created = caller.post("study__v/", by_external_id)
    again = caller.post("study__v/", by_external_id)
    assert (again.status_code, again.json()["existing"]) == (409, created.headers["Location"])
    assert Study.objects.count() == 2
    assert caller.post("study__v/", by_uid | {"state__v": "nowhere__v"}).status_code == 409
    for wrong in (7, "7", uid.replace("-", ""), {"uid__sys": uid}, ""):
        response = caller.post("study__v/", {"uid__sys": wrong, "name__v": "S-3"})
        assert list_errors(response) == {"uid__sys": "Send a UUID in its usual form, in quotes."}


def test_a_record_that_exists_out_of_sight_is_not_named() -> None:
    study = StudyFactory.create(external_id="E-1")
    limited = build_limited_caller("study__v:read", "study__v:create", sees_all_studies=False)
    response = limited.post("study__v/", {"external_id__v": "E-1", "name__v": "S-1"})
    assert (response.status_code, "existing" in response.json()) == (409, False)
    assert study.name not in response.content.decode()


def test_a_uid_that_another_record_has_or_had_is_refused(caller: Caller) -> None:
    person, deleted = PersonFactory.create(), StudyFactory.create(name="S-1")
    uid = deleted.uid
    delete_record(record=deleted, actor=build_admin_actor())
    for known in (uid, person.uid):
        response = caller.post("study__v/", {"uid__sys": str(known), "name__v": "S-2"})
        assert (response.status_code, "existing" in response.json()) == (409, False)
        assert "Send a new UUID" in response.json()["detail"]
    assert not Study.objects.exists()


def test_the_object_type_is_asked_for_where_there_is_a_choice(caller: Caller) -> None:
    response = caller.post("person__sys/", {"last_name__sys": "Doe"})
    assert list_errors(response) == {"object_type__v": "This field is required."}
    response = caller.post("person__sys/", {"last_name__sys": "Doe", "object_type__v": "investigator__v"})
    assert (response.status_code, response.json()["object_type__v"]) == (201, "investigator__v")
    set_object_type_status(
        object_name="person__sys", object_type="person__v", status=RecordStatus.INACTIVE, actor=build_admin_actor()
    )
    response = caller.post("person__sys/", {"last_name__sys": "Roe"})
    assert (response.status_code, response.json()["object_type__v"]) == (201, "investigator__v")
    response = caller.post("person__sys/", {"last_name__sys": "Poe", "object_type__v": "person__v"})
    assert (response.status_code, response.json()["detail"]) == (
        403,
        "The object type Person is Inactive: it takes no new records.",
    )


def test_medical_activities_are_read_and_never_written(caller: Caller) -> None:
    activity = MedicalActivityFactory.create()
    path = f"crm_activity__v/{activity.uid}/"
    assert caller.get(path).json()["connection__v"] == refer_to(activity.connection)
    refused = [
        caller.patch(path, {"subject__v": "Mine"}, etag='"1"'),
        caller.delete(path, etag='"1"'),
        caller.post(
            "crm_activity__v/",
            {
                "object_type__v": "medical_activity__v",
                "person__v": str(activity.person.uid),
                "date__v": "2026-03-02",
                "channel__v": "phone__v",
            },
        ),
    ]
    assert [response.status_code for response in refused] == [403, 403, 403]
    assert {response.json()["detail"].partition(";")[0] for response in refused} == {
        "Medical Activity: this record comes from the Medical CRM",
        "Medical Activity: these records come from the Medical CRM",
    }


def test_a_deletion_takes_the_parts_along_and_spares_what_others_refer_to(caller: Caller) -> None:
    event = MonitoringEventFactory.create()
    participant = MonitoringEventParticipantFactory.create(monitoring_event=event)
    refused = caller.delete(f"site__v/{event.site.uid}/", etag='"1"')
    assert (refused.status_code, "monitoring event" in refused.json()["detail"]) == (409, True)
    deleted = caller.delete(f"monitoring_event__ctms/{event.uid}/", etag='"1"')
    assert (deleted.status_code, deleted.content) == (204, b"")
    for record in (event, participant):
        entry = AuditEntry.objects.filter(record_uid=record.uid).latest("id")
        assert (entry.action, entry.source) == ("deleted", "api")
    assert caller.get(f"monitoring_event__ctms/{event.uid}/").status_code == 404


def test_custom_fields_stand_beside_the_others_and_round_trip(caller: Caller) -> None:
    friend = PersonFactory.create()
    values = {
        add_custom_field(kind="text"): "Blue",
        add_custom_field(kind="long_text"): "Line one\nLine two",
        add_custom_field(kind="number"): 12.5,
        add_custom_field(kind="date"): "2026-03-02",
        add_custom_field(kind="datetime"): "2026-03-02T10:00:00Z",
        add_custom_field(kind="yes_no"): False,
        add_custom_field(kind="picklist", picklist_values=["red", "green"]): "green",
        add_custom_field(kind="reference", reference_object="person__sys"): refer_to(friend),
    }
    created = caller.post("person__sys/", {"object_type__v": "person__v", "last_name__sys": "Doe", **values})
    assert created.status_code == 201, created.json()
    body = created.json()
    assert {name: body[name] for name in values} == values
    path = f"person__sys/{body['uid__sys']}/"
    assert caller.get(path).json() == body
    assert caller.patch(path, body, etag='"1"').json() == body
    emptied = caller.patch(path, dict.fromkeys(values), etag='"1"').json()
    assert {name: emptied[name] for name in values} == dict.fromkeys(values)
    assert Person.objects.get(uid=body["uid__sys"]).custom_fields == {}


def test_a_moment_without_zone_is_in_utc_and_others_are_converted(caller: Caller) -> None:
    name = add_custom_field(kind="datetime")
    person = PersonFactory.create()
    path = f"person__sys/{person.uid}/"
    assert caller.patch(path, {name: "2026-03-02T10:00:00"}, etag="*").json()[name] == "2026-03-02T10:00:00Z"
    assert caller.patch(path, {name: "2026-03-02T10:00:00+02:00"}, etag="*").json()[name] == "2026-03-02T08:00:00Z"
    for beyond in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:00-12:00", "9999-12-31T12:00:00Z"):
        assert caller.patch(path, {name: beyond}, etag="*").status_code == 400


def test_a_record_of_a_foreign_study_does_not_exist_and_cannot_be_referred_to() -> None:
    country = StudyCountryFactory.create()
    everything = [f"{name}:{action}" for name in OBJECTS for action in ("read", "create", "edit", "delete")]
    limited = build_limited_caller(*everything, sees_all_studies=False)
    own = StudyAssignmentFactory.create(user=limited.user).study
    foreign = StudySiteFactory.create(study_country=country)
    path = f"site__v/{foreign.uid}/"
    answers = [limited.get(path), limited.patch(path, {}, etag="*"), limited.delete(path, etag="*")]
    assert [response.status_code for response in answers] == [404, 404, 404]
    response = limited.post("study_country__v/", {"study__v": str(country.study.uid), "country__v": "FR"})
    assert list_errors(response) == {
        "study__v": f"Choose an active study that you can see; {country.study.uid} is none."
    }
    assert limited.post("study_country__v/", {"study__v": str(own.uid), "country__v": "FR"}).status_code == 201


def test_the_profile_decides_action_by_action() -> None:
    study = StudyFactory.create()
    reader = build_limited_caller("study__v:read")
    path = f"study__v/{study.uid}/"
    assert reader.get(path).status_code == 200
    assert reader.patch(path, {"sponsor__v": "Acme"}, etag="*").status_code == 403
    assert reader.delete(path, etag="*").status_code == 403
    refused = reader.post("study__v/", {"anything": 1})
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "Your security profile does not allow you to create study records.",
    )
    assert reader.get("person__sys/").status_code == 403


def test_an_inactive_record_that_is_referred_to_stays_and_is_not_chosen_anew(caller: Caller) -> None:
    person = PersonFactory.create()
    activity = ActivityFactory.create(person=person)
    assert caller.patch(f"person__sys/{person.uid}/", {"status__v": "inactive__v"}, etag="*").status_code == 200
    path = f"crm_activity__v/{activity.uid}/"
    kept = caller.patch(path, {"person__v": str(person.uid), "subject__v": "New"}, etag="*")
    assert (kept.status_code, kept.json()["subject__v"]) == (200, "New")
    other = ActivityFactory.create()
    refused = caller.patch(f"crm_activity__v/{other.uid}/", {"person__v": str(person.uid)}, etag="*")
    assert list_errors(refused) == {"person__v": f"Choose an active person that you can see; {person.uid} is none."}


def test_whole_numbers_are_whole(caller: Caller) -> None:
    training = create_record("training__v")
    path = f"training__v/{training.uid}/"
    assert caller.patch(path, {"hours__v": 8.0}, etag="*").json()["hours__v"] == 8
    assert list_errors(caller.patch(path, {"hours__v": 1.5}, etag="*")) == {
        "hours__v": "Send a whole number, without quotes."
    }
    assert list(list_errors(caller.patch(path, {"hours__v": -1}, etag="*"))) == ["hours__v"]


@pytest.mark.usefixtures("stopped_clock")
def test_reading_a_record_takes_as_many_statements_with_and_without_references(caller: Caller) -> None:
    bare, full = ActivityFactory.create(), ActivityFactory.create(site=StudySiteFactory.create())
    counts = []
    for activity in (bare, bare, full):
        with CaptureQueriesContext(connection) as queries:
            caller.get(f"crm_activity__v/{activity.uid}/")
        counts.append(len(queries))
    assert counts[1] == counts[2] == 4


def test_unusual_values_are_saved_once_the_caller_confirms_their_fields(caller: Caller) -> None:
    activity = ActivityFactory.create(complete=False)
    path = f"crm_activity__v/{activity.uid}/"
    body = {"date__v": "2099-01-01"}

    response = caller.patch(path, body, etag='"1"')

    assert (response.status_code, response.json()["errors"]) == (
        400,
        [
            {
                "field": "date__v",
                "detail": "1 Jan 2099 is a long time from now. Is it right?",
                "code": "unconfirmed",
            }
        ],
    )
    assert caller.patch(path, {**body, "confirmed__sys": ["subject__v"]}, etag='"1"').status_code == 400
    assert caller.patch(path, {**body, "confirmed__sys": "date__v"}, etag='"1"').status_code == 400
    assert caller.patch(path, {**body, "confirmed__sys": ["date__v"]}, etag='"1"').json()["date__v"] == "2099-01-01"
    new = {"person__v": str(activity.person.uid), "channel__v": "phone__v", **body, "confirmed__sys": ["date__v"]}
    assert caller.post("crm_activity__v/", new).status_code == 201
    refused = caller.post("crm_activity__v/", new | {"date__v": "0026-01-01"})
    assert list_errors(refused) == {"date__v": "The year is 0026. Type it with four digits, such as 2026."}
