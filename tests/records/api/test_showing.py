"""What an answer shows: the fields that were asked for, references as whole records, CSV, and gzip."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories.activities import ActivityFactory
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller, list_errors

pytestmark = pytest.mark.django_db


def test_an_answer_has_the_fields_that_are_asked_for_and_always_uid_and_version(caller: Caller) -> None:
    site = StudySiteFactory.create()
    shown = {"uid__sys": str(site.uid), "name__v": site.name, "study__v": refer_to(site.study), "version": 1}
    asked = "?fields=study__v,name__v"
    key = f"study__v.name__v={site.study.name}&name__v={site.name}"
    assert caller.client.get(f"/api/v1/site__v/{asked}").json()["results"] == [shown]
    assert caller.client.get(f"/api/v1/site__v/{site.uid}/{asked}").json() == shown
    assert caller.client.get(f"/api/v1/site__v/by-key/{asked}&{key}").json() == shown
    assert caller.get("site__v/", fields="version").json()["results"] == [{"uid__sys": str(site.uid), "version": 1}]


def test_a_reference_is_the_whole_record_if_the_reader_sees_it() -> None:
    open_study, hidden = StudyFactory.create(), StudyFactory.create()
    person = PersonFactory.create()
    activity = ActivityFactory.create(study=open_study, person=person)
    reader = build_limited_caller("crm_activity__v:read", "study__v:read", "person__sys.investigator__v:read")
    shown = reader.get(f"crm_activity__v/{activity.uid}/", expand="study__v,person__v").json()
    assert shown["study__v"] == reader.get(f"study__v/{open_study.uid}/").json()
    assert shown["person__v"] == {"uid__sys": str(person.uid), "name__v": None}
    assert str(hidden.uid) not in str(shown)
    blind = build_limited_caller("crm_activity__v:read")
    refused = blind.get("crm_activity__v/", expand="study__v")
    assert (refused.status_code, list(list_errors(refused))) == (400, ["expand"])


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"fields": "colour__c"}, "fields"),
        ({"fields": "name__v,"}, "fields"),
        ({"fields": ""}, "fields"),
        ({"expand": "name__v"}, "expand"),
        ({"expand": "ownerid__v"}, "expand"),
        ({"expand": "study__v", "fields": "name__v"}, "expand"),
        ({"expand": ["study__v", "study_country__v"]}, "expand"),
        ({"expands": "study__v"}, "expands"),
    ],
)
def test_what_cannot_be_shown_is_refused_at_every_address(caller: Caller, asked: Any, wrong: str) -> None:
    site = StudySiteFactory.create()
    for path in ("site__v/", f"site__v/{site.uid}/", "site__v/by-key/"):
        response = caller.get(path, **asked)
        assert response.status_code == 400, path
        assert wrong in list_errors(response), path


@pytest.mark.both_databases
@pytest.mark.usefixtures("stopped_clock")
def test_whole_references_take_no_statement_for_each_record(caller: Caller) -> None:
    name = add_custom_field(kind="reference", object_name="crm_activity__v", reference_object="person__sys")
    [friend] = create_people(1)
    counts = []
    for more in (1, 9):
        for _ in range(more):
            ActivityFactory.create(site=StudySiteFactory.create(), custom_fields={name: str(friend.uid)})
        expand = f"site__v,study__v,person__v,{name}"
        caller.get("crm_activity__v/", expand=expand)
        with CaptureQueriesContext(connection) as queries:
            body = caller.get("crm_activity__v/", expand=expand).json()
        counts.append(len(queries))
        assert all("last_name__sys" in row[name] and "study__v" in row["site__v"] for row in body["results"])
    # As without: 7 with a custom reference; and one for each object, persons once for both fields.
    assert counts == [10, 10]


def test_a_page_is_csv_for_who_asks(caller: Caller) -> None:
    amount = add_custom_field(kind="currency", object_name="site__v")
    colours = add_custom_field(kind="multi_select", object_name="site__v", picklist_values=["red", "green"])
    values = {amount: {"amount": "-5.50", "currency": "EUR"}, colours: ["red", "green"]}
    site = StudySiteFactory.create(site_name='=cmd|"/c"', custom_fields=values)
    StudySiteFactory.create()
    fields = f"site_name__v,study__v,send_to_crm__v,city__v,{amount},{colours}"
    asked: dict[str, Any] = {"fields": fields, "size": 1, "name__v": site.name}
    by_parameter = caller.get("site__v/", format="csv", **asked)
    by_header = caller.client.get("/api/v1/site__v/", asked, headers={"Accept": "text/csv"})
    assert by_parameter.content == by_header.content
    assert by_header.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert by_header.headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    [row] = csv.DictReader(io.StringIO(by_header.content.decode("utf-8-sig")))
    assert row == {
        "uid__sys": str(site.uid),
        "study__v.uid__sys": str(site.study.uid),
        "study__v.name__v": site.study.name,
        "site_name__v": '\'=cmd|"/c"',
        "city__v": "",
        "send_to_crm__v": "true",
        f"{amount}.amount": "-5.5",  # a number, which no spreadsheet takes for a formula
        f"{amount}.currency": "EUR",
        colours: "red;green",
        "version": "1",
    }


def test_the_next_page_of_csv_is_in_a_header(caller: Caller) -> None:
    StudyFactory.create_batch(3)
    first = caller.get("study__v/", format="csv", size=2, sort="name__v")
    address, relation = first.headers["Link"].split("; ")
    assert relation == 'rel="next"'
    second = caller.client.get(address.strip("<>"))
    rows = [list(csv.DictReader(io.StringIO(each.content.decode("utf-8-sig")))) for each in (first, second)]
    assert [len(each) for each in rows] == [2, 1]
    assert second.headers["Link"].endswith('rel="prev"')
    assert "Link" not in caller.get("study__v/")


def test_csv_has_the_columns_of_whole_references(caller: Caller) -> None:
    site = StudySiteFactory.create()
    answer = caller.get("site__v/", format="csv", fields="name__v,study__v", expand="study__v")
    [row] = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (row["study__v.name__v"], row["study__v.status__v"]) == (site.study.name, "active__v")
    assert row["study__v.version"] == "1"


def test_only_lists_are_csv(caller: Caller) -> None:
    study = StudyFactory.create()
    assert caller.get(f"study__v/{study.uid}/", format="csv").status_code == 400
    one = caller.client.get(f"/api/v1/study__v/{study.uid}/", headers={"Accept": "text/csv"})
    assert one.status_code == 406
    refused = caller.get("study__v/", format="csv", colour="red")
    assert (refused.status_code, list(list_errors(refused))) == (400, ["colour"])
    plain = caller.client.get("/api/v1/study__v/", {"format": "json"}, headers={"Accept": "text/csv"})
    assert plain.headers["Content-Type"] == "application/json"


def test_answers_to_a_token_are_compressed_and_those_to_a_session_are_not(caller: Caller) -> None:
    StudyFactory.create_batch(5)
    takes_gzip = {"Accept-Encoding": "gzip"}
    plain = caller.get("study__v/")
    packed = caller.client.get("/api/v1/study__v/", headers=takes_gzip)
    assert (packed.headers["Content-Encoding"], plain.has_header("Content-Encoding")) == ("gzip", False)
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content)
    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    in_csv = caller.client.get("/api/v1/study__v/?format=csv", headers=takes_gzip)
    assert gzip.decompress(in_csv.content).startswith("\ufeffuid__sys".encode())
    session = Client()
    session.force_login(caller.user)
    assert not session.get("/api/v1/study__v/", headers=takes_gzip).has_header("Content-Encoding")


def refer_to(record: Any) -> dict[str, str]:
    return {"uid__sys": str(record.uid), "name__v": str(record)}
