"""Search while the user types: choices of a reference, and records of every object."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from activities.models import Activity
from ctms.clinical.models import Person, StudySite
from ctms.core.choices import RecordStatus
from ctms.records.pages.global_search import mark_words
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.bulk import create_activities, create_people, create_sites
from tests.factories.clinical import (
    InvestigatorFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_admin_user())
    return client


def look_up(client: Client, field: str, *, of: str = Activity.object_name, **parameters: Any) -> dict[str, Any]:
    answer = client.get(f"/records/{of}/lookup/{field}/?{urlencode(parameters)}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def list_labels(client: Client, field: str, **parameters: Any) -> list[str]:
    return [each["label"] for each in look_up(client, field, **parameters)["results"]]


def create_person(first: str, last: str, **values: Any) -> Person:
    return PersonFactory.create(
        **{"first_name": first, "last_name": last, "email": f"{last.lower()}@x.example", **values}
    )


def test_people_are_offered_with_their_email_and_kind(admin: Client) -> None:
    person = InvestigatorFactory.create(first_name="Hannah", last_name="Berg", email="berg@x.example")

    assert look_up(admin, "person__v", q="ber") == {
        "results": [
            {"uid": str(person.uid), "label": "Hannah Berg (berg@x.example)", "detail": "Investigator", "fills": {}}
        ],
        "more": False,
    }


def test_without_a_word_the_first_by_name_are_offered_and_that_there_are_more(admin: Client) -> None:
    create_people(22)

    found = look_up(admin, "person__v")

    assert [each["label"] for each in found["results"]] == [
        f"Petra BULK {number:06d} (bulk-{number:06d}@example.org)" for number in range(20)
    ]
    assert found["more"] is True


def test_what_begins_with_the_words_comes_before_what_holds_them(admin: Client) -> None:
    create_person("Zoe", "Marten")
    create_person("Martin", "Adler")
    create_person("Anna", "Smart")

    assert list_labels(admin, "person__v", q="mart") == [
        "Martin Adler (adler@x.example)",
        "Anna Smart (smart@x.example)",
        "Zoe Marten (marten@x.example)",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("be", ["Hannah Berg (berg@x.example)"]),  # the beginning of any word of the name
        ("er", []),  # two letters do not match the middle of a word
        ("han ber", ["Hannah Berg (berg@x.example)"]),
        ("BERG@X", ["Hannah Berg (berg@x.example)"]),
        ("han nobody", []),
        ("100%", []),
        ("   ", ["Hannah Berg (berg@x.example)"]),
    ],
)
def test_words_are_found_in_names_and_emails(admin: Client, query: str, found: list[str]) -> None:
    create_person("Hannah", "Berg")

    assert list_labels(admin, "person__v", q=query) == found


def test_a_letter_or_two_begin_a_word_of_any_field_that_is_searched(admin: Client) -> None:
    StudySiteFactory.create(name="0142", site_name="Charité Berlin")
    StudySiteFactory.create(name="BE07", site_name="Paris")
    StudySiteFactory.create(name="0008", site_name="Aberdeen")

    assert list_labels(admin, "site__v", q="be") == ["BE07 · Paris", "0142 · Charité Berlin"]


def test_sites_are_narrowed_by_the_study_and_fill_study_and_country(admin: Client) -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité")
    StudySiteFactory.create(name="0142", site_name="Elsewhere")

    found = look_up(admin, "site__v", q="0142", study__v=site.study.uid)

    assert found["results"] == [
        {
            "uid": str(site.uid),
            "label": "0142 · Charité",
            "detail": f"{site.study} · Germany",
            "fills": {
                "study__v": {"uid": str(site.study.uid), "label": f"{site.study} · {site.study.study_name}"},
                "study_country__v": {"uid": str(site.study_country.uid), "label": "Germany"},
            },
        }
    ]


def test_sites_are_narrowed_by_the_country(admin: Client) -> None:
    germany = StudyCountryFactory.create()
    france = StudyCountryFactory.create(study=germany.study, country="FR", name="France")
    StudySiteFactory.create(study_country=germany, name="A")
    StudySiteFactory.create(study_country=france, name="B", site_name="")

    assert list_labels(admin, "site__v", study__v=germany.study.uid, study_country__v=france.uid) == ["B"]


def test_study_people_of_the_whole_study_fit_every_site(admin: Client) -> None:
    site = StudySiteFactory.create()
    here = StudyPersonFactory.create(site=site, person__last_name="Aa")
    everywhere = StudyPersonFactory.create(site=None, study=site.study, person__last_name="Bb")
    StudyPersonFactory.create(site=StudySiteFactory.create(study_country=site.study_country))

    assert list_labels(admin, "study_person__v", site__v=site.uid) == [here.name, everywhere.name]


def test_what_is_inactive_is_not_offered_but_filters_find_it(admin: Client) -> None:
    create_person("Hannah", "Berg", status=RecordStatus.INACTIVE)

    assert list_labels(admin, "person__v", q="berg") == []
    assert list_labels(admin, "person__v", q="berg", any=1) == ["Hannah Berg (berg@x.example)"]


def test_one_record_can_be_asked_for(admin: Client) -> None:
    site, other = StudySiteFactory.create_batch(2)

    assert [each["uid"] for each in look_up(admin, "site__v", uid=site.uid)["results"]] == [str(site.uid)]
    assert look_up(admin, "site__v", uid=site.uid, study__v=other.study.uid)["results"] == []


def test_only_visible_studies_and_their_sites_are_offered(client: Client) -> None:
    site = StudySiteFactory.create()
    StudySiteFactory.create()
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "site__v:read", "study__v:read"])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=site.study)
    client.force_login(user)

    assert [each["uid"] for each in look_up(client, "site__v")["results"]] == [str(site.uid)]
    assert [each["uid"] for each in look_up(client, "study__v")["results"]] == [str(site.study.uid)]


def test_what_the_profile_does_not_let_read_is_refused(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read"])
    client.force_login(UserFactory.create(security_profile=profile))

    assert client.get("/records/crm_activity__v/lookup/person__v/").status_code == 404
    assert client.get("/records/person__sys/lookup/created_by__v/").status_code == 403


@pytest.mark.parametrize("field", ["nonsense__v", "subject__v", "created_by__v", "connection__v"])
def test_what_is_no_reference_to_a_record_is_not_found(admin: Client, field: str) -> None:
    assert admin.get(f"/records/crm_activity__v/lookup/{field}/").status_code == 404


def test_what_stands_in_the_address_by_mistake_narrows_nothing(admin: Client) -> None:
    StudySiteFactory.create(name="0142", site_name="")

    assert list_labels(admin, "site__v", study__v="no-uid", nonsense="1") == ["0142"]


def test_a_study_that_does_not_exist_has_no_sites(admin: Client) -> None:
    StudySiteFactory.create()

    assert list_labels(admin, "site__v", study__v="00000000-0000-0000-0000-000000000000") == []


def test_strangers_are_asked_to_log_in(client: Client) -> None:
    assert client.get("/records/crm_activity__v/lookup/site__v/").status_code == 302


@pytest.mark.usefixtures("stopped_clock")
def test_the_number_of_statements_does_not_depend_on_the_number_of_choices(
    admin: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    country = StudyCountryFactory.create()
    create_sites(1, study_country=country)
    admin.get("/records/crm_activity__v/lookup/site__v/?q=hospital")
    address = "/records/crm_activity__v/lookup/site__v/?q=hospital"
    # Session, user, configuration; names that begin so; studies of that name; all that match, in order; their rows.
    with django_assert_num_queries(9):
        assert len(admin.get(address).json()["results"]) == 1
    create_sites(9, study_country=StudyCountryFactory.create(study=StudyFactory.create()))
    assert StudySite.objects.count() == 10
    with django_assert_num_queries(9):
        assert len(admin.get(address).json()["results"]) == 10


# -- Search over every object ----------------------------------------------------------------------------------------


def search(client: Client, query: str) -> dict[str, list[tuple[str, str, str]]]:
    """Return the results of a search: object → label, detail and state of each record."""
    answer = client.get(f"/search/?{urlencode({'q': query})}")
    assert answer.status_code == 200
    return {
        group.vault_object.title: [
            (each.label, each.detail, each.badge.text if each.badge else "") for each in group.results
        ]
        for group in answer.context["groups"]
    }


def test_what_is_found_is_grouped_by_object_in_the_order_of_the_tabs(admin: Client) -> None:
    study = StudyFactory.create(name="BERLIN-1", study_name="Heart", sponsor="ACME")
    StudyFactory.create(name="PARIS-1")
    site = StudySiteFactory.create(
        study_country=StudyCountryFactory.create(study=study), name="0142", site_name="Charité", city="Berlin"
    )
    activity = ActivityFactory.create(
        subject="Shipment to Berlin", person=site.principal_investigator, date=dt.date(2026, 3, 2), complete=True
    )
    leader = str(site.principal_investigator)

    assert search(admin, "berlin") == {
        "Study": [("<mark>BERLIN</mark>-1 · Heart", "ACME · Phase III", "Active")],
        "Study Site": [
            ("0142 · Charité", f"<mark>Berlin</mark> · <mark>BERLIN</mark>-1 · Germany · {leader}", "Candidate")
        ],
        "Activity": [
            (f"Shipment to <mark>Berlin</mark> · {activity.name}", f"{leader} · 2 Mar 2026 · Phone", "Complete")
        ],
        "Study Country": [("Germany", "<mark>BERLIN</mark>-1", "")],
    }


def test_five_of_an_object_are_shown_with_a_link_to_all(admin: Client) -> None:
    create_people(6, prefix="BERG")

    (group,) = admin.get("/search/?q=berg").context["groups"]

    assert [str(each.label) for each in group.results] == [
        f"Petra <mark>BERG</mark> {n:06d} (<mark>berg</mark>-{n:06d}@example.org)" for n in range(5)
    ]
    assert group.more_url == "/records/person__sys/?q=berg"


def test_the_page_has_what_the_palette_reads(admin: Client) -> None:
    person = create_person("Hannah", "Berg")

    page = admin.get("/search/?q=berg").content.decode()

    assert f'<a class="result-link" href="/records/person__sys/{person.uid}/">' in page
    assert '<li class="result" data-object-label="Person">' in page


def test_only_what_the_user_sees_is_found(client: Client) -> None:
    study = StudyFactory.create(name="BERLIN-1")
    StudyFactory.create(name="BERLIN-2")
    create_person("Hannah", "Berlin")
    profile = SecurityProfileFactory.create(permissions=["study__v:read"])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    client.force_login(user)

    found = search(client, "berlin")

    assert {name: [label for label, *_ in rows] for name, rows in found.items()} == {
        "Study": ["<mark>BERLIN</mark>-1 · Study <mark>BERLIN</mark>-1"]
    }


@pytest.mark.parametrize("query", ["", "   ", "nobody at all", "%", "\x00", "<script>", "a" * 1000, "(", "[a-z]+ \\"])
def test_nothing_is_found_without_a_fault(admin: Client, query: str) -> None:
    create_person("Hannah", "Berg")

    assert search(admin, query) == {}


def test_what_is_marked_cannot_be_more_than_text() -> None:
    marked = mark_words(text="<b>Berg & Abbe</b>", words=["b", "&", "ABB"])

    assert (
        marked == "&lt;<mark>b</mark>&gt;<mark>B</mark>erg <mark>&amp;</mark> <mark>Abb</mark>e&lt;/<mark>b</mark>&gt;"
    )


@pytest.mark.usefixtures("stopped_clock")
def test_the_number_of_statements_of_a_search_does_not_depend_on_what_is_found(
    admin: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def find() -> int:
        return sum(len(each.results) for each in admin.get("/search/?q=berg").context["groups"])

    StudySiteFactory.create(site_name="Berg hospital")
    create_activities(1, people=[create_person("Hannah", "Berg")])
    find()
    with CaptureQueriesContext(connection) as queries:
        assert find() == 3
    StudySiteFactory.create_batch(3, site_name="Berg hospital")
    create_activities(4, people=create_people(4, prefix="BERG"))
    with django_assert_num_queries(len(queries)):
        assert find() == 14
