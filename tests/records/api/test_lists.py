"""Lists of the API: they filter, search and sort like the pages, and their pages join without gaps."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctms.records.lists.order.keyset_pagination import COUNT_CAP
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.record_rows import OBJECTS, create_record
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller, list_errors

pytestmark = pytest.mark.django_db


def list_names(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [each["name__v"] for each in response.json()["results"]]


def test_a_list_holds_records_as_their_own_addresses_show_them(caller: Caller) -> None:
    site = StudySiteFactory.create()
    body = caller.get("site__v/").json()
    assert body == {
        "count": 1,
        "count_is_capped": False,
        "next": None,
        "previous": None,
        "results": [caller.get(f"site__v/{site.uid}/").json()],
    }


def test_pages_join_in_both_directions(caller: Caller) -> None:
    for number in range(7):
        StudyFactory.create(name=f"S-{number}", sponsor="Acme" if number % 2 else "")
    first = caller.get("study__v/", size=3, sort="-name__v")
    assert (list_names(first), first.json()["count"], first.json()["previous"]) == (["S-6", "S-5", "S-4"], 7, None)
    second = caller.client.get(first.json()["next"])
    assert list_names(second) == ["S-3", "S-2", "S-1"]
    assert first.json()["next"].startswith("http://testserver/api/v1/study__v/?size=3&sort=-name__v&cursor=")
    third = caller.client.get(second.json()["next"])
    assert (list_names(third), third.json()["next"]) == (["S-0"], None)
    assert list_names(caller.client.get(third.json()["previous"])) == list_names(second)
    assert list_names(caller.get("study__v/", size=3, sort="-name__v", cursor="last")) == ["S-2", "S-1", "S-0"]


@pytest.mark.parametrize("sort", ["name__v", "sponsor__v", "-sponsor__v", "created_date__v", "-planned_start_date__v"])
def test_following_next_visits_every_record_once(caller: Caller, sort: str) -> None:
    for number in range(9):
        StudyFactory.create(
            name=f"S-{number}", sponsor="Acme" if number % 2 else "", planned_start=dt.date(2026, 1, 1 + number % 3)
        )
    seen = []
    response = caller.get("study__v/", size=2, sort=sort)
    while True:
        seen += list_names(response)
        if response.json()["next"] is None:
            break
        response = caller.client.get(response.json()["next"])
    assert sorted(seen) == [f"S-{number}" for number in range(9)]


@pytest.mark.parametrize(
    "sort", ["sponsor__v,-name__v", "-sponsor__v,-planned_start_date__v,name__v", "state__v,name__v"]
)
@pytest.mark.both_databases
def test_a_list_is_sorted_by_several_fields_and_its_pages_join_in_both_directions(caller: Caller, sort: str) -> None:
    for number in range(9):
        StudyFactory.create(
            name=f"S-{number}",
            sponsor="Acme" if number % 2 else "Bolt",
            planned_start=dt.date(2026, 1, 1) if number % 3 else None,
        )
    whole = caller.get("study__v/", sort=sort).json()["results"]
    expected = sorted(whole, key=lambda each: str(each["name__v"]))
    for name in reversed(sort.split(",")):
        field, is_downwards = name.removeprefix("-"), name.startswith("-")
        expected.sort(key=lambda each: str(each[field] or ""), reverse=is_downwards)
        expected.sort(key=lambda each: each[field] is None)
    assert whole == expected
    pages = [caller.get("study__v/", sort=sort, size=2)]
    while pages[-1].json()["next"]:
        pages.append(caller.client.get(pages[-1].json()["next"]))
    assert [name for page in pages for name in list_names(page)] == [each["name__v"] for each in whole]
    back = [pages[-1]]
    while back[-1].json()["previous"]:
        back.append(caller.client.get(back[-1].json()["previous"]))
    assert sorted(name for page in back for name in list_names(page)) == [f"S-{number}" for number in range(9)]


def test_the_filters_and_the_search_of_the_page_are_those_of_the_list(caller: Caller) -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(site=site, subject="Call about samples", date=dt.date(2026, 5, 4))
    ActivityFactory.create(subject="Something else", date=dt.date(2026, 6, 4), complete=True, channel="email__v")
    for parameters in (
        {"q": "samples"},
        {"study__v": str(site.study.uid)},
        {"channel__v": ["phone__v", "video__v"]},
        {"date__v__from": "2026-05-01", "date__v__to": "2026-05-31"},
        {"complete__v": "false"},
        {"study__v__empty": "false"},
        {"subject__v__contains": "SAMPLE"},
        {"object_type__v": "clinical_activity__v", "date__v": "2026-05-04"},
    ):
        assert list_names(caller.get("crm_activity__v/", **parameters)) == [activity.name], parameters


def test_custom_fields_are_filtered_and_sorted_by(caller: Caller) -> None:
    name = add_custom_field(kind="number")
    for number in (3, 20, 100):
        PersonFactory.create(last_name=f"N{number}", first_name="", custom_fields={name: number})
    assert list_names(caller.get("person__sys/", **{f"{name}__from": "20", "sort": f"-{name}"})) == ["N100", "N20"]


@pytest.mark.parametrize(
    "sort", ["name__v,", ",name__v", "name__v,colour__c", "name__v,sponsor__v,state__v,version", "-"]
)
def test_an_order_that_a_list_does_not_have_is_refused(caller: Caller, sort: str) -> None:
    assert list(list_errors(caller.get("study__v/", sort=sort))) == ["sort"]


def test_what_a_list_does_not_understand_is_named_and_not_guessed(caller: Caller) -> None:
    response = caller.get(
        "study__v/",
        colour="red",
        count="yes",
        fields="name__v,colour__c",
        expand="sponsor__v",
        sort="colour__c",
        size="0",
        planned_start_date__v="soon",
        state__v="nowhere__v",
        columns="name__v",
        group="state__v",
        format="xml",
    )
    assert response.status_code == 400
    assert set(list_errors(response)) == {
        "colour",
        "sort",
        "size",
        "planned_start_date__v",
        "state__v",
        "columns",
        "group",
        "format",
        "count",
        "fields",
        "expand",
    }
    for size in ("1001", "-1", "many", "²", "1" * 5000, ""):
        assert list(list_errors(caller.get("study__v/", size=size))) == ["size"]
    assert set(list_errors(caller.get("study__v/", state__v="", name__v="", q=""))) == {"state__v", "name__v"}
    assert len(caller.get("study__v/", size="1000").json()["results"]) == 0


@pytest.mark.parametrize(
    "cursor", ["", "x", "first", "bnVsbA", "WyJmIl0", "WyJmIiwiXHUwMDAwIiwiMSJd", "W1tb" * 2000, "ä"]
)
def test_a_cursor_that_no_page_gave_is_refused(caller: Caller, cursor: str) -> None:
    response = caller.get("study__v/", sort="name__v", cursor=cursor)
    assert (response.status_code, list(list_errors(response))) == (400, ["cursor"])


def test_a_count_is_capped(caller: Caller) -> None:
    create_people(COUNT_CAP + 1)
    body = caller.get("person__sys/", size=1).json()
    assert (body["count"], body["count_is_capped"]) == (COUNT_CAP, True)


def test_a_list_holds_what_the_profile_and_the_studies_let_the_user_see() -> None:
    activity = MedicalActivityFactory.create(study=None)
    ActivityFactory.create(study=StudyFactory.create())
    limited = build_limited_caller("crm_activity__v:read", sees_all_studies=False)
    assert list_names(limited.get("crm_activity__v/")) == [activity.name]
    narrow = build_limited_caller("crm_activity__v.clinical_activity__v:read", sees_all_studies=False)
    assert list_names(narrow.get("crm_activity__v/")) == []


def test_what_the_profile_hides_is_a_uid_alone_and_may_be_sent_back() -> None:
    activity = ActivityFactory.create()
    limited = build_limited_caller("crm_activity__v:read", "crm_activity__v:edit")
    [shown] = limited.get("crm_activity__v/").json()["results"]
    assert shown["person__v"] == {"uid__sys": str(activity.person.uid), "name__v": None}
    changed = limited.patch(f"crm_activity__v/{activity.uid}/", shown | {"subject__v": "New"}, etag='"1"')
    assert (changed.status_code, changed.json()["subject__v"]) == (200, "New")
    assert limited.get("crm_activity__v/?sort=person__v").status_code == 400


@pytest.mark.parametrize("zone", ["", "Pacific/Kiritimati", "Etc/GMT+12"])  # where a day begins first and last
def test_the_time_zone_of_a_users_pages_does_not_move_the_days_of_a_filter(zone: str) -> None:
    study = StudyFactory.create()
    day = study.created_at.astimezone(dt.UTC).date()
    caller = build_limited_caller("study__v:read", time_zone=zone)
    found = [
        list_names(caller.get("study__v/", created_date__v=str(day + dt.timedelta(days=days)))) for days in (-1, 0, 1)
    ]
    assert found == [[], [study.name], []]


@pytest.mark.both_databases
def test_a_moment_is_filtered_by_an_instant_with_its_offset(caller: Caller) -> None:
    study = StudyFactory.create()
    custom = add_custom_field(kind="datetime", object_name="study__v")
    at = study.created_at
    assert caller.patch(f"study__v/{study.uid}/", {custom: at.isoformat()}, etag="*").status_code == 200
    later = at + dt.timedelta(microseconds=1)
    tokyo = dt.timezone(dt.timedelta(hours=9))
    for name in ("created_date__v", custom):
        for parameters, is_found in (
            ({f"{name}__from": at.isoformat()}, True),
            ({f"{name}__from": later.astimezone(tokyo).isoformat()}, False),
            ({f"{name}__to": at.astimezone(tokyo).isoformat()}, True),
            ({f"{name}__to": (at - dt.timedelta(microseconds=1)).isoformat()}, False),
            ({f"{name}__from": at.isoformat(), f"{name}__to": at.isoformat()}, True),
            ({name: at.isoformat().replace("+00:00", "Z")}, True),
            ({name: later.isoformat()}, False),
            ({f"{name}__not": later.isoformat()}, True),
        ):
            assert list_names(caller.get("study__v/", **parameters)) == [study.name] * is_found, parameters


@pytest.mark.parametrize(
    "asked",
    [
        {"created_date__v__from": "2026-03-01T00:00:00"},
        {"created_date__v__from": "2026-03-01T00:00:00 01:00"},  # a plus sign that the address lost
        {"created_date__v__from": "2026-03-01T25:00:00Z"},
        {"created_date__v__from": "0001-01-01T00:00:00+14:00"},
        {"created_date__v__from": "9999-12-31T23:59:59-14:00"},
        {"created_date__v__to": "2026-03-01T00:00:00Z", "created_date__v__from": "2026-03-01T00:00:00.000001Z"},
        {"created_date__v__to": "2026-03-01T00:00:00Z", "created_date__v__from": "2026-03-01"},
        {"all1.created_date__v__to": "2026-03-01", "all1.created_date__v__from": "2026-02-01T00:00:00Z"},
        {"planned_start_date__v": "2026-03-01T00:00:00Z"},
    ],
)
def test_what_is_no_instant_is_refused(caller: Caller, asked: dict[str, str]) -> None:
    response = caller.get("study__v/", **asked)
    assert (response.status_code, set(list_errors(response)) <= set(asked)) == (400, True)


def test_a_page_is_filtered_by_days_alone(caller: Caller) -> None:
    StudyFactory.create()
    client = Client()
    client.force_login(caller.user)
    page = client.get("/records/study__v/", {"created_date__v__from": "2026-03-01T00:00:00Z"})
    assert "is no day" in page.content.decode()


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("object_name", OBJECTS)
def test_a_list_takes_as_many_statements_for_one_record_as_for_fifty(caller: Caller, object_name: str) -> None:
    study = StudyFactory.create()
    counts = []
    for more in (1, 49):
        for _ in range(more):
            create_record(object_name, None if object_name == "study__v" else study)
        caller.get(f"{object_name}/")  # the token's use is noted
        with CaptureQueriesContext(connection) as queries:
            caller.get(f"{object_name}/")
        counts.append(len(queries))
    assert counts == [6, 6]  # which Vault this is, token, configuration, keys of the page, its records, count


@pytest.mark.usefixtures("stopped_clock")
def test_people_in_custom_fields_cost_one_statement(caller: Caller) -> None:
    name = add_custom_field(kind="reference", reference_object="person__sys")
    people = create_people(3)
    PersonFactory.create(last_name="Zoe", custom_fields={name: str(people[0].uid)})
    caller.get("person__sys/")
    with CaptureQueriesContext(connection) as queries:
        body = caller.get("person__sys/", sort="-name__v", size=2).json()
    assert len(queries) == 7
    assert body["results"][0][name] == {"uid__sys": str(people[0].uid), "name__v": people[0].name}


def test_a_person_in_a_custom_field_who_is_gone_is_a_uid_alone_and_may_be_sent_back(caller: Caller) -> None:
    name = add_custom_field(kind="reference", reference_object="person__sys")
    gone = "7d3f1d5e-0000-4000-8000-000000000000"
    person = PersonFactory.create(custom_fields={name: gone})
    path = f"person__sys/{person.uid}/"
    read = caller.get(path).json()
    assert read[name] == {"uid__sys": gone, "name__v": None}
    assert caller.patch(path, read, etag="*").json() == read


def test_many_activities_are_paged_by_a_thousand(caller: Caller) -> None:
    create_activities(1050)
    body = caller.get("crm_activity__v/", size=1000).json()
    assert (len(body["results"]), body["count"], body["count_is_capped"]) == (1000, 1000, True)
    assert len(caller.client.get(body["next"]).json()["results"]) == 50
    counted = caller.get("crm_activity__v/", size=1, count="true").json()
    assert (counted["count"], counted["count_is_capped"]) == (1050, False)


def test_neither_order_nor_cursor_tells_a_name_that_the_profile_hides(caller: Caller) -> None:
    ActivityFactory.create_batch(2, person=PersonFactory.create(last_name="Hidden"))
    limited = build_limited_caller("crm_activity__v:read", "person__sys.investigator__v:read")
    shown = limited.get("crm_activity__v/").json()["results"][0]["person__v"]
    assert shown["name__v"] is None

    response = limited.get("crm_activity__v/", size=1, sort="person__v")

    assert response.status_code == 400
    assert list(list_errors(response)) == ["sort"]
    assert caller.get("crm_activity__v/", size=1, sort="person__v").status_code == 200
