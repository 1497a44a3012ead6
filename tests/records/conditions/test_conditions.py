"""What users may ask of their lists: through references, what is theirs, groups, and what gives nothing away."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.records.access import ObjectAccess, open_object
from ctms.records.lists.filters import read_filters
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.records.trainings import add_custom_fields, open_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def open_activities(user: User | None = None) -> ObjectAccess:
    return open_object(user=user or UserFactory.create(is_superuser=True), object_name=Activity.object_name)


def find(access: ObjectAccess, query: str) -> set[Any]:
    filters = read_filters(access=access, parameters=QueryDict(query))
    assert filters.problems == {}
    return set(filters.limit(access.list_records()))


def refuse(access: ObjectAccess, query: str) -> dict[str, list[str]]:
    return read_filters(access=access, parameters=QueryDict(query)).problems


def describe(access: ObjectAccess, query: str) -> list[tuple[str, str, tuple[str, ...]]]:
    active = read_filters(access=access, parameters=QueryDict(query)).list_active()
    return [(each.label, each.text, each.parameters) for each in active]


def create_reader(*permissions: str) -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)))


def test_fields_of_records_referred_to_are_compared_several_steps_away() -> None:
    berlin, graz = (StudySiteFactory.create(city=city) for city in ("Berlin", "Graz"))
    at_berlin, at_graz, nowhere = (ActivityFactory.create(site=site) for site in (berlin, graz, None))
    access = open_activities()
    assert find(access, "site__v.city__v=Berlin") == {at_berlin}
    assert find(access, "site__v.city__v__not=Berlin") == {at_graz, nowhere}
    assert find(access, "site__v.city__v__empty=true") == {nowhere}
    assert find(access, f"site__v.study__v.name__v={graz.study.name}") == {at_graz}
    assert describe(access, "site__v.city__v__begins=B") == [
        ("Site: City", "begins with B", ("site__v.city__v__begins",))
    ]


def test_a_path_ends_after_three_steps_and_leads_through_references_alone() -> None:
    unknown = ["Activities cannot be filtered by this."]
    access = open_activities()
    for name in ("site__v.study_country__v.study__v.study__v.name__v", "subject__v.name__v", "created_by__v.username"):
        assert refuse(access, f"{name}=x") == {name: unknown}


def test_a_record_that_the_user_does_not_see_fulfils_no_condition() -> None:
    user = create_reader("crm_activity__v:read", "site__v:read", "study__v:read", "person__sys:read")
    seen, hidden = StudySiteFactory.create(city="Berlin"), StudySiteFactory.create(city="CANARY")
    StudyAssignmentFactory.create(user=user, study=seen.study)
    mine = ActivityFactory.create(site=seen)
    # Of the user's study, but about a person whom another study knows.
    stranger = PersonFactory.create(last_name="CANARY")
    ActivityFactory.create(site=hidden)
    access = open_activities(user)
    assert find(access, "site__v.city__v=CANARY") == set()
    assert find(access, "site__v.city__v__not=Berlin") == set()
    assert find(access, "site__v.city__v=Berlin") == {mine}
    assert list(refuse(access, f"person__v={stranger.uid}")) == ["person__v"]


def test_a_reference_that_the_profile_hides_is_neither_compared_nor_followed() -> None:
    user = create_reader("crm_activity__v:read", "study__v:read")
    site = StudySiteFactory.create(city="CANARY")
    StudyAssignmentFactory.create(user=user, study=site.study)
    activity = ActivityFactory.create(site=site)
    access = open_activities(user)
    assert list(refuse(access, "site__v.city__v=CANARY")) == ["site__v.city__v"]
    assert list(refuse(access, f"site__v={site.uid}")) == ["site__v"]
    assert list(refuse(access, "site__v=mine")) == ["site__v"]
    assert find(access, "site__v__empty=false") == {activity}


def test_my_studies_are_those_of_my_assignments_and_my_sites_those_that_i_own_also_for_who_sees_all() -> None:
    user = UserFactory.create(is_superuser=True)
    first, second = (StudySiteFactory.create(owner=user) for _ in range(2))
    other = StudySiteFactory.create()
    beside = StudySiteFactory.create(study_country=second.study_country)
    StudyAssignmentFactory.create(user=user, study=first.study)
    StudyAssignmentFactory.create(user=user, study=second.study, site=second)
    made = {site: ActivityFactory.create(site=site) for site in (first, second, other, beside)}
    access = open_activities(user)
    assert find(access, "study__v=mine") == {made[first], made[second], made[beside]}
    assert find(access, "site__v=mine") == {made[first], made[second]}
    assert find(access, f"site__v=mine&site__v={other.uid}") == {made[first], made[second], made[other]}
    assert find(access, "site__v__not=mine") == {made[other], made[beside]}
    assert describe(access, "site__v=mine&study__v__not=mine") == [
        ("Site", "my sites", ("site__v",)),
        ("Study", "not my studies", ("study__v__not",)),
    ]
    sites = open_object(user=user, object_name=StudySite.object_name)
    assert find(sites, "study__v=mine") == {first, second, beside}


def test_of_a_group_one_condition_must_hold_and_all_others_beside_it() -> None:
    phone, video, late = (
        ActivityFactory.create(channel=channel, complete=complete, subject=subject)
        for channel, complete, subject in (
            ("phone__v", False, "a"),
            ("video__v", True, "a"),
            ("video__v", False, "late"),
        )
    )
    access = open_activities()
    assert find(access, "any1.channel__v=phone__v&any1.complete__v=true") == {phone, video}
    assert find(access, "any1.channel__v=phone__v&any1.complete__v=true&subject__v=late") == set()
    nested = "any1.channel__v=phone__v&any1.all1.channel__v=video__v&any1.all1.complete__v=false"
    assert find(access, nested) == {phone, late}
    assert describe(access, f"{nested}&complete__v=false") == [
        (
            "Any of",
            "Channel: Phone, or (Channel: Video and Complete: No)",
            tuple(name.partition("=")[0] for name in nested.split("&")),
        ),
        ("Complete", "No", ("complete__v",)),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "date__v__from=2026-03-02&date__v__to=2026-03-01",
        "date__v__to=2026-03-01&date__v__from=2026-03-02",
        "any1.date__v__from=2026-03-02&any1.date__v__to=2026-03-01",
    ],
)
def test_from_after_until_is_refused(query: str) -> None:
    message = "“From” (2026-03-02) is after “until” (2026-03-01), so nothing can match. Exchange the two."
    assert refuse(open_activities(), query) == {name.partition("=")[0]: [message] for name in query.split("&")}


def test_custom_references_are_followed_too() -> None:
    add_custom_fields()
    access = open_trainings()
    assert find(access, "person__c.last_name__sys=Nobody") == set()


def test_a_condition_takes_one_statement_at_most_and_a_word_for_me_none() -> None:
    user = UserFactory.create(is_superuser=True)
    site = StudySiteFactory.create(city="Berlin")
    ActivityFactory.create(site=site)
    access = open_activities(user)
    counts = {}
    for query in ("channel__v=phone__v", "created_by__v=me", f"site__v={site.uid}", "site__v.city__v=Berlin"):
        with CaptureQueriesContext(connection) as captured:
            find(access, query)
        counts[query.partition("=")[0]] = len(captured) - 1  # the statement of the list itself
    assert counts == {"channel__v": 0, "created_by__v": 0, "site__v": 1, "site__v.city__v": 1}


def test_a_list_has_no_more_filters_than_forty() -> None:
    query = "&".join(f"any{number}.subject__v=x" for number in range(1, 42))
    assert refuse(open_activities(), query) == {"any1.subject__v": ["A list has at most 40 filters. Remove some."]}


def test_inactive_studies_are_found_by_their_status() -> None:
    study = StudyFactory.create()
    activity = ActivityFactory.create(study=study)
    access = open_activities()
    assert find(access, "study__v.status__v=active__v") == {activity}
    assert find(access, "study__v.status__v=inactive__v") == set()
